"""What happens on the Traces page: every listener."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import gradio as gr

from orchestra_app.core.errors import OrchestraError
from orchestra_app.ui.asking import Desk
from orchestra_app.ui.follow import Watching, follow
from orchestra_app.ui.markup import tag
from orchestra_app.ui.pages.ask import QUIET, said
from orchestra_app.ui.pages.traces import TracesPage, listed, listing_shown, offered
from orchestra_app.ui.sheet import parts
from orchestra_app.ui.texts import TEXTS
from orchestra_app.ui.verdict import wire_verdict
from orchestra_app.ui.visitor import Visitor, token

OPENED = "() => { document.querySelector('#trace-open')?.scrollIntoView({ block: 'nearest' }) }"
CLOSED = "() => history.replaceState(null, '', location.pathname)"


def wire_traces(blocks: gr.Blocks, desk: Desk, page: TracesPage, *, tabs: gr.Tabs, tab: gr.Tab) -> None:
    """Let the page work; `tab` is its own."""
    watching = Watching()

    def visitor(request: gr.Request, stored: Any) -> Visitor:
        return desk.door.visitor(request, token(stored))

    async def show(request: gr.Request, stored: Any, number: Any, *values: Any) -> dict[Any, Any]:
        return await listed(desk, page, visitor(request, stored), values, number)

    async def menus(request: gr.Request, stored: Any) -> dict[Any, Any]:
        return await offered(desk, page, visitor(request, stored))

    def turned(by: int) -> Any:
        async def turn(request: gr.Request, stored: Any, number: Any, *values: Any) -> dict[Any, Any]:
            number = number + by if isinstance(number, int) else 1
            return await listed(desk, page, visitor(request, stored), values, number)

        return turn

    async def open_(request: gr.Request, stored: Any, event: gr.EventData) -> AsyncGenerator[dict[Any, Any]]:
        asked = event._data if isinstance(event._data, dict) else {}
        async with aclosing(opened(request, stored, asked.get("id"))) as shown:
            async for values in shown:
                yield values

    async def opened(request: gr.Request, stored: Any, trace_id: Any) -> AsyncGenerator[dict[Any, Any]]:
        watched = watching.begin(str(request.session_hash))
        turned = {
            page.listed: gr.Column(visible=False),
            page.opened: gr.Column(visible=True),
            page.problem: None,
        }
        try:
            async with aclosing(follow(desk, visitor(request, stored), str(trace_id), page.view)) as shown:
                async for values, _ in shown:
                    if not watched():
                        return
                    yield values | turned | {page.current: str(trace_id)}
        except OrchestraError as error:
            yield {page.problem: said(str(error))}

    async def arrive(request: gr.Request, stored: Any) -> AsyncGenerator[dict[Any, Any]]:
        # A generator that yields nothing would empty its outputs.
        yield {page.problem: gr.skip()}
        if wanted := dict(request.query_params).get("trace"):
            async with aclosing(opened(request, stored, wanted)) as shown:
                async for values in shown:
                    yield values | {tabs: gr.Tabs(selected="traces")}

    async def remove(request: gr.Request, stored: Any, trace_id: str) -> dict[Any, Any]:
        who = visitor(request, stored)
        try:
            gone = await desk.workspace.store.delete(trace_id, who.owner)
        except OrchestraError as error:
            return {page.problem: said(str(error)), page.sure: gr.Row(visible=False)}
        texts = TEXTS[who.language]
        told = texts["deleted"] if gone else texts["no_trace"].format(id=trace_id)
        return listing_shown(page) | {
            page.problem: parts("told", tag("p", told, class_="quiet", role="status"))
        }

    many: dict[str, Any] = QUIET | {"concurrency_limit": None}
    inputs = [page.browser, page.number, *page.filters]
    rows = [page.rows, page.counted, page.newer, page.older, page.number, page.problem]
    turn = [page.listed, page.opened, page.sure, page.current]
    view = [*page.view.outputs, page.listed, page.opened, page.problem, page.current]
    tab.select(show, inputs, rows, **many)
    tab.select(menus, [page.browser], list(page.menus.values()), **many)
    changed = [
        page.text.change,
        *(each.input for each in page.menus.values()),
        *(each.change for each in page.costs),
    ]
    gr.on(changed, show, inputs, rows, trigger_mode="always_last", **many)
    page.newer.click(turned(-1), inputs, rows, **many)
    page.older.click(turned(1), inputs, rows, **many)
    page.clear.click(lambda: [""] * len(page.filters), None, page.filters, **QUIET).then(
        show, inputs, rows, **many
    )
    page.rows.select(open_, [page.browser], view, **many)
    blocks.load(arrive, [page.browser], [*view, tabs], **many)
    back = page.back.click(lambda: listing_shown(page), None, turn, **QUIET)
    back.then(show, inputs, rows, **many).then(None, None, None, js=CLOSED, **QUIET)
    page.delete.click(lambda: gr.Row(visible=True), None, page.sure, **QUIET)
    page.keep.click(lambda: gr.Row(visible=False), None, page.sure, **QUIET)
    removed = page.confirm.click(remove, [page.browser, page.current], [*turn, page.problem], **QUIET)
    removed.then(show, inputs, rows, **many)
    page.view.live.skip(_skip(desk), [page.browser, page.current], None, **QUIET)
    wire_verdict(desk, page.view, page.current, page.browser)


def _skip(desk: Desk) -> Any:
    async def skip(request: gr.Request, stored: Any, run_id: str) -> None:
        owner = desk.door.visitor(request, token(stored)).owner
        if run := desk.workspace.runs.get(run_id, owner):
            run.skip()

    return skip
