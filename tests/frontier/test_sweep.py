"""A sweep runs everything once, stops, goes on, keeps to its cap, and outlives being killed."""

import asyncio
import os
import subprocess
import sys
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from sweep_world import KILLED, define, follow

from orchestra_app import Settings, Workspace
from orchestra_app.core.errors import ConfigError
from orchestra_app.core.events import RolloutStarted
from orchestra_app.core.task import Budget, Preference
from orchestra_app.frontier.definition import ALWAYS, Sweep, load, runs, save, settings_of
from orchestra_app.frontier.gather import labelled, sweep_rows, sweep_subject
from orchestra_app.frontier.report import records, report
from orchestra_app.frontier.stock import take_stock
from orchestra_app.frontier.sweep import RunFinished, SweepFinished, SweepStarted, sweep
from orchestra_app.orchestrator.questions import Question
from orchestra_app.orchestrator.stop import Stop
from orchestra_app.storage.outcomes import Wanted
from orchestra_app.storage.recorder import record
from tests.cli.fake_catalog import write_catalog
from tests.fake_openai import FakeOpenAI


def rows_of(events):
    return [event.row for event in events if isinstance(event, RunFinished)]


async def test_every_question_meets_every_setting_once_and_the_store_knows_it_all_again(world):
    made = define(world, 3, repeats=2)
    events = await follow(world, made)
    assert isinstance(events[0], SweepStarted) and isinstance(events[-1], SweepFinished)
    assert events[-1].status == "done" and events[-1].done == made.total == 3 * 6 * 2
    rows = rows_of(events)
    assert len({row.trace_id for row in rows}) == made.total == await world.store.count()
    stored = await sweep_rows(world, made)
    assert sorted(stored, key=lambda row: row.trace_id) == sorted(rows, key=lambda row: row.trace_id)
    assert events[-1].spent == pytest.approx(sum(row.cost for row in rows))
    assert all(row.correct is not None for row in rows)


async def test_a_finished_sweep_runs_nothing_again_and_costs_nothing(world):
    made = define(world, 2)
    spent = (await follow(world, made))[-1].spent
    again = await follow(world, made)
    assert rows_of(again) == [] and again[-1].spent == pytest.approx(spent) and again[-1].status == "done"
    assert await world.store.count() == made.total


async def test_one_question_meets_all_settings_before_the_next_and_shares_its_luck(world):
    order = [(run.question.id, run.setting.name) for run in runs(define(world, 2))]
    assert [question for question, _ in order] == sorted(
        (q for q, _ in order), key=[q for q, _ in order].index
    )
    await follow(world, define(world, 2, seed=5, repeats=2))
    seeds = {outcome.seed for outcome in await world.store.outcomes(Wanted())}
    assert seeds == {5, 6}


async def test_the_traces_of_one_task_are_one_group(world):
    made = define(world, 2)
    await follow(world, made)
    outcomes = await world.store.outcomes(Wanted(group=made.group))
    groups = {outcome.group for outcome in outcomes}
    assert len(groups) == 2 and len(outcomes) == made.total
    assert all(outcome.group and outcome.group.startswith(made.group) for outcome in outcomes)


async def test_baselines_are_always_there_and_never_twice():
    budgets = [Budget(cost=0.01), Budget(cost=None)]
    found = settings_of(
        ["rules", "mine"], {"balanced": Preference(), "frugal": Preference(cost=0.9)}, budgets
    )
    names = [setting.name for setting in found]
    assert len(set(names)) == len(names) and set(ALWAYS) <= {setting.policy for setting in found}
    assert {"rules, $0.01", "rules, no limit", "mine, frugal, $0.01"} <= set(names)
    assert next(s for s in found if s.name == "cheapest").budget.cost is None
    assert sum(setting.policy == "rules" for setting in found) == 4


async def test_a_stopped_sweep_keeps_what_ended_and_goes_on_without_repeating_it(world):
    made, stop = define(world, 6), Stop()
    ended: list[Any] = []
    async with aclosing(sweep(world, made, stop=stop)) as progress:
        async for event in progress:
            ended.append(event)
            if len(rows_of(ended)) == 5:
                stop.set()
    assert ended[-1].status == "stopped" and made.id in ended[-1].reason and ended[-1].done < made.total
    rest = await follow(world, made)
    first, second = ({row.trace_id for row in rows_of(events)} for events in (ended, rest))
    assert not first & second and len(first | second) == made.total
    assert rest[0].done == len(first) and rest[-1].status == "done"


async def test_leaving_a_sweep_in_the_middle_leaves_nothing_running(world):
    made = define(world, 6)
    async with aclosing(sweep(world, made)) as progress:
        async for event in progress:
            if isinstance(event, RunFinished):
                break
    assert not await world.store.outcomes(Wanted(statuses=("running",)))
    assert (await follow(world, made))[-1].status == "done"


async def test_what_is_in_flight_when_a_sweep_is_cancelled_stands_on_its_bill(world, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789")
    with FakeOpenAI() as fake:
        fake.script("stalls", {"stall": True})
        name = world.add_catalog(write_catalog(tmp_path, fake.url, "stalls"))
        made = define(world, 1, catalog=world.catalog(name).ref, simulated=False, cap=1.0)
        running = asyncio.create_task(follow(world, made))
        while not await asyncio.to_thread(fake.log, "stalls"):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    cut = await world.store.outcomes(Wanted(statuses=("stopped",)))
    assert cut and all(each.cost > 0 for each in cut)


@pytest.mark.parametrize("cap", [0.15, 0.3])
async def test_a_cap_holds_over_several_processes_and_every_run_under_it_had_its_whole_budget(world, cap):
    made = define(world, 8, cap=cap)
    for _ in range(2):
        events = await follow(world, made)
        assert events[-1].status == "capped" and "--cap" in events[-1].reason
        assert events[-1].spent == pytest.approx(
            sum(outcome.cost for outcome in await world.store.outcomes(Wanted()))
        )
        assert events[-1].spent <= cap
    free = {row.trace_id: row.cost for row in await sweep_rows(world, made)}
    more = made.model_copy(update={"cap": None})
    assert (await follow(world, more))[-1].status == "done"
    other = define(world, 8, id="another00000")
    await follow(world, other)
    same = {(row.setting, row.question): row.cost for row in await sweep_rows(world, other)}
    capped = {(r.setting, r.question): r.cost for r in await sweep_rows(world, more) if r.trace_id in free}
    assert capped == {key: same[key] for key in capped}


async def test_without_budgets_the_cap_still_holds_and_a_starved_run_is_run_again(world):
    settings = settings_of(["best-pipeline"], {"balanced": Preference()}, [Budget(cost=None)])
    made = define(world, 6, settings=settings, cap=0.05)
    events = await follow(world, made)
    assert events[-1].status == "capped" and events[-1].spent <= 0.05
    free = await follow(world, made.model_copy(update={"cap": None}))
    assert free[-1].status == "done"
    rows = await sweep_rows(world, made)
    assert len(rows) == made.total and not [
        r for r in rows if r.setting != "do-nothing" and r.status != "answered"
    ]


async def test_a_day_s_cap_ends_a_sweep_before_it_bends_what_is_measured(home, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789")
    home.mkdir()
    with FakeOpenAI() as fake:
        # 1.5 cents for each answer.
        await _starved_and_later_done(Settings(home=home, catalog=write_catalog(home, fake.url, "dear")))


async def _starved_and_later_done(settings: Settings) -> None:
    world = await Workspace.open(settings.model_copy(update={"daily_cap": 0.3}))
    try:
        chosen = settings_of(["best-expert"], {"balanced": Preference()}, [Budget(cost=0.1)])
        made = define(world, 30, settings=chosen, simulated=False, concurrency=4)
        events = await follow(world, made)
        assert events[-1].status == "starved" and "cap" in events[-1].reason
        assert 0 < events[-1].done < made.total and 0.2 < events[-1].spent <= 0.3
        assert {row.status for row in rows_of(events) if row.setting != "do-nothing"} == {"answered"}
    finally:
        await world.aclose()
    later = await Workspace.open(settings)
    try:
        assert (await follow(later, made))[-1].status == "done"
    finally:
        await later.aclose()


def _killed_after(count: int, home: Path) -> list[str]:
    """Return the traces that a process said were finished before it was killed."""
    script, root = Path(__file__).with_name("sweep_world.py"), str(Path(__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": root}
    command = [sys.executable, str(script), str(home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as child:
        assert child.stdout is not None
        told = [child.stdout.readline().strip() for _ in range(count)]
        child.kill()
    return told


async def test_a_killed_sweep_goes_on_where_it_was_without_paying_twice(home):
    told = [trace for _ in range(2) for trace in _killed_after(25, home)]
    assert len(set(told)) == len(told) == 50
    world = await Workspace.open(Settings(home=home))
    try:
        made = load(home / "sweeps", KILLED)
        kept = {row.trace_id: row for row in await sweep_rows(world, made)}
        assert set(told) <= set(kept) and all(row.correct is not None for row in kept.values())
        before = {each.id: each.cost for each in await world.store.outcomes(Wanted(group=made.group))}
        short = made.model_copy(update={"questions": made.questions[: len(kept) // 6 + 3]})
        events = await follow(world, short)
        after = {each.id: each.cost for each in await world.store.outcomes(Wanted(group=made.group))}
        assert events[-1].status == "done" and {key: after[key] for key in before} == before
        assert events[-1].spent == pytest.approx(sum(after.values()))
        assert not {row.trace_id for row in rows_of(events)} & set(before)
    finally:
        await world.aclose()


async def test_a_sweep_that_another_process_runs_is_refused(world):
    made = define(world, 2)
    run = next(runs(made))
    start = RolloutStarted(
        trace_id=run.trace_id(0),
        task=run.task,
        policy="rules",
        catalog=made.catalog,
        protocol="packed",
        started_at=datetime.now(UTC),
        group=run.group,
    )

    async def begun():
        yield start
        for _ in range(100):
            await asyncio.sleep(0.01)
            if await world.store.outcomes(Wanted(statuses=("running",))):
                break
        with pytest.raises(ConfigError, match="under way in another process"):
            await follow(world, made)

    async with aclosing(record(begun(), world.store)) as recorded:
        async for _ in recorded:
            pass


@pytest.mark.parametrize(("simulated", "counted"), [(True, 0.0), (False, 0.1)])
async def test_what_a_killed_process_may_have_paid_counts_as_spent_where_money_is_real(
    world, simulated, counted
):
    made = define(world, 2, simulated=simulated, cap=1.0)
    run = next(runs(made))

    async def killed():
        yield RolloutStarted(
            trace_id=run.trace_id(0),
            task=run.task,
            policy="rules",
            catalog=made.catalog,
            protocol="packed",
            started_at=datetime.now(UTC),
            group=run.group,
        )

    async with aclosing(record(killed(), world.store)) as recorded:
        async for _ in recorded:
            pass
    stock = await take_stock(world.store, made)
    assert stock.spent == counted and (run, 1) in stock.left and len(stock.left) == made.total


async def test_a_changed_catalogue_is_not_mixed_in(world):
    made = define(world, 2)
    other = made.model_copy(update={"catalog": made.catalog.model_copy(update={"hash": "0" * 16})})
    with pytest.raises(ConfigError, match="has changed"):
        await follow(world, other)
    assert await world.store.count() == 0


async def test_a_policy_that_cannot_be_used_is_refused_before_anything_runs(world):
    settings = settings_of(["nobody"], {"balanced": Preference()}, [Budget()])
    with pytest.raises(ConfigError, match="nobody"):
        await follow(world, define(world, 2, settings=settings))
    assert await world.store.count() == 0


async def test_a_definition_survives_its_file_and_ids_lead_nowhere_else(world, tmp_path):
    made = define(world, 2)
    save(made, tmp_path)
    assert load(tmp_path, made.id) == made == Sweep.model_validate_json(made.model_dump_json())
    (tmp_path.parent / "outside.json").write_text(made.model_dump_json())
    for wrong in ("nothing", "../outside", "", "a/b"):
        with pytest.raises(ConfigError, match=made.id):
            load(tmp_path, wrong)


async def test_a_setting_that_stands_twice_is_no_sweep(world):
    settings = define(world).settings
    with pytest.raises(ValidationError, match="stands twice"):
        define(world, settings=(*settings, settings[0]))


async def test_questions_without_answers_have_a_cost_but_no_accuracy(world):
    questions = tuple(Question(id=str(n), text=f"What is {n} * 7?", source="mine.csv") for n in range(12))
    made = define(world, questions=questions, title="mine.csv")
    await follow(world, made)
    found = report(await sweep_rows(world, made), sweep_subject(made, world.catalog()))
    assert not found.judged and found.oracle is None and "No run has a verdict" in str(found.notes[0])
    costs = {each["setting"]: each["cost"] for each in records(found)}
    assert costs["best-expert"] > costs["cheapest"] > costs["do-nothing"] == 0


async def test_answers_of_ones_own_are_compared_and_what_only_words_differ_in_counts_as_wrong(world):
    golds = [str(n * 7) if n % 2 else "a thing in other words" for n in range(12)]
    questions = tuple(
        Question(id=str(n), text=f"What is {n} * 7?", answer=golds[n], source="mine.csv") for n in range(12)
    )
    made = define(world, questions=questions, title="mine.csv")
    rows = rows_of(await follow(world, made))
    right = {row.question for row in rows if row.correct}
    assert right and all(int(question) % 2 for question in right)
    found = report(await sweep_rows(world, made), sweep_subject(made, world.catalog()))
    assert found.undecided and any("orchestra judge" in str(note) for note in found.notes)


async def test_a_report_names_n_prices_and_simulation_and_has_the_oracle(world):
    made = define(world, 12)
    await follow(world, made)
    found = report(await sweep_rows(world, made), sweep_subject(made, world.catalog()))
    for text in ("n = 12 questions", "prices of 2025-11-26", "simulated", "paired bootstrap"):
        assert text in found.provenance()
    assert found.oracle is not None
    assert all(found.oracle.accuracy.mean >= line.point.accuracy.mean for line in found.lines)
    assert not any(line.models.alarm for line in found.lines)
    assert {line.setting: line.point.per_correct for line in found.lines}["do-nothing"] is None


async def test_the_frontier_of_labelled_traces_runs_nothing(world, traces):
    count = await world.store.count()
    found = await labelled(world.store, world.catalog())
    assert found is not None and await world.store.count() == count
    assert {line.policy for line in found.lines} == {"rules", "random", "best-pipeline", "do-nothing"}
    assert len(found.lines) == 8 and all("Too few" in str(line.point.reason) for line in found.lines)
    assert await labelled(world.store, world.catalog("live")) is None
    assert await labelled(world.store, world.catalog(), owner="somebody else") is None
