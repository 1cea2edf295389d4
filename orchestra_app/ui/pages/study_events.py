"""What happens in the studies of an opened trace: every listener, and the mixer that is drawn per trace."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Any

import gradio as gr

from orchestra_app.core.errors import OrchestraError
from orchestra_app.ui.asking import Desk
from orchestra_app.ui.consent import consented
from orchestra_app.ui.follow import Watching
from orchestra_app.ui.pages.ask import QUIET, wished
from orchestra_app.ui.pages.ask_events import positions
from orchestra_app.ui.pages.settings import mixer
from orchestra_app.ui.pages.study import PREFIX
from orchestra_app.ui.pages.study_shown import (
    Form,
    Mixed,
    compared,
    filled,
    forked,
    hidden,
    opened,
    supposed,
    under_way,
)
from orchestra_app.ui.pages.traces import TracesPage
from orchestra_app.ui.presets import NAMES, preset
from orchestra_app.ui.texts import TEXTS
from orchestra_app.ui.visitor import Visitor, token

IDLE = "() => new Promise(done => (window.requestIdleCallback || setTimeout)(() => done([])))"
"""Lets the browser show the trace before its studies are asked for."""
Opening = Callable[..., AsyncGenerator[dict[Any, Any]]]
"""Opens a trace on the page: takes the request, its id and the values of `inputs`."""


def wire_study(
    blocks: gr.Blocks,
    desk: Desk,
    page: TracesPage,
    opening: Opening,
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    *,
    after: Sequence[Any],
) -> None:
    """Let the studies work; `opening` shows another trace in `outputs`.

    after: events that set the page's current trace outside the queue, where Gradio tells of no change.
    """
    study, watching = page.study, Watching()
    settled: dict[str, str] = {}

    def visitor(request: gr.Request, stored: Any) -> Visitor:
        return desk.door.visitor(request, token(stored))

    async def turn_to(request: gr.Request, trace_id: str, stored: Any) -> AsyncGenerator[dict[Any, Any]]:
        # A generator that yields nothing would empty its outputs.
        yield {study.problem: gr.skip()}
        watched = watching.begin(str(request.session_hash))
        run = desk.workspace.runs.get(trace_id, visitor(request, stored).sees)
        if run and not run.done:
            settled.pop(str(request.session_hash), None)
            yield under_way(study)
            async with aclosing(desk.workspace.runs.watch(run)) as changes:
                async for _ in changes:
                    if not watched():
                        return

    async def settle(request: gr.Request, trace_id: str, stored: Any) -> dict[Any, Any]:
        # No generator: where a page is busy Gradio may miss that the last but one of its messages changed the
        # state for which the mixer is drawn.
        who, unchanged = visitor(request, stored), {study.problem: gr.skip()}
        run = desk.workspace.runs.get(trace_id, who.sees)
        # Where two events tell of one opening, the later would take back what was set on the sliders since.
        if (run and not run.done) or settled.get(who.page) == trace_id:
            return unchanged
        settled[who.page] = trace_id
        try:
            shown = await opened(desk, study, who, trace_id) if trace_id else hidden(study)
        except OrchestraError:
            # The page itself tells of a trace that cannot be opened.
            shown = hidden(study)
        return shown if settled.get(who.page) == trace_id else unchanged

    def leave(request: gr.Request) -> None:
        watching.forget(str(request.session_hash))
        settled.pop(str(request.session_hash), None)

    async def attach(
        request: gr.Request, begun: Any, stored: Any, *values: Any
    ) -> AsyncGenerator[dict[Any, Any]]:
        yield {page.problem: gr.skip()}
        if run_id := str(begun.get("run", "")) if isinstance(begun, dict) else "":
            async with aclosing(opening(request, run_id, stored, *values)) as shown:
                async for each in shown:
                    yield each

    async def fill(request: gr.Request, trace_id: str, stored: Any, table: Any) -> dict[Any, Any]:
        return await filled(desk, study, visitor(request, stored), trace_id, table)

    async def beside(request: gr.Request, trace_id: str, stored: Any, other: Any) -> dict[str, Any] | None:
        return await compared(desk, visitor(request, stored), trace_id, other)

    async def stop(request: gr.Request, trace_id: str, stored: Any) -> None:
        if run := desk.workspace.runs.get(trace_id, visitor(request, stored).owner):
            run.halt()

    async def suppose(
        request: gr.Request, trace_id: str, stored: Any, weights: dict[str, Any], *values: Any
    ) -> dict[Any, Any]:
        form = _form(list(weights), (*values, *weights.values()))
        return await supposed(desk, study, visitor(request, stored), trace_id, form)

    blocks.unload(leave)
    many: dict[str, Any] = QUIET | {"concurrency_limit": None}
    here, chosen = [page.current, page.browser], study.settings
    fields = [chosen.policy, study.turn, study.grid, *chosen.fixed]
    # A listener that is drawn with the mixer may be gone when a change that the server made arrives.
    moved = [study.weights, chosen.vendors, chosen.soft, *chosen.budget, study.turn, study.grid]
    shown = [study.plan, study.judged, study.bill]
    # What another trace left in a menu may be sent once more; the check that refuses it would be an alert.
    once: dict[str, Any] = many | {"trigger_mode": "always_last", "preprocess": False}
    gr.on([each.change for each in moved], suppose, [*here, study.weights, *fields], shown, **once)
    for turned in (page.current.change, *(each.then(None, js=IDLE, **QUIET).then for each in after)):
        turned(turn_to, here, study.outputs, **many).then(settle, here, study.outputs, **many)
    study.begun.change(attach, [study.begun, *inputs], list(outputs), **many)
    study.stop.click(stop, here, None, **QUIET)
    study.table.input(fill, [*here, study.table], [study.grid, study.bill], **many)
    study.other.change(beside, [*here, study.other], study.compared, **many)
    with study.settings.mixer:

        @gr.render(study.mixed, triggers=[study.mixing.change], show_progress="hidden")
        def draw(mixed: Any) -> None:
            if isinstance(mixed, Mixed):
                sliders = mixer(
                    mixed.catalog,
                    mixed.obstacles,
                    TEXTS[mixed.language],
                    prefix=PREFIX,
                    weights=mixed.weights,
                )
                _wire_mixer(desk, page, mixed, sliders, visitor, [*here, *fields])


def _form(names: list[str], values: tuple[Any, ...]) -> Form:
    """Return the form that was sent: policy, turn, price table, the fixed settings, then the sliders."""
    policy, turn, table, *fields = values
    # Gradio gives a grid as it was sent to events that do not prepare their inputs.
    cells = table.get("data") if isinstance(table, dict) else getattr(table, "data", table)
    return Form(wished(names, ("?", *fields)), policy, turn, cells)


def _wire_mixer(
    desk: Desk,
    page: TracesPage,
    mixed: Mixed,
    sliders: dict[str, gr.Slider],
    visitor: Callable[[gr.Request, Any], Visitor],
    fields: list[Any],
) -> None:
    """Let the form work with the sliders that were just drawn."""
    study, names = page.study, list(sliders)
    chosen = study.settings

    async def start(request: gr.Request, trace_id: str, stored: Any, *values: Any) -> dict[Any, Any]:
        who, form = visitor(request, stored), _form(names, values)
        return await forked(desk, study, who, trace_id, form, consent=consented(stored))

    def stand(*values: Any) -> dict[str, Any]:
        return dict(zip(names, values, strict=True))

    def setting(name: str) -> Any:
        return lambda: positions(preset(name, mixed.catalog), names)

    many: dict[str, Any] = QUIET | {"concurrency_limit": None}
    begun = [study.problem, study.begun]
    study.begin.click(start, [*fields, *sliders.values()], begun, **many)
    once: dict[str, Any] = many | {"trigger_mode": "always_last"}
    gr.on([each.change for each in sliders.values()], stand, list(sliders.values()), study.weights, **once)
    placed = [*sliders.values(), chosen.cost, chosen.latency, *chosen.budget]
    for name in NAMES:
        chosen.presets[name].click(setting(name), None, placed, **QUIET)
    chosen.neutral.click(
        lambda: [*positions(preset("balanced", mixed.catalog), names), [], False, 0],
        None,
        [*placed, chosen.vendors, chosen.soft, chosen.seed],
        **QUIET,
    )
