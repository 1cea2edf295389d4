"""The list of kept traces as HTML."""

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from orchestra_app.storage.queries import Summary
from orchestra_app.ui.markup import dollars, moment, seconds, tag

Texts = Mapping[str, str]


def listing(found: Sequence[Summary], texts: Texts, *, filtered: bool, you: str | None = None) -> Markup:
    """Return a row per trace that opens it, or what to do where there is none.

    you: who looks; the owners of others' traces are named.
    """
    if not found:
        said, action, text = (
            ("list_none", "clear", "clear") if filtered else ("list_empty", "ask", "finding_ask")
        )
        button = tag("button", texts[text], type="button", class_="do", data_action=action)
        return tag("div", tag("p", texts[said]), button, class_="empty")
    rows = (tag("li", _row(summary, texts, you), _kin(summary, texts)) for summary in found)
    return tag("ol", *rows, class_="traces")


def person(owner: str, you: str | None, texts: Texts) -> str:
    """Return an owner as a list names them."""
    kind, _, name = owner.partition(":")
    if owner == you:
        return texts["finding_you"]
    if kind == "visitor":
        return texts["finding_visitor"].format(name=name[:8])
    return name or owner


def short(name: str) -> str:
    """Return the id of a trace or the name of a group or a source, cut to what a mark has room for."""
    begin = name.split("/")[0]
    if len(begin) == 32:
        return begin[:8]
    return begin if len(begin) <= 32 else f"{begin[:31]}…"


def _row(summary: Summary, texts: Texts, you: str | None) -> Markup:
    verdict = None
    if summary.verdict != "unlabelled":
        verdict = tag("span", texts[f"verdict_{summary.verdict}"], class_=f"chip {summary.verdict}")
    others = you is not None and summary.owner != you
    facts = [
        tag("span", texts[f"status_{summary.status}"], class_="status", data_status=summary.status),
        tag("span", summary.policy),
        tag("span", summary.catalog),
        tag("span", ", ".join(summary.tools)) if summary.tools else None,
        tag("span", person(summary.owner, you, texts), class_="who") if others else None,
        tag("time", moment(summary.started_at), datetime=summary.started_at.isoformat()),
    ]
    error = texts["ended_stopped"] if summary.status == "stopped" else summary.error
    return tag(
        "button",
        tag("span", tag("bdi", summary.question), class_="asked"),
        tag("span", tag("bdi", summary.answer or error or "–"), class_="got"),
        tag("span", *facts, class_="facts"),
        tag("span", verdict, class_="verdict"),
        tag("span", dollars(summary.cost), class_="cost"),
        tag("span", seconds(summary.seconds), class_="took"),
        type="button",
        class_="trace",
        data_action="open",
        data_id=summary.id,
    )


def _kin(summary: Summary, texts: Texts) -> Markup | None:
    marks = []
    if summary.parent:
        said = texts["finding_fork"].format(id=short(summary.parent))
        marks.append(_mark(said, "open", summary.parent))
    if summary.group:
        marks.append(_mark(texts["finding_group"].format(name=short(summary.group)), "group", summary.group))
    return tag("p", *marks, class_="kin") if marks else None


def _mark(said: str, action: str, name: str) -> Markup:
    return tag("button", said, type="button", title=name, data_action=action, data_id=name)
