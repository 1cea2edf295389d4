"""What happens in the list of the Traces page: filters, order, pages, and the address that stands for it."""

from collections.abc import Mapping
from typing import Any

import gradio as gr

from orchestra_app.ui.asking import Desk
from orchestra_app.ui.links import clean, link
from orchestra_app.ui.pages.addresses import ADDRESS
from orchestra_app.ui.pages.ask import QUIET
from orchestra_app.ui.pages.traces import TracesPage, at, listed, offered, restored
from orchestra_app.ui.visitor import Visitor, token

MANY: dict[str, Any] = QUIET | {"concurrency_limit": None}
TYPED = """(_, ...others) => {
  return [{ typed: !!document.activeElement?.matches('.filters input, .filters textarea') }, ...others];
}"""
"""Says whether a person has changed a field, not a link that fills it in."""


def wire_list(desk: Desk, page: TracesPage, *, tabs: gr.Tabs, tab: gr.Tab) -> None:
    """Let the list work; `tab` is its own."""
    form, inputs, rows = page.filters, page.inputs, page.outputs

    async def enter(request: gr.Request, current: Any, stored: Any, place: Any, *sent: Any) -> dict[Any, Any]:
        shown = await listed(desk, page, _visitor(desk, request, stored), page.asked(place, sent))
        trace = {page.address: at(link(**page.asked(place, sent), trace=current))} if current else {}
        return shown | trace

    async def menus(request: gr.Request, stored: Any, *sent: Any) -> dict[Any, Any]:
        return await offered(desk, page, _visitor(desk, request, stored), form.values(sent))

    tab.select(enter, [page.current, *inputs], rows, **MANY).then(
        None, page.address, None, js=ADDRESS, **QUIET
    )
    tab.select(menus, [page.browser, *form.inputs], form.outputs, **MANY)
    page.address.change(None, page.address, None, js=ADDRESS, **QUIET)
    _wire_pages(desk, page)
    _wire_clicks(desk, page, tabs)


def _wire_pages(desk: Desk, page: TracesPage) -> None:
    def turned(by: int) -> Any:
        async def turn(request: gr.Request, stored: Any, place: Any, *sent: Any) -> dict[Any, Any]:
            values = page.asked(place, sent)
            number = int(clean(values).get("number", "1")) + by
            return await listed(desk, page, _visitor(desk, request, stored), values | {"number": number})

        return turn

    async def first(request: gr.Request, stored: Any, _: Any, *sent: Any) -> dict[Any, Any]:
        values = page.filters.values(sent)
        return await listed(desk, page, _visitor(desk, request, stored), values)

    async def typed(request: gr.Request, mark: Any, *sent: Any) -> dict[Any, Any]:
        if not isinstance(mark, dict) or not mark.get("typed"):
            return {page.problem: gr.skip()}
        return await first(request, *sent)

    fields, lately = page.filters.fields.values(), {"trigger_mode": "always_last"}
    menus = [field.input for field in fields if isinstance(field, gr.Dropdown)]
    gr.on(menus, first, page.inputs, page.outputs, **lately, **MANY)
    # Gradio tells of what is typed, but not of what is pasted or erased, other than as any change.
    texts = [field.change for field in fields if isinstance(field, gr.Textbox)]
    gr.on(texts, typed, [page.address, *page.inputs], page.outputs, js=TYPED, **lately, **MANY)
    page.newer.click(turned(-1), page.inputs, page.outputs, **MANY)
    page.older.click(turned(1), page.inputs, page.outputs, **MANY)


def _wire_clicks(desk: Desk, page: TracesPage, tabs: gr.Tabs) -> None:
    async def act(
        request: gr.Request, event: gr.EventData, stored: Any, _: Any, *sent: Any
    ) -> dict[Any, Any]:
        match chosen(event):
            case "group", name:
                values: Mapping[str, Any] = {"group": name}
            case "drop", name:
                values = {**page.filters.values(sent), name: ""}
            case "clear", _:
                values = {}
            case "ask", _:
                return {tabs: gr.Tabs(selected="ask")}
            case _:
                return {page.problem: gr.skip()}
        return await restored(desk, page, _visitor(desk, request, stored), values)

    async def clear(request: gr.Request, stored: Any) -> dict[Any, Any]:
        return await restored(desk, page, _visitor(desk, request, stored), {})

    whole = [*page.outputs, *page.filters.outputs, tabs]
    page.filters.clear.click(clear, [page.browser], whole, **MANY)
    page.filters.marks.select(act, page.inputs, whole, **MANY)
    page.rows.select(act, page.inputs, whole, **MANY)


def chosen(event: gr.EventData) -> tuple[str, str]:
    """Return what a click on a sheet asks for: its action and the name it is about, whatever was sent."""
    sent = event._data if isinstance(event._data, dict) else {}
    return str(sent.get("action")), str(sent.get("id"))


def _visitor(desk: Desk, request: gr.Request, stored: Any) -> Visitor:
    return desk.door.visitor(request, token(stored))
