"""What the Frontier page shows: the figures of a sweep or of labelled traces, and how a sweep goes."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

import gradio as gr

from orchestra_app.core.errors import ConfigError, OrchestraError
from orchestra_app.frontier.definition import Sweep
from orchestra_app.frontier.gather import Gathered
from orchestra_app.frontier.report import Report
from orchestra_app.ui import choices, comparison
from orchestra_app.ui.asking import Desk
from orchestra_app.ui.charts import drawable, frontier_chart
from orchestra_app.ui.drawings import Drawing, Drawings, Names
from orchestra_app.ui.links import link
from orchestra_app.ui.markup import moment, tag
from orchestra_app.ui.pages.ask import said
from orchestra_app.ui.pages.frontier import FrontierPage
from orchestra_app.ui.pages.frontier_told import ended, going, told
from orchestra_app.ui.sheet import parts
from orchestra_app.ui.sweeping import LABELLED, every_saved, left, permitted, saved
from orchestra_app.ui.texts import TEXTS
from orchestra_app.ui.visitor import Visitor

Texts = Mapping[str, str]
FEW, GROWN = 20, 1.5
"""Runs with which a sweep's first figures are drawn, and by how much more they are drawn anew."""


async def drawn(
    drawings: Drawings, page: FrontierPage, visitor: Visitor, names: Names, *, anew: bool = False
) -> dict[Any, Any]:
    """Return the figure, the table and what belongs to them; `anew`: as it stands now."""
    texts = TEXTS[visitor.language]
    try:
        drawing = await drawings.get(visitor, names, anew=anew)
        made = await _made(drawings.desk, visitor, names)
    except OrchestraError as error:
        return _empty(page) | {page.problem: said(str(error))}
    if drawing is None:
        why = texts["frontier_empty_labelled" if names[0] == LABELLED else "frontier_empty_sweep"]
        return _empty(page) | {page.table: parts("empty", tag("p", why, class_="empty"))}
    found = drawing.found
    figure = await _figure(drawings, visitor, drawing)
    # What was picked while this was computed is on the page already.
    picked = drawings.picked(visitor, names)
    return _empty(page) | {
        page.chart: figure,
        page.card: gr.Column(visible=figure is not None),
        page.caption: _caption(found, texts, drawn=figure is not None),
        page.table: _table(found, texts, picked=picked),
        page.details: _details(drawing, made, picked, texts),
        page.health: parts("health", comparison.health_table(found, texts)),
        page.health_box: gr.Accordion(visible=True, open=_alarmed(found)),
    }


async def turned(drawings: Drawings, page: FrontierPage, visitor: Visitor, names: Names) -> dict[Any, Any]:
    """Return the figure against the axis that the page has now."""
    try:
        drawing = await drawings.get(visitor, names, anew=False)
    except OrchestraError as error:
        return {page.problem: said(str(error))}
    if drawing is None:
        return {page.chart: None}
    return {page.chart: await _figure(drawings, visitor, drawing)}


async def _figure(drawings: Drawings, visitor: Visitor, drawing: Drawing) -> Any:
    texts = TEXTS[visitor.language]
    return await asyncio.to_thread(frontier_chart, drawing.found, drawings.axis(visitor), texts)


async def beside(
    drawings: Drawings, page: FrontierPage, visitor: Visitor, names: Names, setting: Any
) -> dict[Any, Any]:
    """Return one setting beside all others; a setting that is none closes it."""
    texts, setting = TEXTS[visitor.language], str(setting)
    try:
        drawing = await drawings.get(visitor, names, anew=False)
        made = await _made(drawings.desk, visitor, names)
    except OrchestraError as error:
        return {page.problem: said(str(error))}
    if drawing is None:
        return {page.details: None}
    details = _details(drawing, made, setting, texts)
    drawings.pick(visitor, names, setting if details else "")
    return {page.table: _table(drawing.found, texts, picked=setting), page.details: details}


async def _made(desk: Desk, visitor: Visitor, names: Names) -> Sweep | None:
    """Return the sweep that is shown, None for labels; raises ConfigError for what is not theirs."""
    return None if names[0] == LABELLED else await saved(desk, visitor, names[0])


def _details(drawing: Drawing, made: Sweep | None, setting: str, texts: Texts) -> dict[str, Any] | None:
    where = traces_link(setting, made, drawing.gathered)
    shown = comparison.details(drawing.found, setting, drawing.gathered.rows, texts, link=where)
    return None if shown is None else parts(f"details {setting}", shown)


def traces_link(setting: str, made: Sweep | None, runs: Gathered) -> str:
    """Return the address of the list of traces of one setting, "" where there is no such setting."""
    subject = runs.subject
    if setting not in subject.policies:
        return ""
    one = {"policy": subject.policies[setting], "setting": subject.wishes[setting]}
    if made is None:
        return link(**one, catalog=subject.catalog.name, verdict="decided")
    return link(**one, group=f"{made.group}*", status="finished")


async def arrived(
    desk: Desk,
    page: FrontierPage,
    visitor: Visitor,
    names: Names,
    policies: Any,
    *,
    launched: str | None = None,
) -> dict[Any, Any]:
    """Return the menus for a visitor and a catalogue: their sweeps, and the form if they may launch one.

    policies: those that are chosen; they stay where they can be used. launched: the sweep to turn to.
    """
    source, catalog = names
    texts = TEXTS[visitor.language]
    try:
        known, entries = desk.workspace.catalog(catalog), await desk.workspace.policies(catalog)
        mine = await every_saved(desk, visitor, known.name)
    except OrchestraError as error:
        return {page.problem: said(str(error))}
    offered = [(texts["frontier_labelled"], LABELLED), *((_titled(each), each.id) for each in mine)]
    running = desk.sweeps.running()
    wanted = launched or (running and running.definition.id)
    if wanted in {name for _, name in offered}:
        menu = gr.Dropdown(offered, value=wanted)
    else:
        menu = choices.menu(offered, source, LABELLED)
    usable = choices.policies([entry for entry in entries if entry.reason is None])
    still = [name for _, name in usable if isinstance(policies, list) and name in policies]
    return {
        page.source: menu,
        page.form.box: gr.Accordion(visible=_may(desk, visitor, known.name)),
        page.form.policies: choices.menu(usable, policies, still or [name for _, name in usable[:1]]),
    }


async def attached(
    drawings: Drawings, page: FrontierPage, visitor: Visitor, names: Names
) -> AsyncGenerator[dict[Any, Any]]:
    """Yield how the sweep that is shown goes, until it is done and drawn, or what is left of it."""
    desk, texts, source = drawings.desk, TEXTS[visitor.language], names[0]
    known = drawings.runs(visitor, names)
    still = {page.stop: gr.Button(visible=False), page.resume: gr.Button(visible=False)}
    if source == LABELLED:
        yield still | {page.progress: None}
        return
    try:
        made = await saved(desk, visitor, source)
        underway = desk.sweeps.get(made.id)
        if underway is None:
            yield still | await _standing(desk, page, visitor, made)
            return
        async with aclosing(desk.sweeps.watch(underway)) as changes:
            async for one in changes:
                if not one.done:
                    far = still | {page.progress: going(one, texts), page.stop: gr.Button(visible=True)}
                    yield far
                    if (grown := len(one.rows)) >= GROWN * max(known, FEW):
                        known = grown
                        yield far | await _anew(drawings, page, visitor, names)
    except OrchestraError as error:
        yield still | {page.progress: said(str(error))}
        return
    finished = underway.ended is not None and underway.ended.status == "done"
    again = gr.Button(visible=not finished and _may(desk, visitor, made.catalog.name))
    end = still | {page.progress: ended(underway, texts), page.resume: again}
    yield end
    if known != len(underway.rows):
        # A page may miss an update that the next one overtakes.
        yield end | await _anew(drawings, page, visitor, names)


async def _anew(drawings: Drawings, page: FrontierPage, visitor: Visitor, names: Names) -> dict[Any, Any]:
    shown = await drawn(drawings, page, visitor, names, anew=True)
    shown.pop(page.problem, None)
    return shown


async def _standing(desk: Desk, page: FrontierPage, visitor: Visitor, made: Sweep) -> dict[Any, Any]:
    texts, rest = TEXTS[visitor.language], await left(desk, made)
    if not rest:
        return {page.progress: None}
    line = texts["frontier_left"].format(left=f"{rest:,}", total=f"{made.total:,}")
    may = _may(desk, visitor, made.catalog.name)
    return {page.progress: told(line), page.resume: gr.Button(visible=may)}


def _empty(page: FrontierPage) -> dict[Any, Any]:
    return {
        page.chart: None,
        page.card: gr.Column(visible=False),
        page.caption: None,
        page.table: None,
        page.details: None,
        page.health: None,
        page.health_box: gr.Accordion(visible=False),
        page.problem: None,
    }


def _caption(found: Report, texts: Texts, *, drawn: bool) -> dict[str, Any]:
    said_ = found.provenance(texts)
    return parts(
        "caption",
        tag("p", texts["frontier_legend"], class_="legend") if drawn else "",
        tag("p", said_, class_="provenance"),
        tag("p", comparison.csv_link(found, texts, said=said_)),
    )


def _table(found: Report, texts: Texts, *, picked: str) -> dict[str, Any]:
    notes = [tag("p", note.said(texts), class_="notice") for note in found.notes]
    if not drawable(found):
        notes.append(tag("p", texts["frontier_few"], class_="notice"))
        notes.append(tag("p", found.provenance(texts), class_="provenance"))
    hint = tag("p", texts["frontier_pick_hint"], class_="quiet")
    return parts("table", comparison.table(found, texts, picked=picked), tag("div", *notes), hint)


def _alarmed(found: Report) -> bool:
    return any(line.models.alarm or line.routing.alarm for line in found.lines)


def _titled(made: Sweep) -> str:
    return f"{made.title} · {moment(made.created_at)} · {len(made.questions)} × {len(made.settings)}"


def _may(desk: Desk, visitor: Visitor, catalog: str) -> bool:
    try:
        permitted(desk, visitor, catalog)
    except ConfigError:
        return False
    return True
