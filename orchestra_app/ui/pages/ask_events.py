"""What happens on the Ask page: every listener, and the mixer that is drawn per catalogue."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import gradio as gr

from orchestra_app.core.errors import OrchestraError
from orchestra_app.ui import choices
from orchestra_app.ui.asking import Desk, find
from orchestra_app.ui.consent import wire_consent
from orchestra_app.ui.follow import Watching, follow
from orchestra_app.ui.pages.ask import (
    QUIET,
    AskPage,
    busy,
    line,
    offered,
    refreshed,
    said,
    settled,
    started,
    validated,
    wished,
)
from orchestra_app.ui.pages.settings import mixer
from orchestra_app.ui.presets import NAMES, Preset, position, preset
from orchestra_app.ui.texts import TEXTS
from orchestra_app.ui.verdict import wire_verdict
from orchestra_app.ui.visitor import Visitor, new_token, token
from orchestra_app.ui.wish import Problem, Wish, problems

LINK = """(stored, problem) => {
  if (stored?.run && !problem) history.replaceState(null, '', `?run=${encodeURIComponent(stored.run)}`);
}"""
"""Writes the run that was begun into the address; what was refused leaves that of an earlier one."""

BUDGET = """(...values) => {
  const boxes = ['cost', 'seconds', 'turns'].map(name => document.querySelector(`#budget-${name} input`));
  return [...values.slice(0, 3), boxes.map(box => box?.value ? Number(box.value) : null)];
}"""
"""Reads the budget for an event whose input it is not: that would take away what is said about it."""


def wire_ask(blocks: gr.Blocks, desk: Desk, page: AskPage, *, tab: gr.Tab) -> None:
    """Let the page work; `tab` is its own."""
    watching = Watching()

    def visitor(request: gr.Request, stored: Any) -> Visitor:
        return desk.door.visitor(request, token(stored))

    async def arrive(request: gr.Request, stored: Any) -> dict[Any, Any]:
        return await arrived(desk, page, request, stored)

    async def attach(request: gr.Request, run_id: str, stored: Any) -> AsyncGenerator[dict[Any, Any]]:
        session, given = str(request.session_hash), False
        try:
            # What is refused leaves the page as it is.
            if run_id and session not in page.troubles:
                who, watched = visitor(request, stored), watching.begin(session)
                async with aclosing(follow(desk, who, run_id, page.view)) as shown:
                    async for values in shown:
                        if not watched():
                            break
                        given = True
                        yield values
        except OrchestraError as error:
            page.troubles[session] = str(error)
        if not given:
            # A generator that yields nothing would empty its outputs.
            yield {page.view.head: gr.skip()}

    def settle(request: gr.Request, run_id: str, stored: Any) -> dict[Any, Any]:
        return settled(desk, page, visitor(request, stored), run_id)

    def running(request: gr.Request, run_id: str, stored: Any) -> bool:
        run = desk.workspace.runs.get(run_id, visitor(request, stored).sees)
        return run is not None and not run.done

    async def attach_again(request: gr.Request, run_id: str, stored: Any) -> AsyncGenerator[dict[Any, Any]]:
        yield {page.view.head: gr.skip()}
        if running(request, run_id, stored):
            async with aclosing(attach(request, run_id, stored)) as shown:
                async for values in shown:
                    yield values

    def free(request: gr.Request, run_id: str, stored: Any) -> dict[Any, Any]:
        return busy(page, running(request, run_id, stored))

    async def refresh(request: gr.Request, name: str, stored: Any) -> dict[Any, Any]:
        return await refreshed(desk, page, visitor(request, stored), name)

    async def offer(name: str, policy: Any) -> dict[Any, Any]:
        return await offered(desk, page, name, policy)

    async def foresee(request: gr.Request, name: str, policy: Any, stored: Any, budget: Any) -> Any:
        usd, seconds, turns = budget if isinstance(budget, list) and len(budget) == 3 else [None] * 3
        wish = Wish(budget_cost=usd, budget_seconds=seconds, budget_turns=turns)
        if any(problem.where != "question" for problem in wrong(desk, wish, name)):
            return gr.skip()
        return await line(desk, visitor(request, stored), wish, name, policy, learn=True)

    async def stop(request: gr.Request, run_id: str, stored: Any) -> None:
        if run := desk.workspace.runs.get(run_id, visitor(request, stored).owner):
            run.halt()

    async def skip(request: gr.Request, run_id: str, stored: Any) -> None:
        if run := desk.workspace.runs.get(run_id, visitor(request, stored).owner):
            run.skip()

    def leave(request: gr.Request) -> None:
        session = str(request.session_hash)
        watching.forget(session)
        page.troubles.pop(session, None)
        page.unasked.discard(session)

    menus = [
        page.mixed,
        page.mixing,
        page.settings.policy,
        page.settings.vendors,
        page.examples,
        page.route,
        page.problem,
    ]
    here = [page.current, page.browser]
    many: dict[str, Any] = QUIET | {"concurrency_limit": None}
    arriving = [page.browser, page.current, page.question, page.settings.catalog, *page.state]

    def follow_on(begun: Any) -> None:
        # Those that are drawn with the mixer are not in what `app.build` goes through.
        each: dict[str, Any] = many | {"trigger_mode": "multiple"}
        shown = begun.then(attach, here, page.view.outputs, postprocess=False, **each)
        shown.then(settle, here, page.state, **each)

    follow_on(blocks.load(arrive, [page.browser], arriving, **many))
    learned = [page.settings.catalog, page.settings.policy, page.browser, page.route]
    arrived_menus = blocks.load(refresh, [page.settings.catalog, page.browser], menus, **many)
    arrived_menus.then(foresee, learned, page.route, js=BUDGET, **many)
    blocks.unload(leave)
    changed = page.settings.catalog.change(refresh, [page.settings.catalog, page.browser], menus, **many)
    changed.then(foresee, learned, page.route, js=BUDGET, **many)
    # With the old catalogue's form go the events that followed its run.
    again = changed.then(attach_again, here, page.view.outputs, postprocess=False, **many)
    again.then(free, here, [page.ask, page.stop], **QUIET)
    # Of two that wait until the other is done, each would wake the other for ever.
    page.settings.catalog.change(lambda: None, None, page.problem, trigger_mode="multiple", **QUIET)
    picked = [page.settings.catalog, page.settings.policy]
    tab.select(offer, picked, [page.settings.policy, page.problem], **many)
    page.stop.click(stop, here, None, **QUIET)
    page.view.live.skip(skip, here, None, **QUIET)
    for kind, button in page.kinds.items():
        button.click(lambda kind=kind: choices.example(kind), None, page.question, **QUIET)
    wire_verdict(desk, page.view, page.current, page.browser)
    wire_consent(blocks, page.consent, page.browser)
    with page.settings.mixer:

        @gr.render(page.mixed, triggers=[page.mixing.change], show_progress="hidden")
        def draw(mixed: Any) -> None:
            if mixed:
                catalog = desk.workspace.catalog(mixed["catalog"])
                sliders = mixer(catalog, mixed["obstacles"], TEXTS[mixed["language"]])
                _wire_form(desk, page, sliders, follow_on)


def _wire_form(desk: Desk, page: AskPage, sliders: dict[str, gr.Slider], follow_on: Any) -> None:
    """Let the form work with the sliders that were just drawn; `follow_on` shows the run that it begins."""
    names, chosen = list(sliders), page.settings
    form = [page.question, *chosen.fixed, *sliders.values(), chosen.catalog, chosen.policy, page.browser]

    def sent(values: tuple[Any, ...]) -> tuple[Any, tuple[Any, Any], dict[str, Any]]:
        *fields, catalog, policy, stored = values
        return wished(names, tuple(fields)), (catalog, policy), stored if isinstance(stored, dict) else {}

    async def start(request: gr.Request, *values: Any) -> dict[Any, Any]:
        wish, asked, stored = sent(values)
        return await started(desk, page, desk.door.visitor(request, token(stored)), asked, stored, wish)

    def check(request: gr.Request, *values: Any) -> list[dict[str, Any]]:
        wish, (catalog, _), stored = sent(values)
        who = desk.door.visitor(request, token(stored))
        found = wrong(desk, wish, catalog)
        unasked = any(problem.text == "no_question" for problem in found)
        (page.unasked.add if unasked else page.unasked.discard)(who.page)
        return validated(found, TEXTS[who.language], len(values))

    def check_settings(request: gr.Request, question: Any, *values: Any) -> list[dict[str, Any]]:
        # Whoever moves a slider first has not forgotten the question, until it was asked without one.
        told = str(request.session_hash) in page.unasked
        return check(request, question if told else question or "?", *values)

    async def estimate(request: gr.Request, *values: Any) -> dict[str, Any] | None:
        wish, (catalog, policy), stored = sent(values)
        return await line(desk, desk.door.visitor(request, token(stored)), wish, catalog, policy)

    many: dict[str, Any] = QUIET | {"concurrency_limit": None}
    changed = [page.current, page.browser, *page.state, *page.view.emptied]
    begun = page.ask.click(start, form, changed, validator=check, **many)
    begun.success(None, [page.browser, page.problem], None, js=LINK, **QUIET)
    follow_on(begun)
    moved = [*sliders.values(), chosen.soft, chosen.cost, chosen.latency, *chosen.budget, page.question]
    # A new catalogue changes the menus as well, and by then the listeners of the old sliders are gone.
    picked = [chosen.policy.input, chosen.vendors.input]
    # An event takes away what was said about its inputs, so this one says it again. Gradio would prepare each
    # of the many values in a thread, before what checks them all.
    often = many | {"trigger_mode": "always_last", "preprocess": False, "validator": check_settings}
    gr.on([*(each.change for each in moved), *picked], estimate, form, page.route, **often)
    _wire_presets(desk, page, sliders).then(estimate, form, page.route, **often)


def _wire_presets(desk: Desk, page: AskPage, sliders: dict[str, gr.Slider]) -> Any:
    """Let the presets set the form; returns what happens when it is made neutral."""
    chosen = page.settings
    outputs = [*sliders.values(), chosen.cost, chosen.latency, *chosen.budget]

    def setting(name: str) -> Any:
        def set_all(catalog: str) -> list[Any]:
            return positions(preset(name, desk.workspace.catalog(catalog)), list(sliders))

        return set_all

    for name in NAMES:
        chosen.presets[name].click(setting(name), chosen.catalog, outputs, **QUIET)
    rest = [chosen.vendors, chosen.soft, chosen.seed]
    return chosen.neutral.click(
        lambda: [*positions(preset("balanced", desk.workspace.catalog()), list(sliders)), [], False, 0],
        None,
        [*outputs, *rest],
        **QUIET,
    )


def wrong(desk: Desk, wish: Wish, catalog: str) -> list[Problem]:
    """Return what is wrong with a wish; what is wrong with its catalogue is said elsewhere."""
    try:
        return problems(wish, desk.workspace.catalog(catalog))
    except OrchestraError:
        return []


def positions(chosen: Preset, names: list[str]) -> list[Any]:
    """Return where a preset puts every slider, what matters and the budget."""
    return [*(position(chosen, name) for name in names), chosen.cost, chosen.latency, *chosen.budget]


async def arrived(desk: Desk, page: AskPage, request: gr.Request, stored: Any) -> dict[Any, Any]:
    """Return what an opened page starts with: the browser's secret, the menu, and the run it shows."""
    kept = stored if isinstance(stored, dict) and token(stored) else {"token": new_token()}
    visitor = desk.door.visitor(request, token(kept))
    values: dict[Any, Any] = {
        page.browser: kept,
        page.settings.catalog: gr.Dropdown(await choices.catalogs(desk)),
        page.current: "",
    }
    wanted = dict(request.query_params).get("run")
    if not wanted:
        run = desk.workspace.runs.get(str(kept.get("run")), visitor.owner)
        running = run is not None and not run.done
        return values | {page.current: run.id if run and running else "", **busy(page, running)}
    try:
        trace = await find(desk, visitor, wanted)
    except OrchestraError as error:
        return values | {page.problem: said(str(error))}
    shown = {page.current: trace.id, page.question: trace.task.question}
    return values | shown | busy(page, trace.status == "running")
