"""The list of kept traces as HTML."""

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from orchestra_app.storage.queries import Summary
from orchestra_app.ui.markup import dollars, seconds, tag

Texts = Mapping[str, str]


def listing(found: Sequence[Summary], texts: Texts, *, filtered: bool) -> Markup:
    """Return a row per trace that opens it, or what to do where there is none."""
    if not found:
        said = texts["list_none" if filtered else "list_empty"]
        return tag("p", said, class_="empty")
    return tag("ol", *(tag("li", _row(summary, texts)) for summary in found), class_="traces")


def _row(summary: Summary, texts: Texts) -> Markup:
    verdict = None
    if summary.verdict != "unlabelled":
        verdict = tag("span", texts[f"verdict_{summary.verdict}"], class_=f"chip {summary.verdict}")
    facts = [
        tag("span", texts[f"status_{summary.status}"], class_="status", data_status=summary.status),
        tag("span", summary.policy),
        tag("span", summary.catalog),
        tag("span", ", ".join(summary.tools)) if summary.tools else None,
        tag("time", f"{summary.started_at:%Y-%m-%d %H:%M}", datetime=summary.started_at.isoformat()),
    ]
    return tag(
        "button",
        tag("span", tag("bdi", summary.question), class_="asked"),
        tag("span", tag("bdi", summary.answer or summary.error or "–"), class_="got"),
        tag("span", *facts, class_="facts"),
        tag("span", verdict, class_="verdict"),
        tag("span", dollars(summary.cost), class_="cost"),
        tag("span", seconds(summary.seconds), class_="took"),
        type="button",
        class_="trace",
        data_action="open",
        data_id=summary.id,
    )
