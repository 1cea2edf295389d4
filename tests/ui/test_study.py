"""The studies of an opened trace: what they say is right, and nobody sees or forks what is not theirs."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from html import unescape
from typing import Any

import gradio as gr
import pytest
import pytest_asyncio
from studied_traces import ADA, ADMIN, BOB, FREE, played

from orchestra_app import Settings, Trace, Workspace
from orchestra_app.core.catalog import Catalog
from orchestra_app.core.task import Budget, Preference
from orchestra_app.frontier.repricing import price_table
from orchestra_app.orchestrator.fork import Fork
from orchestra_app.ui import whatif
from orchestra_app.ui.asking import Desk
from orchestra_app.ui.compare import comparison
from orchestra_app.ui.family import family
from orchestra_app.ui.pages.study import Study, study
from orchestra_app.ui.pages.study_shown import Form, compared, filled, forked, opened, supposed, trace_named
from orchestra_app.ui.sheet import sheet
from orchestra_app.ui.texts import TEXTS
from orchestra_app.ui.visitor import Door
from orchestra_app.ui.wish import Wish

EN = TEXTS["en"]
PAYLOAD = '<img src=x onerror="hurt()">${hurt()}{{x}}'


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Desk]:
    """One desk for all: to read the corpus for each test would take longer than the tests."""
    world = await Workspace.open(Settings(home=tmp_path_factory.mktemp("studies")))
    yield Desk(world, Door(local=False))
    await world.aclose()


@pytest.fixture
def world(desk: Desk) -> Workspace:
    return desk.workspace


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def panel() -> Study:
    # Where no loop runs, Gradio makes one and leaves it open.
    with gr.Blocks():
        return study(sheet())


def form(trace: Trace, turn: Any = 2, cells: Any = None, **fields: Any) -> Form:
    wish = Wish(question="?", budget_cost=1.0, budget_seconds=900.0, **fields)
    cells = whatif.rows(trace, whatif.booked(trace)) if cells is None else cells
    return Form(wish, trace.policy, turn, cells)


def text(value: Any) -> str:
    return unescape(re.sub("<[^>]+>", " ", " ".join(value["parts"])))


async def test_an_opened_trace_shows_its_own_settings_and_costs_what_it_cost(desk, panel):
    trace = await played(desk.workspace, weights={"gpt-5": 0.9})
    shown = await opened(desk, panel, ADA, trace.id)
    assert shown[panel.mixed].weights == {"gpt-5": 0.9} and shown[panel.begin].visible
    assert shown[panel.turn].value == 2 and len(shown[panel.turn].choices) == len(trace.turns)
    bill = text(shown[panel.bill])
    assert "changed" not in str(shown[panel.bill]) and "more" not in bill and "less" not in bill
    assert EN["study_fits"] in text(shown[panel.judged])
    values = dict(zip(panel.settings.fixed, range(9), strict=False))
    assert all(component in shown for component in values)


async def test_a_fork_begins_in_the_registry_as_the_visitors_own_run(desk, panel):
    trace = await played(desk.workspace)
    shown = await forked(desk, panel, ADA, trace.id, form(trace, weights={"gpt-5": 0.0}))
    run = desk.workspace.runs.get(shown[panel.begun]["run"], ADA.owner)
    assert run is not None and desk.workspace.runs.get(run.id, BOB.owner) is None
    run.skip()
    async for _ in desk.workspace.runs.watch(run):
        pass
    child = run.trace
    assert (child.parent, child.reused, child.owner) == (trace.id, 1, ADA.owner)
    assert child.turns[0] == trace.turns[0] and child.task.question == trace.task.question
    assert [call.name for _, call, _ in child.calls] and child.status == "answered"
    assert "gpt-5" not in {charge.who for turn in child.turns[1:] for charge in turn.reply.charges}
    kin = await desk.workspace.store.kin(trace.id, ADA.owner)
    assert [each.id for each in kin.children] == [child.id]
    links = str(family(trace, kin, EN))
    assert f'data-id="{child.id}"' in links


@pytest.mark.parametrize("turn", [0, 99, "2", None, True, 1.5, [2]])
async def test_a_forged_turn_begins_nothing(desk, panel, turn):
    trace = await played(desk.workspace)
    shown = await forked(desk, panel, ADA, trace.id, form(trace, turn=turn))
    assert shown[panel.begun] is None and "choose a turn from 1 to 3" in text(shown[panel.problem])
    assert desk.workspace.runs.active() == 0


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"weights": {"nothing": 1.0}}, "nothing"),
        ({"weights": {"gpt-5": 7}}, "gpt-5"),
        ({"excluded": ("vendor:nobody",)}, "nobody"),
        ({"seed": -1}, "seed"),
    ],
)
async def test_a_forged_field_begins_nothing_and_says_so(desk, panel, fields, said):
    trace = await played(desk.workspace)
    shown = await forked(desk, panel, ADA, trace.id, form(trace, **fields))
    assert shown[panel.begun] is None and said in text(shown[panel.problem]).lower()


async def test_anothers_trace_is_neither_forked_nor_judged_nor_priced_nor_compared(desk, panel):
    trace, mine = await played(desk.workspace), await played(desk.workspace, owner=BOB.owner)
    for named in (trace.id, "0" * 32, 7, None, "x" * 10_000):
        sentence = "There is no trace"
        shown = await forked(desk, panel, BOB, named, form(trace))
        assert shown[panel.begun] is None and sentence in text(shown[panel.problem])
        shown = await supposed(desk, panel, BOB, named, form(trace))
        assert sentence in text(shown[panel.judged]) and shown[panel.bill] is None
        assert sentence in text((await filled(desk, panel, BOB, named, ""))[panel.bill])
        assert sentence in text(await compared(desk, BOB, named, mine.id))
    assert "There is no trace" in text(await compared(desk, BOB, mine.id, trace.id))
    assert desk.workspace.runs.active() == 0


async def test_an_admin_may_look_at_a_visitors_trace_but_not_take_it_over(desk, panel):
    trace = await played(desk.workspace)
    shown = await opened(desk, panel, ADMIN, trace.id)
    assert shown[panel.begin].visible is False
    shown = await forked(desk, panel, ADMIN, trace.id, form(trace))
    assert shown[panel.begun] is None and "There is no trace" in text(shown[panel.problem])


async def test_deleting_a_trace_that_is_compared_leaves_one_sentence(desk):
    left, right = await played(desk.workspace), await played(desk.workspace)
    assert "Turns" in text(await compared(desk, ADA, left.id, right.id))
    await desk.workspace.store.delete(right.id, ADA.owner)
    said = text(await compared(desk, ADA, left.id, right.id))
    assert said.count(".") == 1 and right.id in said
    await desk.workspace.store.delete(left.id, ADA.owner)
    assert left.id in text(await compared(desk, ADA, left.id, right.id))
    assert EN["study_itself"] in text(await compared(desk, ADA, left.id, left.id))


@pytest.mark.parametrize(
    ("typed", "named"),
    [
        ("  abc ", "abc"),
        ("https://host/?tab=traces&trace=abc", "abc"),
        ("?run=abc", "abc"),
        ("", ""),
        (None, ""),
        ("http://[", "http://["),
    ],
)
async def test_an_id_is_read_from_what_was_pasted(typed, named):
    assert trace_named(typed) == named


async def test_a_fork_and_its_parent_stand_side_by_side_with_their_differences_in_words(world):
    parent = await played(world)
    child = await played(world, fork=Fork(parent, 2), weights={"gpt-5": 0.0})
    drawn = str(comparison(parent, child, EN))
    assert drawn.count("<li") == len(parent.turns) and drawn.count('data-relation="reused"') == 1
    assert "taken over" in drawn and "another call" in drawn
    for fact in ("wish", "cost", "seconds"):
        assert re.search(f'data-fact="{fact}" data-differs', drawn), fact
    assert not re.search('data-fact="policy" data-differs', drawn)
    assert "less" in drawn and child.cost < parent.cost
    same = str(comparison(parent, parent, EN))
    assert "data-differs" not in same and set(re.findall('data-relation="(.*?)"', same)) == {"same"}


async def test_what_others_wrote_stays_text_in_a_comparison(world):
    trace = await played(world)
    evil = trace.model_copy(update={"answer": PAYLOAD, "policy": PAYLOAD})
    evil.turns = [
        turn.model_copy(
            update={"results": tuple(r.model_copy(update={"error": PAYLOAD}) for r in turn.results)}
        )
        for turn in trace.turns
    ]
    for language in ("en", "zh"):
        drawn = str(comparison(trace, evil, TEXTS[language]))
        assert "<img" not in drawn and "&lt;img" in drawn


async def test_other_prices_change_what_carries_their_name_and_are_exact(desk, panel):
    trace = await played(desk.workspace)
    rows = whatif.rows(trace, whatif.booked(trace))
    doubled = [[name, *(None if rate is None else 2 * rate for rate in rates)] for name, *rates in rows]
    bill, costs = whatif.bill(trace, whatif.read(trace, doubled), EN)
    assert sum(costs) == pytest.approx(2 * trace.cost) and "(100 %) more" in str(bill)
    shown = await filled(desk, panel, ADA, trace.id, "rehearsal")
    table = price_table(desk.workspace.catalog("rehearsal"))
    assert whatif.read(trace, shown[panel.grid]["data"]).keys() == set(whatif.names(trace)) <= set(table)
    _, costs = whatif.bill(trace, whatif.read(trace, shown[panel.grid]["data"]), EN)
    assert costs == [charge.cost for charge in trace.charges]
    assert "no catalogue" in text((await filled(desk, panel, ADA, trace.id, "../x"))[panel.bill])


async def test_a_reported_cost_is_marked_and_says_when_it_is_replaced(world):
    trace = await played(world)
    last = trace.turns[-1]
    (result,) = last.results
    paid = tuple(c.model_copy(update={"reported": 0.5, "cost": 0.5}) for c in result.charges)
    assert paid
    trace.turns[-1] = last.model_copy(update={"results": (result.model_copy(update={"charges": paid}),)})
    booked = whatif.booked(trace)
    bill, costs = whatif.bill(trace, booked, EN)
    assert "the provider's own figure" in unescape(bill) and sum(costs) == pytest.approx(trace.cost)
    name = paid[0].who
    dearer = booked | {name: booked[name].model_copy(update={"output": 99.0})}
    bill, _ = whatif.bill(trace, dearer, EN)
    assert "≈" in str(bill) and "not exact" in str(bill)


async def test_a_bad_rate_is_named_and_the_rest_stays(desk, panel):
    trace = await played(desk.workspace)
    rows = whatif.rows(trace, whatif.booked(trace))
    rows[0][1] = -1
    shown = await supposed(desk, panel, ADA, trace.id, form(trace, cells=rows))
    assert f"{rows[0][0]}, {EN['study_rate_input']}: -1 is no price" in text(shown[panel.bill])
    assert EN["study_fits"] in text(shown[panel.judged])


async def test_another_budget_or_other_sliders_say_where_it_would_have_stopped(desk, panel):
    trace = await played(desk.workspace)
    known = desk.workspace.catalog()

    def judged(limits: Budget, wish: Preference | None = None) -> str:
        return text({"parts": [whatif.judged(trace, wish or Preference(), limits, known, EN)]})

    assert EN["study_fits"] in judged(FREE)
    assert "beyond the budget" in judged(Budget(cost=trace.cost / 2, seconds=None))
    assert "too late" in judged(Budget(cost=None, seconds=trace.seconds / 2))
    assert "before turn 2" in judged(Budget(cost=None, seconds=None, turns=1))
    models = {charge.who for charge in trace.charges}
    never = judged(FREE, Preference(weights={name: 0.0 for name in known.sliders if name in models}))
    assert "would not have been on offer" in never and "to 0 %" in never
    over = form(trace, turn=3)
    over = replace(over, wish=replace(over.wish, budget_cost=1e-6))
    shown = await supposed(desk, panel, ADA, trace.id, over)
    assert EN["study_plan_excess"] in text(shown[panel.plan])


async def test_a_trace_of_another_catalogue_is_shown_but_not_forked(desk, panel):
    trace = await played(desk.workspace)
    changed = Catalog.model_validate(desk.workspace.catalog().model_dump() | {"title": "Changed since"})
    parts = desk.workspace.parts()
    known, parts.catalog = parts.catalog, changed
    try:
        shown = await opened(desk, panel, ADA, trace.id)
        begun = await forked(desk, panel, ADA, trace.id, form(trace))
    finally:
        parts.catalog = known
    assert shown[panel.begin].interactive is False and "no longer the one" in text(shown[panel.plan])
    assert "made with the catalogue" in text(begun[panel.problem]) and begun[panel.begun] is None


async def test_a_run_without_limits_forks_under_its_own_settings(desk, panel):
    trace = await played(desk.workspace)
    assert trace.task.budget == FREE
    own = Form(Wish(question="?", budget_cost=None, budget_seconds=None), trace.policy, 3, None)
    shown = await forked(desk, panel, ADA, trace.id, own)
    run = desk.workspace.runs.get(shown[panel.begun]["run"], ADA.owner)
    assert run is not None
    run.skip()
    async for _ in desk.workspace.runs.watch(run):
        pass
    assert run.trace.turns == trace.turns and run.trace.task == trace.task
