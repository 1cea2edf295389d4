"""What came of a run as HTML: its question, its answer or why there is none, and the verdicts on it."""

from collections.abc import Mapping
from urllib.parse import urlencode

from markupsafe import Markup

from orchestra_app.core.trace import Label, Trace
from orchestra_app.ui.labels import standing
from orchestra_app.ui.labels_view import who
from orchestra_app.ui.links import link
from orchestra_app.ui.markup import dollars, moment, per_cent, seconds, tag

Texts = Mapping[str, str]


def outcome(trace: Trace, texts: Texts) -> Markup:
    """Return the card with the answer of a trace that is over, or with the reason for its absence."""
    return tag(
        "article",
        tag("h3", texts["answer"]),
        _body(trace, texts),
        tag("p", *_figures(trace, texts), class_="figures"),
        class_="outcome",
        data_status=trace.status,
        data_answered=bool(trace.answer),
    )


def headline(trace: Trace, texts: Texts, *, simulated: bool, mine: bool = True) -> Markup:
    """Return the question of `trace` with where it was asked, and the mark of a run without real money.

    mine: it belongs to whoever looks at it.
    """
    facts = [trace.policy, trace.catalog.name, moment(trace.started_at)]
    # The Ask page shows its visitor's own runs alone.
    own = "?" + urlencode({"run": trace.id})
    return tag(
        "header",
        tag("h2", trace.task.question, dir="auto"),
        tag(
            "p",
            tag("span", texts["rehearsal_badge"], class_="badge") if simulated else None,
            *(tag("span", fact) for fact in facts),
            tag("a", texts["permalink"], href=own if mine else link(trace=trace.id), class_="permalink"),
            class_="facts",
        ),
        class_="headline",
        data_foreign=not mine,
    )


def _body(trace: Trace, texts: Texts) -> Markup:
    if trace.answer is not None:
        return tag("div", trace.answer.strip() or "–", class_="text", dir="auto", role="status")
    said = tag("div", texts[f"ended_{trace.status}"], class_="text none", role="status")
    # That it was stopped has been said.
    why = trace.error and trace.status != "stopped"
    return tag("div", said, tag("p", trace.error, class_="trouble", dir="auto") if why else None)


def _figures(trace: Trace, texts: Texts) -> list[Markup | None]:
    shown = [dollars(trace.cost), seconds(trace.seconds), texts["turns"].format(number=len(trace.turns))]
    if trace.task.preference.weights or trace.task.preference.excluded:
        shown.append(texts["adherence"].format(share=per_cent(trace.adherence)))
    labels = (_label(label, trace.owner, texts) for label in standing(trace))
    return [*(tag("span", figure) for figure in shown), *labels]


def _label(label: Label, owner: str, texts: Texts) -> Markup:
    verdict = {True: "correct", False: "incorrect", None: "unsure"}[label.correct]
    by = "other" if label.source == "human" and label.by != owner else label.source
    said = texts[f"by_{by}"].format(verdict=texts[f"verdict_{verdict}"], who=who(label, owner, texts))
    gold = tag("small", texts["gold_was"].format(gold=label.gold), dir="auto") if label.gold else None
    return tag("span", said, gold, class_=f"chip {verdict}", data_source=label.source)
