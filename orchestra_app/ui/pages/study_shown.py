"""What the studies of an opened trace show: small functions of values."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import gradio as gr
from markupsafe import Markup

from orchestra_app.core.catalog import Catalog
from orchestra_app.core.errors import ConfigError, OrchestraError
from orchestra_app.core.task import Preference
from orchestra_app.core.trace import Trace, Turn, called
from orchestra_app.frontier.repricing import price_table
from orchestra_app.orchestrator.fork import Fork, last_turn
from orchestra_app.ui import choices, whatif
from orchestra_app.ui.asking import Desk, begin, find, look
from orchestra_app.ui.compare import comparison
from orchestra_app.ui.family import choices as relatives
from orchestra_app.ui.family import family
from orchestra_app.ui.markup import dollars, seconds, tag
from orchestra_app.ui.pages.ask import said
from orchestra_app.ui.pages.settings import vendors
from orchestra_app.ui.pages.study import Study, turns_to
from orchestra_app.ui.sheet import parts
from orchestra_app.ui.texts import TEXTS
from orchestra_app.ui.visitor import Visitor
from orchestra_app.ui.wish import Wish, problems

Texts = Mapping[str, str]
BOOKED = ""
"""The price table of what was booked."""


@dataclass
class Mixed:
    """What the mixer of an opened trace is drawn for."""

    catalog: Catalog
    """The snapshot that the trace names."""
    obstacles: Mapping[str, str]
    weights: Mapping[str, float]
    language: str


@dataclass(frozen=True, slots=True)
class Form:
    """The studies' fields as they were sent; nothing in them is believed before it is checked."""

    wish: Wish
    policy: Any
    turn: Any
    cells: Any
    """The rows of the price table."""


def hidden(study: Study) -> dict[Any, Any]:
    """Return what the studies show while no trace is opened that they could be about."""
    return {
        study.family: None,
        study.waiting: gr.Row(visible=False),
        study.tools: gr.Column(visible=False),
        study.mixed: None,
        study.mixing: None,
    }


def under_way(study: Study) -> dict[Any, Any]:
    """Return what the studies show of a run that is not over."""
    return hidden(study) | {study.waiting: gr.Row(visible=True)}


async def opened(desk: Desk, study: Study, visitor: Visitor, trace_id: str) -> dict[Any, Any]:
    """Return the studies of a trace that is over, with its own settings; raises OrchestraError."""
    texts, workspace = TEXTS[visitor.language], desk.workspace
    trace = await look(desk, visitor, trace_id)
    kin = await workspace.store.kin(trace.id, visitor.sees)
    known = await workspace.store.catalog(trace.catalog.hash)
    wish = Wish(
        question=trace.task.question,
        budget_cost=trace.task.budget.cost,
        budget_seconds=trace.task.budget.seconds,
        budget_turns=trace.task.budget.turns,
        **_sliders(trace.task.preference),
    )
    turns = _turns(trace, texts)
    second = turns[:2][-1][1]
    form = Form(wish, trace.policy, second, whatif.rows(trace, whatif.booked(trace)))
    mixed, chosen = await _mixed(desk, visitor, trace, known), study.settings
    names = [trace.policy] if mixed is None else [*await _policies(desk, trace)]
    return {
        study.family: parts(trace.id, family(trace, kin, texts)),
        study.waiting: gr.Row(visible=False),
        study.tools: gr.Column(visible=True),
        study.turn: gr.Dropdown(turns, value=second),
        study.begin: gr.Button(visible=trace.owner == visitor.owner, interactive=mixed is not None),
        study.problem: None,
        study.table: gr.Dropdown([(texts["study_as_booked"], BOOKED), *_tables(desk)], value=BOOKED),
        study.grid: _grid(form.cells, texts),
        study.other: gr.Dropdown(relatives(kin, texts), value=None),
        study.compared: None,
        study.mixed: mixed,
        study.mixing: parts(uuid4().hex),
        study.weights: dict(trace.task.preference.weights),
        chosen.policy: gr.Dropdown(names, value=trace.policy),
        **dict(zip(chosen.fixed, _fixed(trace, known), strict=True)),
        **await supposed(desk, study, visitor, trace_id, form),
    }


def _sliders(preference: Preference) -> dict[str, Any]:
    return {
        "weights": preference.weights,
        "excluded": preference.excluded,
        "soft": preference.soft,
        "cost": preference.cost,
        "latency": preference.latency,
    }


def _fixed(trace: Trace, known: Catalog | None) -> list[Any]:
    """Return the values of `Settings.fixed` that a trace had."""
    wish, budget = trace.task.preference, trace.task.budget
    named = vendors(known) if known else []
    named += [(name, name) for name in wish.excluded if name not in dict(named).values()]
    excluded = gr.Dropdown(named, value=list(wish.excluded), multiselect=True)
    return [
        excluded, wish.soft, wish.cost, wish.latency, budget.cost, budget.seconds, budget.turns, trace.seed
    ]  # fmt: skip


def _turns(trace: Trace, texts: Texts) -> list[tuple[str, int]]:
    """Return the turns from which a trace can be forked."""
    found = []
    for turn in range(1, last_turn(trace) + 1):
        if turn > len(trace.turns):
            said = texts["study_turn_past"].format(turn=turn)
        elif turn == 1:
            said = texts["study_turn_first"]
        else:
            said = texts["study_turn_choice"].format(turn=turn, calls=_calls(trace.turns[turn - 1], texts))
        found.append((said, turn))
    return found


def _calls(turn: Turn, texts: Texts) -> str:
    return ", ".join(map(called, turn.reply.calls)) or texts["no_call"]


async def _policies(desk: Desk, trace: Trace) -> list[tuple[str, str]]:
    found = choices.policies(await desk.workspace.policies(trace.catalog.name))
    return found if trace.policy in dict(found).values() else [*found, (trace.policy, trace.policy)]


async def _mixed(desk: Desk, visitor: Visitor, trace: Trace, known: Catalog | None) -> Mixed | None:
    """Return what the mixer is drawn for; None where the trace's catalogue is not kept or has changed."""
    with suppress(ConfigError):
        if known and desk.workspace.catalog(trace.catalog.name).hash == known.hash:
            obstacles = await desk.workspace.parts(trace.catalog.name).obstacles()
            return Mixed(known, obstacles, trace.task.preference.weights, visitor.language)
    return None


def _tables(desk: Desk) -> list[tuple[str, str]]:
    found = []
    for name in desk.workspace.catalogs:
        with suppress(OrchestraError):
            found.append((desk.workspace.catalog(name).title, name))
    return found


def _grid(cells: list[list[Any]], texts: Texts) -> dict[str, Any]:
    headers = [texts[f"study_rate_{name}"] for name in ("name", *whatif.RATES)]
    return {"headers": headers, "data": cells}


async def filled(desk: Desk, study: Study, visitor: Visitor, trace_id: Any, table: Any) -> dict[Any, Any]:
    """Return the grid filled with another table's prices, or with those that were booked."""
    try:
        trace = await look(desk, visitor, trace_id)
        prices = whatif.booked(trace) if table == BOOKED else price_table(desk.workspace.catalog(str(table)))
    except OrchestraError as error:
        return {study.bill: said(str(error))}
    return {study.grid: _grid(whatif.rows(trace, prices), TEXTS[visitor.language])}


async def supposed(desk: Desk, study: Study, visitor: Visitor, trace_id: Any, form: Form) -> dict[Any, Any]:
    """Return what a fork would take over, how the run looks under the form, and what it would have cost."""
    texts = TEXTS[visitor.language]
    try:
        trace = await look(desk, visitor, trace_id)
        known = await desk.workspace.store.catalog(trace.catalog.hash)
    except OrchestraError as error:
        return {study.judged: said(str(error)), study.plan: None, study.bill: None}
    costs: list[float] | None = None
    try:
        bill, costs = whatif.bill(trace, whatif.read(trace, form.cells), texts)
    except whatif.BadRate as wrong:
        rate = texts[f"study_rate_{wrong.rate}"]
        bill = tag(
            "p",
            texts["study_bad_rate"].format(name=wrong.name, rate=rate, value=wrong.value),
            class_="problem",
            role="alert",
        )
    return {
        study.plan: parts("plan", _plan(desk, trace, form, texts)),
        study.judged: parts("judged", _judged(trace, form.wish, known, texts, costs)),
        study.bill: parts("bill", bill),
    }


def _plan(desk: Desk, trace: Trace, form: Form, texts: Texts) -> Markup:
    try:
        fork = Fork(trace, form.turn)
        same = desk.workspace.catalog(trace.catalog.name).hash == trace.catalog.hash
    except ConfigError as error:
        return tag("p", str(error), class_="problem")
    if not same:
        return tag("p", texts["study_plan_catalog"].format(name=trace.catalog.name), class_="problem")
    if not fork.turns:
        return tag("p", texts["study_plan_first"], class_="quiet")
    plan = texts["study_plan"].format(
        count=len(fork.turns), cost=dollars(fork.cost, 6), seconds=seconds(fork.seconds)
    )
    checked = not problems(form.wish, desk.workspace.catalog(trace.catalog.name))
    if checked and fork.excess(form.wish.budget):
        return tag("p", plan, " ", tag("b", texts["study_plan_excess"]), class_="problem")
    return tag("p", plan, class_="quiet")


def _judged(
    trace: Trace, wish: Wish, known: Catalog | None, texts: Texts, costs: list[float] | None
) -> Markup:
    if known is None:
        return tag("p", texts["study_no_catalog"], class_="quiet")
    for problem in problems(wish, known):
        return tag("p", problem.sentence(texts), class_="problem")
    found = whatif.judged(trace, wish.preference, wish.budget, known, texts, costs=costs)
    return tag("section", tag("h4", texts["study_judged"]), found)


async def forked(
    desk: Desk, study: Study, visitor: Visitor, trace_id: Any, form: Form, *, consent: bool = False
) -> dict[Any, Any]:
    """Begin a fork of the visitor's own trace, or return the sentence that says why it cannot begin.

    consent: whether others may use it.
    """
    try:
        trace = await find(desk, visitor, trace_id)
        run = await begin(
            desk,
            visitor,
            replace(form.wish, question=trace.task.question),
            catalog=trace.catalog.name,
            policy=form.policy if isinstance(form.policy, str) else None,
            fork=Fork(trace, form.turn),
            consent=consent,
        )
    except OrchestraError as error:
        return {study.problem: said(str(error)), study.begun: None}
    return {study.problem: None, study.begun: turns_to(run.id)}


async def compared(desk: Desk, visitor: Visitor, trace_id: Any, other: Any) -> dict[str, Any] | None:
    """Return two traces side by side, or the sentence that says why they cannot be compared."""
    texts, named = TEXTS[visitor.language], trace_named(other)
    if not named:
        return None
    if named == trace_id:
        return said(texts["study_itself"])
    try:
        left = await look(desk, visitor, trace_id)
        right = await look(desk, visitor, named)
    except OrchestraError as error:
        return said(str(error))
    return parts(f"{left.id} {right.id}", comparison(left, right, texts))


def trace_named(text: Any) -> str:
    """Return the id that was chosen or pasted: the text itself, or what a link to a trace names."""
    if not isinstance(text, str):
        return ""
    text = text.strip()[:2_000]
    with suppress(ValueError):
        query = parse_qs(urlsplit(text).query)
        for name in ("trace", "run"):
            if query.get(name):
                return query[name][0]
    return text
