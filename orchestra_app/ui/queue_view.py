"""The queue as HTML: the trace that is to be labelled, how far everybody is, and the guidelines."""

from collections.abc import Mapping
from functools import cache

from markdown_it import MarkdownIt
from markupsafe import Markup

from orchestra_app.core.catalog import Catalog
from orchestra_app.core.trace import Trace
from orchestra_app.scoring.agreement import Agreement
from orchestra_app.storage.queueing import Progress
from orchestra_app.ui.markup import dollars, per_cent, seconds, tag
from orchestra_app.ui.transcript import transcript

Texts = Mapping[str, str]


def card(trace: Trace, catalog: Catalog | None, texts: Texts) -> list[Markup | None]:
    """Return the pieces of a trace that is to be labelled: question, answer, known answer, transcript.

    Neither the policy nor an earlier verdict is told, for both would sway whoever labels.
    """
    known = trace.task.answer
    facts = [dollars(trace.cost), seconds(trace.seconds), texts["turns"].format(number=len(trace.turns))]
    badge = tag("span", texts["rehearsal_badge"], class_="badge") if trace.simulated else None
    return [
        tag("h2", trace.task.question, dir="auto", tabindex=0),
        tag("p", badge, *(tag("span", fact) for fact in facts), class_="facts"),
        tag("h3", texts["answer"]),
        tag("div", (trace.answer or "").strip() or "–", class_="text", dir="auto", tabindex=0),
        tag("p", texts["queue_known"].format(gold=known), class_="known", dir="auto", tabindex=0)
        if known
        else None,
        tag(
            "details",
            tag("summary", texts["transcript"]),
            *transcript(trace, catalog, texts),
            class_="fold",
        ),
    ]


def empty(found: Progress, narrowed: bool, texts: Texts) -> Markup:
    """Return why nothing is served, and what to do."""
    if narrowed:
        said = texts["queue_none_narrowed"]
    elif found.second and not found.left:
        said = texts["queue_none_second"].format(number=found.second)
    else:
        said = texts["queue_none_done" if found.traces else "queue_none_yet"]
    return tag("p", said, class_="empty")


def progress(found: Progress, texts: Texts) -> Markup:
    """Return how far this person and everybody are."""
    rows = (
        (texts["queue_you"], found.mine, found.mine + found.left),
        (texts["queue_all"], found.done, found.traces),
    )
    second = texts["queue_second"].format(number=found.second) if found.second else None
    return tag(
        "section",
        tag("h3", texts["queue_progress"]),
        *(_bar(name, done, total, texts) for name, done, total in rows),
        tag("p", second, class_="quiet") if second else None,
    )


def agreed(found: Agreement, twice: float, texts: Texts) -> Markup:
    """Return Cohen's κ between people with its interval, or why there is none yet."""
    if found.kappa is None or found.interval is None or found.observed is None:
        share = texts["queue_kappa_none"].format(share=per_cent(twice), number=found.pairs)
        return tag("section", tag("h3", texts["queue_agreement"]), tag("p", share, class_="quiet"))
    low, high = found.interval
    said = texts["queue_kappa"].format(
        kappa=f"{found.kappa:.2f}",
        low=f"{low:.2f}",
        high=f"{high:.2f}",
        number=found.pairs,
        share=per_cent(found.observed),
    )
    return tag("section", tag("h3", texts["queue_agreement"]), tag("p", said, class_="kappa"))


def rendered(markdown: str, texts: Texts) -> Markup:
    """Return guidelines as HTML without any of their own HTML, pictures or scripts.

    Links stay links, which ask no other host until somebody follows them.
    """
    inside = Markup(_markdown().render(markdown))
    return tag("details", tag("summary", texts["queue_guidelines"]), inside, class_="guidelines", open=True)


@cache
def _markdown() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")


def _bar(name: str, done: int, total: int, texts: Texts) -> Markup:
    share = done / total if total else 0.0
    said = texts["queue_done"].format(done=f"{done:,}", total=f"{total:,}", left=f"{total - done:,}")
    return tag(
        "div",
        tag("p", tag("b", name), " ", tag("span", said)),
        tag("div", tag("i", style=f"width:{share:.1%}"), class_="bar", aria_hidden="true"),
        class_="far",
    )
