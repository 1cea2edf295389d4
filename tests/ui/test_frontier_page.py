"""Sweeps from the page: who may, forged forms, resuming without a second run, and nothing of others."""

import asyncio
import csv
from collections.abc import AsyncIterator
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import gradio as gr
import pytest

from orchestra_app import Settings, Workspace
from orchestra_app.core.errors import ConfigError
from orchestra_app.frontier import definition
from orchestra_app.frontier.report import report
from orchestra_app.storage.queries import Filter
from orchestra_app.ui.asking import Desk
from orchestra_app.ui.choices import forecast
from orchestra_app.ui.comparison import csv_link
from orchestra_app.ui.drawings import Drawings
from orchestra_app.ui.links import clean, wanted
from orchestra_app.ui.pages.frontier import frontier_page
from orchestra_app.ui.pages.frontier_shown import attached, beside, drawn, traces_link
from orchestra_app.ui.pages.frontier_told import plan_shown
from orchestra_app.ui.sweeping import (
    LABELLED,
    LISTED,
    Form,
    every_saved,
    folder,
    gathered,
    launched,
    planned,
    resumed,
    saved,
)
from orchestra_app.ui.sweeps import Underway
from orchestra_app.ui.texts import TEXTS
from orchestra_app.ui.visitor import Door, Visitor
from orchestra_app.ui.wish import Wish

OWNER = Visitor("local", True, "en")
STRANGER = Visitor("visitor:1", False, "en")
FORM = Form(limit=3, policies=["rules"], catalog="rehearsal")


@pytest.fixture
async def desk(home: Path) -> AsyncIterator[Desk]:
    workspace = await Workspace.open(Settings(home=home))
    yield Desk(workspace, Door(local=True))
    await workspace.aclose()


async def done(desk: Desk, begun: Any) -> Underway:
    assert isinstance(begun, Underway)
    async for _ in desk.sweeps.watch(begun):
        pass
    assert begun.error is None
    return begun


async def test_a_sweep_runs_on_the_server_and_its_runs_are_gathered(desk: Desk):
    begun = await done(desk, await launched(desk, OWNER, FORM, sure=False))
    assert begun.ended is not None and begun.ended.status == "done"
    runs = await gathered(desk, OWNER, begun.definition.id, "rehearsal")
    assert runs is not None and len(runs.rows) == begun.definition.total == 18


async def test_the_train_questions_of_the_rehearsal_can_be_swept_for_traces_to_learn_from(desk: Desk):
    plan = await planned(
        desk, OWNER, Form(questions="rehearsal:train", limit=3, policies=["rules"], repeats=4)
    )
    assert {question.source for question in plan.sweep.questions} == {"rehearsal:train"}
    assert len(plan.sweep.questions) == 3 and plan.sweep.total % (3 * 4) == 0


async def test_a_stopped_sweep_goes_on_after_a_restart_without_a_second_run(desk: Desk, home: Path):
    form = Form(limit=12, policies=["rules"], catalog="rehearsal", concurrency=1)
    begun = await launched(desk, OWNER, form, sure=False)
    assert isinstance(begun, Underway)
    while len(begun.rows) < 5:
        await begun.wait(begun.version)
    begun.stop.set()
    stopped = await done(desk, begun)
    assert stopped.ended is not None and stopped.ended.status == "stopped"
    before = {row.trace_id for row in stopped.rows}
    await desk.workspace.aclose()
    again = Desk(await Workspace.open(Settings(home=home)), Door(local=True))
    try:
        went_on = await done(again, await resumed(again, OWNER, begun.definition.id))
        finished = {row.trace_id for row in went_on.rows}
        assert before < finished and len(finished) == len(went_on.rows) == begun.definition.total
        assert await again.workspace.store.count(Filter(status="answered")) <= begun.definition.total
        once_more = await done(again, await resumed(again, OWNER, begun.definition.id))
        assert once_more.ended is not None and went_on.ended is not None
        assert once_more.ended.spent == pytest.approx(went_on.ended.spent)
    finally:
        await again.workspace.aclose()


async def test_going_on_with_what_is_under_way_attaches_and_another_sweep_waits(desk: Desk):
    form = Form(limit=20, policies=["rules"], catalog="rehearsal", concurrency=1)
    begun = await launched(desk, OWNER, form, sure=False)
    assert isinstance(begun, Underway)
    twice = await asyncio.gather(*(resumed(desk, OWNER, begun.definition.id) for _ in range(3)))
    assert all(each is begun for each in twice)
    with pytest.raises(ConfigError, match="Another sweep is under way"):
        await launched(desk, OWNER, FORM, sure=False)
    begun.stop.set()
    await done(desk, begun)


async def test_strangers_launch_nothing_and_see_no_sweep_of_others(desk: Desk):
    begun = await done(desk, await launched(desk, OWNER, FORM, sure=True))
    made = begun.definition
    with pytest.raises(ConfigError, match="Only whoever runs this installation"):
        await launched(desk, STRANGER, FORM, sure=True)
    for asked in (saved(desk, STRANGER, made.id), gathered(desk, STRANGER, made.id, "rehearsal")):
        with pytest.raises(ConfigError, match="no sweep"):
            await asked
    with pytest.raises(ConfigError, match="no sweep"):
        await resumed(desk, STRANGER, made.id)
    assert await gathered(desk, STRANGER, LABELLED, "rehearsal") is None
    assert await every_saved(desk, STRANGER, "rehearsal") == []


async def test_the_menu_has_the_newest_sweeps_of_its_catalogue_however_many_others_there_are(desk: Desk):
    mine = (await planned(desk, OWNER, FORM)).sweep
    definition.save(mine, folder(desk))
    other = mine.catalog.model_copy(update={"name": "other"})
    for number in range(LISTED + 5):
        made = mine.model_copy(update={"id": f"{number:012d}", "catalog": other})
        definition.save(made, folder(desk))
    (folder(desk) / "broken.json").write_text("{")
    assert [each.id for each in await every_saved(desk, OWNER, "rehearsal")] == [mine.id]
    assert len(await every_saved(desk, OWNER, "other")) == LISTED


@pytest.mark.parametrize("forged", ["../../etc/passwd", "", None, 7, ["x"], "x" * 5_000, "a/b"])
async def test_no_forged_id_leads_to_a_file(desk: Desk, forged: Any):
    with pytest.raises(ConfigError, match="no sweep"):
        await saved(desk, OWNER, forged)


@pytest.mark.parametrize(
    "wrong",
    [
        {"questions": "rehearsal:nowhere"},
        {"questions": None},
        {"questions": "file"},
        {"questions": "file", "file": "/etc/passwd"},
        {"questions": "traces"},
        {"catalog": "nobody"},
        {"policies": []},
        {"policies": [7]},
        {"policies": ["nobody"]},
        {"presets": ["nobody"]},
        {"budgets": ""},
        {"budgets": "0.1, many"},
        {"budgets": "-1"},
        {"budgets": "nan"},
        {"budgets": 7},
        {"limit": 0},
        {"limit": True},
        {"repeats": 1e9},
        {"repeats": 100, "limit": 200_000, "policies": ["rules", "mid-pipeline"]},
        {"cap": "-1"},
        {"cap": "lots"},
        {"cap": float("inf")},
        {"seconds": 0},
        {"turns": 10_000},
        {"seed": "x"},
        {"concurrency": 65},
    ],
)
async def test_a_forged_form_ends_with_a_sentence_and_nothing_is_run(desk: Desk, wrong: dict[str, Any]):
    values = {"limit": 3, "policies": ["rules"], "catalog": "rehearsal"} | wrong
    with pytest.raises(ConfigError):
        await launched(desk, OWNER, Form(**values), sure=True)
    assert desk.sweeps.running() is None
    assert definition.saved(folder(desk)) == []


async def test_a_file_names_its_broken_rows_and_asks_the_others(desk: Desk, tmp_path: Path):
    file = tmp_path / "mine.jsonl"
    good = [f'{{"question": "What is {n} * 7?", "answer": "{7 * n}"}}' for n in range(3)]
    file.write_text(
        "\n".join([good[0], '{"question": 7}', "{broken", good[1], '{"question": "Why?"}', good[2]])
    )
    plan = await planned(desk, OWNER, Form(questions="file", file=str(file), limit=None, policies=["rules"]))
    assert len(plan.sweep.questions) == 4 and plan.answered == 3
    shown = " ".join(plan_shown(plan, TEXTS["en"])["parts"])
    assert "row 2: column `question`" in shown and "row 3, column 2" in shown
    assert "1 of the questions have no answer" in shown


async def test_much_is_asked_about_before_anything_starts(desk: Desk):
    much = Form(limit=200, policies=["rules"], repeats=5, catalog="rehearsal")
    plan = await launched(desk, OWNER, much, sure=False)
    assert not isinstance(plan, Underway)
    assert plan.outlook.runs == 6_000 and plan.is_much and plan.outlook.seconds > 0
    assert desk.sweeps.running() is None


async def test_the_cap_of_a_sweep_holds_and_a_higher_one_goes_on(desk: Desk):
    form = Form(limit=20, policies=["rules"], catalog="rehearsal", cap="0.30", concurrency=2)
    begun = await done(desk, await launched(desk, OWNER, form, sure=True))
    assert begun.ended is not None and begun.ended.status == "capped"
    assert 0 < begun.ended.spent <= 0.30
    on = await done(desk, await resumed(desk, OWNER, begun.definition.id, "50"))
    assert on.ended is not None and on.ended.status == "done"


async def test_a_setting_is_linked_to_exactly_its_traces(desk: Desk):
    form = Form(limit=3, policies=["rules"], presets=["balanced", "frugal"], budgets="0.02, 0.10")
    begun = await done(desk, await launched(desk, OWNER, form, sure=True))
    made = begun.definition
    runs = await gathered(desk, OWNER, made.id, "rehearsal")
    assert runs is not None
    so_far = await gathered(desk, OWNER, LABELLED, "rehearsal")
    assert so_far is not None
    for source, each in ((made, runs), (None, so_far)):
        for setting in each.subject.policies:
            query = dict(parse_qsl(traces_link(setting, source, each)[1:]))
            found = await desk.workspace.store.ids(wanted(clean(query), OWNER))
            assert set(found) == {row.trace_id for row in each.rows if row.setting == setting}
        assert traces_link("nobody", source, each) == ""
    assert len(so_far.subject.policies) == len(made.settings)
    assert "rules, frugal" in so_far.subject.policies


async def test_a_setting_stays_picked_where_the_figures_are_drawn_anew_meanwhile(desk: Desk):
    begun = await done(desk, await launched(desk, OWNER, FORM, sure=False))
    with gr.Blocks():
        page = frontier_page(gr.BrowserState({}), [("", "rehearsal")])
    who, drawings = replace(OWNER, page="one"), Drawings(desk)
    shown = begun.definition.id, "rehearsal"
    assert (await drawn(drawings, page, who, shown))[page.details] is None
    again = asyncio.create_task(drawn(drawings, page, who, shown, anew=True))
    await asyncio.sleep(0)
    picked = await beside(drawings, page, who, shown, "cheapest")
    assert not again.done() and "cheapest" in str(picked[page.details])
    found = await again
    assert found[page.details] == picked[page.details] and found[page.table] == picked[page.table]
    for other, names in ((replace(OWNER, page="two"), shown), (who, (LABELLED, "rehearsal"))):
        assert drawings.picked(other, names) == ""
    assert (await beside(drawings, page, who, shown, "none such"))[page.details] is None
    assert drawings.picked(who, shown) == ""


async def test_the_figures_of_a_sweep_under_way_are_drawn_anew_as_it_grows(desk: Desk):
    begun = await launched(desk, OWNER, Form(limit=12, policies=["rules"], concurrency=1), sure=False)
    assert isinstance(begun, Underway)
    with gr.Blocks():
        page = frontier_page(gr.BrowserState({}), [("", "rehearsal")])
    who, drawings = replace(OWNER, page="one"), Drawings(desk)
    drawings.turn(who, "seconds")
    early, shown = 0, {}
    async for values in attached(drawings, page, who, (begun.definition.id, "rehearsal")):
        early += page.table in values and not begun.done
        shown |= values
    assert 1 <= early <= 4
    assert 'data-status="done"' in str(shown[page.progress]) and page.problem not in shown
    assert "seconds" in str(shown[page.chart].layout.xaxis.title.text) and len(begun.rows) == 72


async def test_the_csv_has_a_row_for_each_setting_and_no_formula(desk: Desk):
    import base64

    begun = await done(desk, await launched(desk, OWNER, FORM, sure=True))
    runs = await gathered(desk, OWNER, begun.definition.id, "rehearsal")
    assert runs is not None
    shown = csv_link(report(runs.rows, runs.subject), TEXTS["en"], said="=1+1")
    body = str(shown).split("base64,")[1].split('"')[0]
    table = list(csv.DictReader(StringIO(base64.b64decode(body).decode())))
    assert {row["setting"] for row in table} == {each.name for each in begun.definition.settings}
    assert all(row["provenance"] == "'=1+1" for row in table)


async def test_the_labelled_frontier_of_a_catalogue_is_all_simulated_or_all_real(desk: Desk):
    await done(desk, await launched(desk, OWNER, Form(limit=12, policies=["rules"]), sure=True))
    runs = await gathered(desk, OWNER, LABELLED, "rehearsal")
    assert runs is not None
    found = report(runs.rows, runs.subject)
    assert found.simulated is True and found.prices and found.frontier.band is not None
    assert await gathered(desk, OWNER, LABELLED, "live") is None


async def test_the_forecast_says_that_it_has_too_few_traces_until_it_has_enough(desk: Desk):
    texts, names = TEXTS["en"], ("rehearsal", "cheapest")
    assert await forecast(desk, Wish(), names, texts) == []
    (few,) = await forecast(desk, Wish(), names, texts, learn=True)
    assert "it needs 40 finished traces of cheapest; saved so far: 0." in few
    await done(desk, await launched(desk, OWNER, Form(limit=48, policies=["cheapest"]), sure=True))
    fresh = Desk(desk.workspace, desk.door)
    (enough,) = await forecast(fresh, Wish(), names, texts, learn=True)
    assert "from 48 saved traces" in enough and "9 in 10 stay within" in enough
    assert await forecast(fresh, Wish(budget_turns=0), names, texts) == []
    assert await forecast(fresh, Wish(), ("rehearsal", ["forged"]), texts) == []
