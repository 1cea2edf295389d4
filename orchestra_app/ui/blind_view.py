"""The blind comparison as HTML: two answers without names, what is told after the vote, and the table."""

from collections.abc import Callable, Mapping, Sequence

from markupsafe import Markup

from orchestra_app.core.trace import Trace
from orchestra_app.core.vote import Choice
from orchestra_app.frontier.bootstrap import Estimate
from orchestra_app.frontier.duels import Standing
from orchestra_app.ui.links import link
from orchestra_app.ui.markup import dollars, per_cent, seconds, tag

Texts = Mapping[str, str]


def answers(traces: tuple[Trace, Trace], texts: Texts, *, names: tuple[str, str] | None = None) -> Markup:
    """Return both answers as A and B; `names` are the settings, told only after the vote."""
    cards = [
        tag(
            "article",
            tag("h3", letter),
            tag("div", _answer(trace, texts), class_="text", dir="auto"),
            _told(trace, names[place], texts) if names else None,
        )
        for place, (letter, trace) in enumerate(zip("AB", traces, strict=True))
    ]
    question = tag("h2", traces[0].task.question, dir="auto")
    return tag("div", question, tag("div", *cards, class_="duel"))


def chosen(choice: Choice, texts: Texts) -> str:
    """Return a choice as it is said."""
    return texts["blind_said_tie" if choice == "tie" else f"blind_{choice}"]


def standing(found: Sequence[Standing], texts: Texts) -> Markup:
    """Return the table of all pairs of settings."""
    title = tag("h3", texts["blind_table"])
    if not found:
        return tag("section", title, tag("p", texts["blind_table_empty"], class_="quiet"))
    heads = ("blind_pair", "blind_votes", "blind_rate", "blind_saves", "blind_saves_seconds")
    head = tag("tr", *(tag("th", texts[name], scope="col") for name in heads))
    rows = tag("table", tag("thead", head), tag("tbody", *(_row(each, texts) for each in found)))
    scroll = tag("div", rows, class_="scroller", tabindex=0, role="region", aria_label=texts["blind_table"])
    return tag("section", title, scroll, tag("p", texts["blind_note"], class_="quiet"))


def _answer(trace: Trace, texts: Texts) -> str:
    # Neither the error nor the status of a stopped budget is told, for both may name a model or a limit.
    if trace.answer is None:
        return texts["ended_failed"]
    return trace.answer.strip() or "–"


def _told(trace: Trace, name: str, texts: Texts) -> Markup:
    verdict = {True: "correct", False: "incorrect", None: "unlabelled"}[trace.correct]
    return tag(
        "div",
        tag("p", tag("b", name), class_="setting"),
        tag(
            "p",
            tag("span", texts["rehearsal_badge"], class_="badge") if trace.simulated else None,
            tag("span", dollars(trace.cost), class_="cost"),
            tag("span", seconds(trace.seconds)),
            tag("span", texts[f"verdict_{verdict}"], class_=f"chip {verdict}"),
            tag("a", texts["blind_trace"], href=link(trace=trace.id), class_="permalink"),
            class_="facts",
        ),
        class_="told",
    )


def _row(each: Standing, texts: Texts) -> Markup:
    counts = texts["blind_counts"].format(wins=each.wins, losses=each.losses, ties=each.ties, bad=each.bad)
    rate = each.rate
    return tag(
        "tr",
        tag("th", tag("b", each.first), tag("small", each.second), scope="row"),
        tag("td", f"{each.count}", tag("small", counts)),
        tag("td", per_cent(rate.mean), tag("small", f"{per_cent(rate.low)} – {per_cent(rate.high)}")),
        tag("td", *_saved(each.cost, lambda usd: dollars(usd, sign=True))),
        tag("td", *_saved(each.seconds, lambda value: seconds(value, sign=True))),
    )


def _saved(found: Estimate | None, shown: Callable[[float], str]) -> list[Markup | str]:
    if found is None:
        return ["–"]
    return [shown(found.mean), tag("small", f"{shown(found.low)} … {shown(found.high)}")]
