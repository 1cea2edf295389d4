"""What happens on the Label page: every listener."""

from typing import Any

import gradio as gr

from orchestra_app.core.errors import OrchestraError
from orchestra_app.core.trace import Trace
from orchestra_app.ui import serving
from orchestra_app.ui.asking import Desk
from orchestra_app.ui.labels import Details
from orchestra_app.ui.markup import tag
from orchestra_app.ui.pages.queue import QueuePage
from orchestra_app.ui.queue import Queue
from orchestra_app.ui.queue_view import agreed, card, empty, progress, rendered
from orchestra_app.ui.serving import Narrowed
from orchestra_app.ui.sheet import parts
from orchestra_app.ui.texts import TEXTS
from orchestra_app.ui.visitor import Visitor, token

MANY: dict[str, Any] = {
    "show_progress": "hidden",
    "api_visibility": "private",
    "concurrency_limit": None,
}
Values = dict[Any, Any]


def wire_queue(
    desk: Desk, page: QueuePage, *, tabs: tuple[gr.Tab, gr.Tab], queue: Queue | None = None
) -> None:
    """Let the page work; `tabs` are the one around its own, and its own."""
    queue = queue or Queue()
    been: set[str] = set()
    """The open pages that have shown what there is to label."""

    def visitor(request: gr.Request, stored: Any) -> Visitor:
        return desk.door.visitor(request, token(stored))

    async def arrive(request: gr.Request, stored: Any, current: Any, *narrowed: Any) -> Values:
        who = visitor(request, stored)
        found = await served(desk, queue, page, who, Narrowed(*narrowed)) | await opened(desk, page, who)
        been.add(who.page)
        # What was typed about the trace that is still served stays.
        kept = [page.gold, page.rating, page.note] if current and found.get(page.current) == current else []
        return {part: value for part, value in found.items() if part not in kept}

    async def again(request: gr.Request, stored: Any, current: Any, *narrowed: Any) -> Values:
        # Whoever was told that there is nothing may have asked since.
        if current or str(request.session_hash) not in been:
            return {page.told: gr.skip()}
        return await arrive(request, stored, current, *narrowed)

    async def narrow(request: gr.Request, stored: Any, *narrowed: Any) -> Values:
        return await served(desk, queue, page, visitor(request, stored), Narrowed(*narrowed))

    def saying(verdict: str) -> Any:
        async def say(request: gr.Request, stored: Any, current: Any, *values: Any) -> Values:
            *narrowed, gold, rating, note = values
            said = (verdict, Details(gold, rating, note))
            return await labelled(
                desk, queue, page, visitor(request, stored), current, Narrowed(*narrowed), said
            )

        return say

    async def skip(request: gr.Request, stored: Any, current: Any, *narrowed: Any) -> Values:
        return await labelled(desk, queue, page, visitor(request, stored), current, Narrowed(*narrowed), None)

    async def undo(request: gr.Request, stored: Any) -> Values:
        return await undone(desk, queue, page, visitor(request, stored))

    async def measure(request: gr.Request, stored: Any, *narrowed: Any) -> Values:
        return await measured(desk, page, visitor(request, stored), Narrowed(*narrowed))

    async def decide(request: gr.Request, stored: Any, *values: Any) -> Values:
        return await decided(desk, page, visitor(request, stored), values)

    deciding = page.deciding
    rules = [deciding.all, deciding.text, deciding.share, deciding.anybody]
    here, form = [page.browser, *page.menus], [page.gold, page.rating, page.note]
    measuring: tuple[Any, ...] = (measure, here, [page.progress])
    around, tab = tabs
    arriving = [page.browser, page.current, *page.menus]
    shown_ = [*page.served, *page.menus, page.guidelines, *rules]
    for select, serve in ((tab.select, arrive), (around.select, again)):
        select(serve, arriving, shown_, **MANY).then(*measuring, **MANY)
    for menu in page.menus:
        menu.input(narrow, here, page.served, **MANY).then(*measuring, **MANY)
    for verdict, button in page.buttons.items():
        inputs = [page.browser, page.current, *page.menus, *form]
        button.click(saying(verdict), inputs, page.served, **MANY).then(*measuring, **MANY)
    page.skip.click(skip, arriving, page.served, **MANY)
    page.undo.click(undo, [page.browser], page.served, **MANY).then(*measuring, **MANY)
    inputs = [page.browser, deciding.text, deciding.share, deciding.anybody]
    deciding.save.click(decide, inputs, [deciding.told, page.guidelines], **MANY).then(*measuring, **MANY)


async def served(
    desk: Desk, queue: Queue, page: QueuePage, visitor: Visitor, narrowed: Narrowed, said: str = ""
) -> Values:
    """Serve the next trace and return what shows it; `said`: what to tell beside it."""
    texts = TEXTS[visitor.language]
    try:
        trace = await serving.serve(desk, queue, visitor, narrowed)
        if trace is not None:
            return await shown(desk, page, visitor, trace, said)
        found, _ = await serving.measured(desk, visitor, narrowed)
    except OrchestraError as error:
        return {page.told: _told(str(error), "trouble")}
    return _nothing(page, empty(found, bool(narrowed.catalog or narrowed.policy), texts), said)


def _nothing(page: QueuePage, sentence: Any, said: str) -> Values:
    return {
        page.card: parts("none", sentence),
        page.row: gr.Column(visible=False),
        page.told: _told(said, "quiet") if said else None,
        page.current: "",
    }


async def shown(desk: Desk, page: QueuePage, visitor: Visitor, trace: Trace, said: str) -> Values:
    """Return what shows a trace that was served, with an empty form."""
    catalog = await desk.workspace.store.catalog(trace.catalog.hash)
    return {
        page.card: parts(trace.id, *card(trace, catalog, TEXTS[visitor.language])),
        page.row: gr.Column(visible=True),
        page.gold: "",
        page.rating: None,
        page.note: "",
        page.told: _told(said, "quiet") if said else None,
        page.current: trace.id,
    }


async def labelled(
    desk: Desk,
    queue: Queue,
    page: QueuePage,
    visitor: Visitor,
    current: Any,
    narrowed: Narrowed,
    said: tuple[str, Details] | None,
) -> Values:
    """Keep what was said of the current trace, or skip it for None, and serve the next."""
    texts = TEXTS[visitor.language]
    try:
        if said is None:
            await serving.skip(desk, queue, visitor, current)
        else:
            await serving.say(desk, queue, visitor, current, *said)
    except OrchestraError as error:
        return {page.told: _told(str(error), "trouble")}
    sentence = (
        texts["queue_skipped"]
        if said is None
        else texts["queue_kept"].format(verdict=texts[f"verdict_{said[0]}"])
    )
    return await served(desk, queue, page, visitor, narrowed, sentence)


async def undone(desk: Desk, queue: Queue, page: QueuePage, visitor: Visitor) -> Values:
    """Take the latest verdict back and show its trace again."""
    try:
        trace = await serving.undo(desk, queue, visitor)
        return await shown(desk, page, visitor, trace, TEXTS[visitor.language]["queue_taken_back"])
    except OrchestraError as error:
        return {page.told: _told(str(error), "trouble")}


async def measured(desk: Desk, page: QueuePage, visitor: Visitor, narrowed: Narrowed) -> Values:
    """Return how far everybody is, and how far people agree."""
    texts = TEXTS[visitor.language]
    try:
        found, agreement = await serving.measured(desk, visitor, narrowed)
        twice = (await serving.rules(desk)).twice
    except OrchestraError as error:
        return {page.progress: _told(str(error), "trouble")}
    return {page.progress: parts("progress", progress(found, texts), agreed(agreement, twice, texts))}


async def opened(desk: Desk, page: QueuePage, visitor: Visitor) -> Values:
    """Return what the page has beside the trace: menus, guidelines, and what an administrator decides."""
    texts = TEXTS[visitor.language]
    try:
        found, text = await serving.choices(desk, visitor), await serving.guidelines(desk, visitor)
        rules = await serving.rules(desk)
    except OrchestraError as error:
        return {page.guidelines: _told(str(error), "trouble")}
    menus = {
        menu: gr.Dropdown(
            [(texts["any"], ""), *((f"{name} ({count})", name) for name, count in each.items())]
        )
        for menu, each in zip(page.menus, (found.catalogs, found.policies), strict=True)
    }
    deciding = page.deciding
    return menus | {
        page.guidelines: parts("guidelines", rendered(text, texts)),
        deciding.all: gr.Accordion(visible=visitor.admin),
        deciding.text: text if visitor.admin else "",
        deciding.share: round(rules.twice * 100),
        deciding.anybody: rules.anybody,
    }


async def decided(desk: Desk, page: QueuePage, visitor: Visitor, values: tuple[Any, ...]) -> Values:
    """Keep what an administrator decided and return the guidelines as everybody sees them now."""
    texts = TEXTS[visitor.language]
    try:
        await serving.decide(desk, visitor, *values)
        text = await serving.guidelines(desk, visitor)
    except OrchestraError as error:
        return {page.deciding.told: _told(str(error), "trouble")}
    return {
        page.deciding.told: _told(texts["queue_saved"], "quiet"),
        page.guidelines: parts("guidelines", rendered(text, texts)),
    }


def _told(sentence: str, kind: str) -> dict[str, Any]:
    return parts("told", tag("p", sentence, role="status", class_=kind))
