"""What happens on the Frontier page: every listener."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import gradio as gr

from orchestra_app.core.errors import OrchestraError
from orchestra_app.ui.asking import Desk
from orchestra_app.ui.drawings import Drawings
from orchestra_app.ui.follow import Watching
from orchestra_app.ui.pages.ask import QUIET, said
from orchestra_app.ui.pages.frontier import FrontierPage
from orchestra_app.ui.pages.frontier_shown import (
    arrived,
    attached,
    beside,
    drawn,
    turned,
)
from orchestra_app.ui.pages.frontier_told import plan_shown, preparing
from orchestra_app.ui.sweeping import Form, Planned, launched, planned, resumed
from orchestra_app.ui.texts import TEXTS
from orchestra_app.ui.visitor import Visitor, token

CLICKS = """() => {
  // The chart has no event of its own for a click on a point: it presses the button of the same setting.
  const press = clicked => {
    const setting = clicked.points[0]?.customdata;
    [...document.querySelectorAll('#frontier-table [data-action=pick]')]
      .find(button => button.dataset.id === setting)?.click();
  };
  document.addEventListener('pointerover', event => {
    const plot = event.target.closest?.('#frontier-chart .js-plotly-plot');
    if (!plot?.on) return;
    // Plotly may lose its listeners where it draws twice in a row.
    plot.removeAllListeners('plotly_click');
    plot.on('plotly_click', press);
  }, true);
}"""
FIT = """() => {
  // What is drawn while its tab is hidden has a width of Plotly's own.
  const fit = () => {
    const plot = document.querySelector('#frontier-chart .js-plotly-plot'), wide = plot?.offsetWidth;
    if (wide && window.Plotly && plot._fullLayout?.width !== wide) window.Plotly.Plots.resize(plot);
  };
  const look = () => {
    const page = document.querySelector('.frontier');
    if (!page) return requestAnimationFrame(look);
    if (!page.dataset.fits) new ResizeObserver(fit).observe(page);
    page.dataset.fits = 'yes';
  };
  look();
}"""
PNG = """() => {
  const plot = document.querySelector('#frontier-chart .js-plotly-plot');
  if (!plot || !window.Plotly) return;
  const named = plot.data.map(each => each.customdata
    ? { ...each, text: each.customdata, textposition: 'top center', marker: { ...each.marker, size: 10 },
        textfont: { size: 11, color: '#171b24' } } : each);
  const lines = [''];
  for (const word of (plot.layout.meta?.provenance || '').split(' ')) {
    const longer = `${lines.at(-1)} ${word}`.trim();
    if (longer.length > 130) lines.push(word); else lines[lines.length - 1] = longer;
  }
  const note = { text: lines.join('<br>'), x: 0, y: -0.16, xref: 'paper', yref: 'paper', showarrow: false,
                 align: 'left', xanchor: 'left', yanchor: 'top', font: { size: 11 } };
  const size = { width: 1100, height: 700 };
  const layout = { ...plot.layout, ...size, paper_bgcolor: '#ffffff', plot_bgcolor: '#ffffff',
                   margin: { l: 70, r: 30, t: 40, b: 120 },
                   annotations: [...(plot.layout.annotations || []), note] };
  const options = { ...size, format: 'png', scale: 2, filename: 'frontier' };
  window.Plotly.downloadImage({ data: named, layout }, options);
}"""


def wire_frontier(blocks: gr.Blocks, desk: Desk, page: FrontierPage, *, tab: gr.Tab) -> None:
    """Let the page work; `tab` is its own."""
    watching, drawings, unchanged = Watching(), Drawings(desk), {page.problem: gr.skip()}
    form = page.form

    def visitor(request: gr.Request, stored: Any) -> Visitor:
        return desk.door.visitor(request, token(stored))

    async def arrive(
        request: gr.Request, stored: Any, source: Any, catalog: Any, policies: Any
    ) -> dict[Any, Any]:
        return await arrived(desk, page, visitor(request, stored), (source, catalog), policies)

    async def attach(
        request: gr.Request, stored: Any, source: Any, catalog: Any
    ) -> AsyncGenerator[dict[Any, Any]]:
        yield unchanged
        who, named = visitor(request, stored), f"{source} {catalog}"
        if watching.asked(who.page) != named:
            return
        watched = watching.begin(who.page, named)
        async with aclosing(attached(drawings, page, who, (source, catalog))) as shown:
            async for values in shown:
                if not watched():
                    return
                yield values

    async def draw(request: gr.Request, stored: Any, source: Any, catalog: Any, axis: Any) -> dict[Any, Any]:
        who, named = visitor(request, stored), f"{source} {catalog}"
        watching.begin(who.page, named)
        drawings.turn(who, axis)
        found = await drawn(drawings, page, who, (source, catalog), anew=True)
        # Another may have been chosen and drawn since.
        return found if watching.asked(who.page) == named else unchanged

    async def turn(request: gr.Request, stored: Any, source: Any, catalog: Any, axis: Any) -> dict[Any, Any]:
        who = visitor(request, stored)
        drawings.turn(who, axis)
        return await turned(drawings, page, who, (source, catalog))

    async def pick(
        request: gr.Request, stored: Any, source: Any, catalog: Any, event: gr.EventData
    ) -> dict[Any, Any]:
        asked = event._data if isinstance(event._data, dict) else {}
        return await beside(drawings, page, visitor(request, stored), (source, catalog), asked.get("id"))

    async def plan(request: gr.Request, *values: Any) -> dict[Any, Any]:
        who, sent = _sent(desk, request, values)
        if not who.admin:
            return {form.plan: None, form.sure: gr.Row(visible=False)}
        try:
            shown = plan_shown(await planned(desk, who, sent), TEXTS[who.language])
        except OrchestraError as error:
            shown = said(str(error))
        return {form.plan: shown, form.sure: gr.Row(visible=False)}

    def launching(sure: bool) -> Any:
        async def launch(request: gr.Request, *values: Any) -> dict[Any, Any]:
            who, sent = _sent(desk, request, values)
            try:
                begun = await launched(desk, who, sent, sure=sure)
            except OrchestraError as error:
                return {form.plan: said(str(error)), form.sure: gr.Row(visible=False)}
            if isinstance(begun, Planned):
                return {form.plan: plan_shown(begun, TEXTS[who.language]), form.sure: gr.Row(visible=True)}
            made = begun.definition
            names = made.id, made.catalog.name
            here = await arrived(desk, page, who, names, sent.policies, launched=made.id)
            # It can be stopped before its first figures are drawn.
            under_way = {page.stop: gr.Button(visible=True), page.progress: preparing(TEXTS[who.language])}
            return here | under_way | {form.sure: gr.Row(visible=False), page.problem: None}

        return launch

    async def resume(request: gr.Request, stored: Any, source: Any, cap: Any) -> dict[Any, Any]:
        try:
            await resumed(desk, visitor(request, stored), source, cap)
        except OrchestraError as error:
            return {page.problem: said(str(error))}
        return {page.problem: None}

    async def stop(request: gr.Request, stored: Any, source: Any) -> None:
        found = desk.sweeps.get(str(source), visitor(request, stored).sees)
        if found:
            found.stop.set()

    def leave(request: gr.Request) -> None:
        watching.forget(str(request.session_hash))
        drawings.forget(str(request.session_hash))

    many: dict[str, Any] = QUIET | {"concurrency_limit": None}
    here = [page.browser, page.source, page.catalog]
    menus = [page.source, form.box, form.policies, page.problem]
    state = [page.progress, page.stop, page.resume, page.problem]
    picture = [page.chart, page.card, page.caption, page.table, page.details, page.health, page.health_box,
               page.problem]  # fmt: skip
    sent = [page.browser, page.catalog, *form.fields]

    def followed(begun: Any) -> None:
        """Show a sweep from then on until it is done, and its figures."""
        pictured = begun.then(draw, [*here, page.axis], picture, **many)
        pictured.then(attach, here, [*state, *picture[:-1]], **many)

    blocks.load(None, None, None, js=CLICKS, **QUIET)
    blocks.unload(leave)
    tab.select(None, None, None, js=FIT, **QUIET)
    followed(tab.select(arrive, [*here, form.policies], menus, **many))
    followed(page.catalog.input(arrive, [*here, form.policies], menus, **many))
    followed(page.source.input(lambda: None, None, page.problem, **QUIET))
    page.axis.input(turn, [*here, page.axis], [page.chart, page.problem], **many)
    page.table.select(pick, here, [page.table, page.details, page.problem], trigger_mode="multiple", **many)
    page.png.click(None, None, None, js=PNG, **QUIET)
    changed = [field.change for field in form.fields] + [page.catalog.change]
    gr.on(changed, plan, sent, [form.plan, form.sure], trigger_mode="always_last", **many)
    form.questions.input(lambda chosen: gr.File(visible=chosen == "file"), form.questions, form.file, **QUIET)
    for button, sure in ((form.launch, False), (form.yes, True)):
        followed(
            button.click(
                launching(sure), sent, [*menus, form.plan, form.sure, page.stop, page.progress], **many
            )
        )
    form.no.click(lambda: gr.Row(visible=False), None, form.sure, **QUIET)
    followed(page.resume.click(resume, [page.browser, page.source, form.cap], page.problem, **many))
    page.stop.click(stop, [page.browser, page.source], None, **QUIET)


def _sent(desk: Desk, request: gr.Request, values: tuple[Any, ...]) -> tuple[Visitor, Form]:
    """Return who sent a form, and the form."""
    stored, catalog, *fields = values
    return desk.door.visitor(request, token(stored)), formed(catalog, fields)


def formed(catalog: Any, fields: list[Any]) -> Form:
    """Return the form that the values of the page's fields make."""
    asked, file, limit, policies, presets, budgets, seconds, turns, repeats, cap, seed, concurrency = fields
    return Form(
        questions=asked,
        file=file,
        limit=limit,
        catalog=catalog,
        policies=policies,
        presets=presets,
        budgets=budgets,
        seconds=seconds,
        turns=turns,
        repeats=repeats,
        cap=cap,
        seed=0 if seed is None else seed,
        concurrency=concurrency,
    )
