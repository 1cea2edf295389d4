"""The verdict row of a view: keeps a verdict, shows it and takes it back."""

from typing import Any

import gradio as gr
from markupsafe import Markup

from orchestra_app.core.errors import OrchestraError
from orchestra_app.ui.asking import VERDICTS, Desk, find, judge, take_back
from orchestra_app.ui.markup import tag
from orchestra_app.ui.outcome import outcome
from orchestra_app.ui.sheet import parts
from orchestra_app.ui.texts import TEXTS
from orchestra_app.ui.view import View
from orchestra_app.ui.visitor import Visitor, token

QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}


def wire_verdict(desk: Desk, view: View, current: gr.State, browser: gr.BrowserState) -> None:
    """Let the verdict buttons of a view work on the trace whose id stands in `current`."""
    label_id = gr.State(None, time_to_live=86_400)
    outputs = [view.answer, view.kept]

    def keeping(verdict: str) -> Any:
        async def keep(request: gr.Request, trace_id: str, stored: Any, gold: str) -> tuple[Any, ...]:
            return await kept(desk, desk.door.visitor(request, token(stored)), trace_id, verdict, gold)

        return keep

    async def undo(request: gr.Request, trace_id: str, stored: Any, made: Any) -> tuple[Any, ...]:
        return await undone(desk, desk.door.visitor(request, token(stored)), trace_id, made)

    for verdict in VERDICTS:
        view.buttons[verdict].click(
            keeping(verdict), [current, browser, view.gold], [*outputs, label_id], **QUIET
        )
    view.kept.select(undo, [current, browser, label_id], outputs, **QUIET)


async def kept(desk: Desk, visitor: Visitor, trace_id: str, verdict: str, gold: str) -> tuple[Any, ...]:
    """Keep a verdict and return the answer card, the confirmation with its undo button and the label's id."""
    texts = TEXTS[visitor.language]
    try:
        label_id = await judge(desk, visitor, trace_id, verdict, gold)
    except OrchestraError as error:
        return gr.skip(), _said(str(error), "trouble"), None
    said = texts["kept"].format(verdict=texts[f"verdict_{verdict}"])
    undo = tag("button", texts["undo"], type="button", class_="undo", data_action="undo")
    return await _card(desk, visitor, trace_id), _said(said, "quiet", undo), label_id


async def undone(desk: Desk, visitor: Visitor, trace_id: str, label_id: Any) -> tuple[Any, ...]:
    """Take a verdict back and return the answer card and the confirmation."""
    try:
        await take_back(desk, visitor, trace_id, label_id)
    except OrchestraError as error:
        return gr.skip(), _said(str(error), "trouble")
    said = TEXTS[visitor.language]["undone"]
    return await _card(desk, visitor, trace_id), _said(said, "quiet")


async def _card(desk: Desk, visitor: Visitor, trace_id: str) -> dict[str, Any]:
    trace = await find(desk, visitor, trace_id)
    return parts(trace.id, outcome(trace, TEXTS[visitor.language]))


def _said(sentence: str, kind: str, button: Markup | None = None) -> dict[str, Any]:
    return parts("kept", tag("p", tag("span", sentence, role="status"), button, class_=kind))
