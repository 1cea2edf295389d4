"""A catalogue as HTML: what may be called, at which price, with which limits, and what is reachable."""

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from orchestra_app.core.catalog import Catalog, Choice, Model
from orchestra_app.sandbox import Sandbox
from orchestra_app.tools.box import first_of
from orchestra_app.ui.markup import Child, seconds, tag
from orchestra_app.ui.receipt import rates
from orchestra_app.workspace import PolicyEntry

Texts = Mapping[str, str]


def inventory(
    catalog: Catalog,
    obstacles: Mapping[str, str],
    left_out: Mapping[str, Sequence[str]],
    policies: Sequence[PolicyEntry],
    sandbox: Sandbox,
    texts: Texts,
) -> list[Markup | None]:
    """Return the sections of the page about one catalogue.

    left_out: why files of a source were left out, a sentence each.
    """
    return [
        tag(
            "header",
            tag("h2", catalog.title),
            tag("p", texts["read_only"], class_="quiet"),
            class_="headline",
        ),
        _models(catalog, obstacles, texts),
        _tools(catalog, obstacles, texts),
        _sources(catalog, obstacles, left_out, texts),
        _policies(catalog, policies, texts),
        _sandbox(catalog, sandbox, texts),
        _skills(catalog, texts),
    ]


def _models(catalog: Catalog, obstacles: Mapping[str, str], texts: Texts) -> Markup:
    heads = ("model", "vendor", "bill_price", "source", "context", "licence", "state")
    rows = [
        (
            tag("span", tag("b", name), tag("small", model.id) if model.id and model.id != name else None),
            model.vendor,
            tag("span", rates(model.price, texts)),
            _dated(model),
            texts["tokens"].format(number=f"{model.context:,}"),
            model.licence or "",
            _state(obstacles.get(name), texts, simulated=model.backend == "simulated"),
        )
        for name, model in catalog.models.items()
    ]
    return _table(texts["models"], [texts[key] for key in heads], rows)


def _tools(catalog: Catalog, obstacles: Mapping[str, str], texts: Texts) -> Markup:
    heads = ("alias", "model", "ability", "usual", "limits", "state")
    sections: list[Child] = []
    for name, tool in catalog.tools.items():
        rows = [
            (
                tag("code", alias),
                choice.model,
                choice.ability,
                tag("span", seconds(choice.latency), tag("small", choice.latency_source)),
                _limits(choice, texts),
                _state(
                    obstacles.get(choice.model),
                    texts,
                    simulated=catalog.models[choice.model].backend == "simulated",
                ),
            )
            for alias, choice in tool.choices.items()
        ]
        title = tag("span", tool.title, " ", tag("code", name))
        sections.append(_table(title, [texts[key] for key in heads], rows, note=tool.description, level="h4"))
    return tag("section", tag("h3", texts["tools"]), *sections)


def _sources(
    catalog: Catalog, obstacles: Mapping[str, str], left_out: Mapping[str, Sequence[str]], texts: Texts
) -> Markup:
    heads = ("source", "bill_price", "limits", "usual", "state")
    rows = [
        (
            tag("span", tag("b", source.title), tag("small", name)),
            rates(source.price, texts),
            texts["finds"].format(number=source.top),
            seconds(source.latency),
            tag("span", _state(obstacles.get(name), texts), _left_out(left_out.get(name), texts)),
        )
        for name, source in catalog.sources.items()
    ]
    return _table(texts["sources"], [texts[key] for key in heads], rows)


def _policies(catalog: Catalog, policies: Sequence[PolicyEntry], texts: Texts) -> Markup:
    heads = ("policy", "model", "protocol", "licence", "state")
    rows = []
    for entry in policies:
        spec = catalog.policies.get(entry.name)
        rows.append(
            (
                tag(
                    "span",
                    tag("b", entry.title),
                    tag("small", entry.name) if entry.title != entry.name else None,
                ),
                spec.model if spec else texts["baseline"],
                spec.protocol if spec else "",
                entry.licence or "",
                _state(entry.reason, texts),
            )
        )
    return _table(texts["policies"], [texts[key] for key in heads], rows)


def _sandbox(catalog: Catalog, sandbox: Sandbox, texts: Texts) -> Markup:
    limit = texts["sandbox_limit"].format(
        seconds=seconds(catalog.python.seconds), price=rates(catalog.python.price, texts)
    )
    rung = tag("span", sandbox.rung, class_="chip " + ("bad" if sandbox.rung == "off" else "good"))
    return tag(
        "section",
        tag("h3", texts["sandbox"]),
        tag("p", rung, " ", sandbox.reason),
        tag("p", limit, class_="quiet"),
        id="sandbox",
    )


def _skills(catalog: Catalog, texts: Texts) -> Markup | None:
    rows = [
        (name, tag("code", situation), f"{figure.value:g}", figure.source)
        for name, model in catalog.models.items()
        for situation, figure in model.skills.items()
    ]
    if not rows:
        return None
    heads = [texts[key] for key in ("model", "skill", "chance", "source")]
    return tag(
        "details", tag("summary", texts["skills"]), _grid(texts["skills"], heads, rows), class_="fold skills"
    )


def _dated(model: Model) -> str:
    price = model.price
    return ", ".join(part for part in (price.source, price.date) if part) if price else ""


def _limits(choice: Choice, texts: Texts) -> Markup:
    reply = texts["limit_output"].format(low=f"{choice.min_output:,}", high=f"{choice.max_output:,}")
    context = texts["limit_context"].format(number=f"{choice.max_context:,}")
    return tag("span", reply, tag("small", context))


def _state(obstacle: str | None, texts: Texts, *, simulated: bool = False) -> Markup:
    if obstacle is None:
        return tag("span", texts["simulated" if simulated else "works"], class_="chip good")
    return tag("span", tag("span", texts["not_reached"], class_="chip bad"), tag("small", obstacle))


def _left_out(sentences: Sequence[str] | None, texts: Texts) -> Markup | None:
    if not sentences:
        return None
    return tag("small", texts["left_out"].format(number=len(sentences), first=first_of(sentences)))


def _table(
    title: Child, heads: Sequence[str], rows: Sequence[Sequence[Child]], *, note: str = "", level: str = "h3"
) -> Markup:
    name = Markup(title).striptags() if isinstance(title, Markup) else str(title)
    said = tag("p", note, class_="quiet") if note else None
    return tag("section", tag(level, title), said, _grid(name, heads, rows))


def _grid(name: str, heads: Sequence[str], rows: Sequence[Sequence[Child]]) -> Markup:
    """Return a table without the columns in which nothing stands."""
    kept = [place for place in range(len(heads)) if any(row[place] for row in rows)]
    head = tag("tr", *(tag("th", heads[place], scope="col") for place in kept))
    body = (tag("tr", *(tag("td", row[place]) for place in kept)) for row in rows)
    table = tag("table", tag("caption", name, class_="unseen"), tag("thead", head), tag("tbody", *body))
    return tag("div", table, class_="scroller", tabindex=0, role="region", aria_label=name)
