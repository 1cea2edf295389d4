"""Everything that was said about a trace as HTML: its labels, what contradicts, and marks on its calls."""

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from orchestra_app.core.message import ToolCall
from orchestra_app.core.trace import Label, Trace, called
from orchestra_app.scoring.contradiction import Contradiction, contradictions
from orchestra_app.ui.judging import Quote
from orchestra_app.ui.labels import MARKS, calls, mark_of, note_of, standing
from orchestra_app.ui.markup import dollars, moment, tag
from orchestra_app.ui.visitor import LOCAL

Texts = Mapping[str, str]
MOST_MARKED = 200
"""Calls of one trace that are listed for marks."""


def said(trace: Trace, texts: Texts, *, brief: bool = False) -> list[Markup | None]:
    """Return the pieces about a trace: what contradicts, all its labels, and its calls with their marks.

    brief: the list of calls is empty as yet.
    """
    most = 0 if brief else MOST_MARKED
    return [_warnings(contradictions(trace), texts), _labels(trace, texts), marks(trace, texts, most=most)]


def who(label: Label, owner: str, texts: Texts) -> str:
    """Return who signed a label as the owner of the trace may know it.

    Visitors learn no names of others; on one's own machine the names that are names are shown.
    """
    if label.source != "human":
        return texts["labels_comparison"] if label.source == "benchmark" else label.by
    if label.by == owner:
        return texts["labels_you"]
    if owner != LOCAL or label.by.startswith("visitor:"):
        return texts["labels_someone"]
    return label.by.removeprefix("hf:")


def quoted(quotes: Sequence[Quote], texts: Texts) -> Markup:
    """Return the models that can be asked for a verdict, each a button that says what it costs at most."""
    buttons = (
        tag(
            "button",
            texts["labels_ask_judge"].format(who=each.judge.name, cost=dollars(each.most)),
            type="button",
            class_="undo",
            data_action="judge",
            data_id=each.id,
        )
        for each in quotes
    )
    return tag("p", tag("span", texts["labels_who_judges"], role="status"), *buttons, class_="quiet judges")


def marks(trace: Trace, texts: Texts, *, most: int = MOST_MARKED) -> Markup | None:
    """Return the first `most` calls with the buttons that mark them; the owner's own mark is pressed."""
    listed = calls(trace)
    if not listed:
        return None
    rows = [
        tag(
            "li",
            tag("span", texts["turn"].format(number=number), class_="number"),
            tag("code", called(call)),
            tag("span", *_buttons(trace, call, place, texts), role="group", aria_label=called(call)),
            data_keys=True,
        )
        for place, (number, call) in enumerate(listed[:most])
    ]
    title = tag("summary", texts["labels_marks"], " ", tag("small", texts["labels_marks_hint"]))
    return tag("details", title, tag("ol", *rows, class_="marks"), class_="fold")


def _buttons(trace: Trace, call: ToolCall, place: int, texts: Texts) -> list[Markup]:
    mine = [
        each
        for each in trace.labels
        if each.source == "human" and each.by == trace.owner and each.call_id == call.id
    ]
    pressed = mark_of(max(mine, key=lambda each: each.at)) if mine else ""
    return [
        tag(
            "button",
            texts[f"labels_mark_{name}"],
            " ",
            tag("kbd", key),
            type="button",
            class_=f"mark {name}",
            data_action="mark",
            data_id=f"{name}:{place}",
            data_key=key,
            aria_pressed="true" if name == pressed else "false",
        )
        for name, key in zip(MARKS, "uvw", strict=True)
    ]


def _warnings(found: Sequence[Contradiction], texts: Texts) -> Markup | None:
    if not found:
        return None
    sentences = (
        texts[f"labels_contradicts_{each.kind}"].format(
            gold=each.gold, other=each.other or texts["labels_comparison"]
        )
        for each in found
    )
    return tag("div", *(tag("p", each, dir="auto") for each in sentences), class_="notice", role="note")


def _labels(trace: Trace, texts: Texts) -> Markup | None:
    whole = [label for label in trace.labels if label.call_id is None]
    if not whole:
        return None
    newest = sorted(whole, key=lambda label: label.at, reverse=True)
    current = standing(trace)
    rows = [tag("li", *_label(label, trace, texts, earlier=label not in current)) for label in newest]
    return tag("section", tag("h4", texts["labels_all"]), tag("ol", *rows, class_="labels"))


def _label(label: Label, trace: Trace, texts: Texts, *, earlier: bool) -> list[Markup | None]:
    verdict = {True: "correct", False: "incorrect", None: "unsure"}[label.correct]
    return [
        tag("span", texts[f"verdict_{verdict}"], class_=f"chip {verdict}"),
        tag("b", tag("bdi", who(label, trace.owner, texts))),
        tag("span", texts["labels_earlier"]) if earlier else None,
        tag("span", texts["labels_stars"].format(rating=label.rating)) if label.rating else None,
        tag("span", texts["gold_was"].format(gold=label.gold), dir="auto") if label.gold else None,
        tag("span", note_of(label, texts), class_="note", dir="auto") if label.note else None,
        tag("span", dollars(label.charge.cost, 6), class_="cost") if label.charge else None,
        tag("time", moment(label.at), datetime=label.at.isoformat()),
    ]
