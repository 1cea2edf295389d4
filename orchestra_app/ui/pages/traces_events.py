"""What happens on the Traces page: every listener."""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Any

import gradio as gr

from orchestra_app.core.errors import OrchestraError
from orchestra_app.ui.asking import Desk
from orchestra_app.ui.follow import Watching, follow, kept
from orchestra_app.ui.links import link
from orchestra_app.ui.markup import tag
from orchestra_app.ui.pages.ask import QUIET, said
from orchestra_app.ui.pages.study import turns_to
from orchestra_app.ui.pages.study_events import wire_study
from orchestra_app.ui.pages.traces import TracesPage, at, listed, listing_shown, restored
from orchestra_app.ui.pages.traces_list_events import ADDRESS, MANY, chosen, wire_list
from orchestra_app.ui.sheet import parts
from orchestra_app.ui.texts import TEXTS
from orchestra_app.ui.verdict import wire_verdict
from orchestra_app.ui.visitor import Visitor, token

PAINTED = """() => new Promise(done => requestAnimationFrame(() => setTimeout(() => {
  done([]);
  setTimeout(() => {
    const title = document.querySelector('#trace-headline h2');
    if (!title?.offsetParent || document.activeElement !== document.body) return;
    title.tabIndex = -1;
    title.focus({ preventScroll: true });
  });
})))"""
"""Waits until the browser has painted an opened trace, and then gives it the focus that the list had."""
LEFT = """() => requestAnimationFrame(() => setTimeout(() => {
  if (document.activeElement !== document.body) return;
  const rows = [...document.querySelectorAll('#traces .trace')];
  (rows.find(row => row.dataset.id === window.opened) || rows[0])?.focus();
}))"""
"""Gives the focus to the row of the trace that was left, or to the first."""


def wire_traces(blocks: gr.Blocks, desk: Desk, page: TracesPage, *, tabs: gr.Tabs, tab: gr.Tab) -> None:
    """Let the page work; `tab` is its own."""
    watching = Watching()

    def visitor(request: gr.Request, stored: Any) -> Visitor:
        return desk.door.visitor(request, token(stored))

    turned_back: dict[str, Callable[[], bool]] = {}

    def turn_back(request: gr.Request) -> dict[Any, Any]:
        session = str(request.session_hash)
        # A run that is followed would open again with its next event.
        watching.forget(session)
        turned_back[session] = page.turning.begin(session)
        return listing_shown(page)

    async def show(request: gr.Request, stored: Any, place: Any, *sent: Any) -> dict[Any, Any]:
        last = turned_back.pop(str(request.session_hash), None)
        if last is not None and not last():
            # What was asked for since is newer than the fields that were read when the page turned back.
            return {page.problem: gr.skip()}
        return await listed(desk, page, visitor(request, stored), page.asked(place, sent))

    async def open_(request: gr.Request, event: gr.EventData, stored: Any, place: Any) -> dict[Any, Any]:
        # One answer outside the queue is on the page sooner than a stream of them.
        who, trace_id = visitor(request, stored), chosen(event)[1]
        run = desk.workspace.runs.get(trace_id, who.sees)
        if run is not None and not run.done:
            return {page.study.begun: turns_to(trace_id)}
        watching.begin(str(request.session_hash), trace_id)
        try:
            shown = await kept(desk, who, trace_id, page.view, rest=False)
            return shown | _turned(page, trace_id, place) | {page.study.begun: None}
        except OrchestraError as error:
            return {page.problem: said(str(error))}

    async def open_kin(request: gr.Request, event: gr.EventData, stored: Any, place: Any) -> dict[Any, Any]:
        shown = await open_(request, event, stored, place)
        return page.view.emptied | shown if page.current in shown else shown

    async def fill(request: gr.Request, stored: Any, trace_id: str) -> dict[Any, Any]:
        if watching.asked(str(request.session_hash)) != trace_id:
            return unchanged
        try:
            return await kept(desk, visitor(request, stored), trace_id, page.view, first=False)
        except OrchestraError:
            # It was deleted since; what can be done with it says so.
            return unchanged

    async def opened(
        request: gr.Request, stored: Any, trace_id: str, list_: Mapping[str, Any]
    ) -> AsyncGenerator[dict[Any, Any]]:
        session, who = str(request.session_hash), visitor(request, stored)
        watched = watching.begin(session, trace_id)
        try:
            turned = _turned(page, trace_id, list_) | page.view.emptied
            async with aclosing(follow(desk, who, trace_id, page.view)) as shown:
                async for values in shown:
                    if not watched():
                        break
                    yield turned | values
                    turned.pop(page.address, None)
        except OrchestraError as error:
            yield {page.problem: said(str(error))}
        if not watched():
            # What was on its way when the page turned to the list comes after that, and this after both. A
            # generator that yields nothing would empty its outputs.
            left = {page.view.head: None, page.current: "", **page.view.emptied}
            yield {page.problem: gr.skip()} if watching.asked(session) else left

    def study_opens(
        request: gr.Request, trace_id: str, stored: Any, place: Any, *sent: Any
    ) -> AsyncGenerator[dict[Any, Any]]:
        return opened(request, stored, trace_id, page.asked(place, sent))

    async def arrive(request: gr.Request, stored: Any) -> AsyncGenerator[dict[Any, Any]]:
        yield {page.problem: gr.skip()}
        query = dict(request.query_params)
        here = {tabs: gr.Tabs(selected="traces")}
        wanted = query.pop("trace", "")
        if query.get("tab") == "traces":
            found = await restored(desk, page, visitor(request, stored), query) | here
            # The address stays that of a trace which is opened over the list.
            yield {part: value for part, value in found.items() if part != page.address or not wanted}
        if wanted:
            async with aclosing(opened(request, stored, wanted, query)) as shown:
                async for values in shown:
                    yield values | here

    async def remove(request: gr.Request, stored: Any, trace_id: str) -> dict[Any, Any]:
        who = visitor(request, stored)
        try:
            gone = await desk.workspace.store.delete(trace_id, who.owner)
        except OrchestraError as error:
            return {page.problem: said(str(error)), page.sure: gr.Row(visible=False)}
        texts = TEXTS[who.language]
        told = texts["deleted"] if gone else texts["no_trace"].format(id=trace_id)
        return turn_back(request) | {
            page.problem: parts("told", tag("p", told, class_="quiet", role="status"))
        }

    def leave(request: gr.Request) -> None:
        watching.forget(str(request.session_hash))
        page.turning.forget(str(request.session_hash))
        turned_back.pop(str(request.session_hash), None)

    inputs, rows = page.inputs, page.outputs
    unchanged = {page.view.transcript: gr.skip()}
    turn = [page.view.head, page.sure, page.current, page.study.begun, *page.view.emptied]
    told = [page.problem, page.current, page.address]
    view = list(dict.fromkeys([*page.view.outputs, *told, *page.view.emptied]))
    wire_list(desk, page, tabs=tabs, tab=tab)
    opening: dict[str, Any] = QUIET | {"queue": False, "postprocess": False}
    # Each output takes the page time before it can paint: the way to the list has emptied the others.
    first, here = [*page.view.first, *told, page.study.begun], [page.browser, page.place]
    shown = [
        page.rows.open(open_, here, first, **opening),
        page.study.family.open(open_kin, here, [*first, *page.view.emptied], **opening),
    ]
    for each in shown:
        each.then(None, js=PAINTED, **QUIET).then(
            fill, [page.browser, page.current], page.view.rest, **opening
        )
    arriving = dict.fromkeys([*rows, *page.filters.outputs, tabs, *view])
    blocks.load(arrive, [page.browser], list(arriving), **MANY)
    blocks.unload(leave)
    back = page.back.click(turn_back, None, turn, **QUIET)
    back.then(None, js=LEFT, **QUIET)
    back.then(show, inputs, rows, **MANY).then(None, page.address, None, js=ADDRESS, **QUIET)
    page.delete.click(lambda: gr.Row(visible=True), None, page.sure, **QUIET)
    page.keep.click(lambda: gr.Row(visible=False), None, page.sure, **QUIET)
    removed = page.confirm.click(remove, [page.browser, page.current], [*turn, page.problem], **QUIET)
    removed.then(show, inputs, rows, **MANY).then(None, page.address, None, js=ADDRESS, **QUIET).then(
        None, js=LEFT, **QUIET
    )
    page.view.live.skip(_skip(desk), [page.browser, page.current], None, **QUIET)
    wire_verdict(desk, page.view, page.current, page.browser)
    wire_study(blocks, desk, page, study_opens, inputs, view, after=shown)


def _turned(page: TracesPage, trace_id: str, list_: Mapping[str, Any]) -> dict[Any, Any]:
    """Return what turns from the list to an opened trace."""
    return {
        page.problem: None,
        page.current: trace_id,
        page.address: at(link(**list_, trace=trace_id)),
    }


def _skip(desk: Desk) -> Any:
    async def skip(request: gr.Request, stored: Any, run_id: str) -> None:
        owner = desk.door.visitor(request, token(stored)).owner
        if run := desk.workspace.runs.get(run_id, owner):
            run.skip()

    return skip
