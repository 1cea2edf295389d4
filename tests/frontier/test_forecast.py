"""Forecasts: as many runs stay within P90 as it says, and too few traces are said to be too few."""

import asyncio
from contextlib import aclosing

import pytest
from sweep_world import define, follow

from orchestra_app import Options
from orchestra_app.core.task import Budget, Preference
from orchestra_app.frontier.definition import runs, settings_of
from orchestra_app.frontier.forecast import FEWEST, Forecast, learn
from orchestra_app.frontier.outlook import look_ahead
from orchestra_app.rehearsal.questions import as_task, questions
from orchestra_app.storage.outcomes import Wanted

LEARNED, HELD = 150, 200
WISHES = (Preference(), Preference(cost=0.9, weights={"gpt-5": 0.2}), Preference(latency=0.9))


async def _ask(world, policy, asked, first=0):
    orchestrator = await world.orchestrator(policy=policy)
    gate = asyncio.Semaphore(4)

    async def one(number, question):
        task = as_task(question, preference=WISHES[number % 3], budget=Budget(cost=(0.1, 0.02)[number % 2]))
        async with gate, aclosing(world.rollout(orchestrator, task, Options(seed=first + number))) as rollout:
            async for _ in rollout:
                pass

    await asyncio.gather(*(one(number, question) for number, question in enumerate(asked)))


@pytest.mark.parametrize("policy", ["rules", "random"])
async def test_p90_holds_for_as_many_held_out_runs_as_it_should(world, policy):
    asked = questions("heldout")
    await _ask(world, policy, asked[:LEARNED])
    learned = learn(await world.store.outcomes(Wanted(catalog_hash=world.catalog().hash)))
    known = {outcome.id for outcome in await world.store.outcomes(Wanted())}
    await _ask(world, policy, asked[LEARNED : LEARNED + HELD], first=1_000)
    held = [outcome for outcome in await world.store.outcomes(Wanted()) if outcome.id not in known]
    within, below = [0, 0], [0, 0]
    for outcome in held:
        found = learned.forecast(policy, outcome.task.question, outcome.task.preference, outcome.task.budget)
        assert isinstance(found, Forecast) and found.count == LEARNED
        assert found.cost[0] <= found.cost[1] and found.seconds[0] <= found.seconds[1]
        hasty = outcome.task.budget.model_copy(update={"seconds": 5.0})
        sooner = learned.forecast(policy, outcome.task.question, outcome.task.preference, hasty)
        assert sooner is not None and sooner.seconds[1] <= 5.0
        for each, (figure, forecast) in enumerate(
            ((outcome.cost, found.cost), (outcome.seconds, found.seconds))
        ):
            within[each] += figure <= forecast[1] * (1 + 1e-9)
            below[each] += figure <= forecast[0] * (1 + 1e-9)
    print(policy, "P90 coverage", [each / HELD for each in within], "measured", learned.coverage[policy])
    assert all(0.85 <= each / HELD <= 0.95 for each in within), within
    assert all(0.35 <= each / HELD <= 0.65 for each in below), below
    assert all(0.8 <= each <= 1 for each in learned.coverage[policy])


async def test_too_few_traces_give_no_forecast_but_their_number(world, traces):
    learned = learn(await world.store.outcomes(Wanted()))
    assert learned.counts["rules"] == 8 < FEWEST
    for policy in ("rules", "orchestrator-8b"):
        assert learned.forecast(policy, "What is 6 * 7?", Preference(), Budget()) is None


@pytest.mark.parametrize("budget", [Budget(), Budget(cost=0.005), Budget(cost=None)])
async def test_the_cap_that_is_proposed_lets_a_sweep_run_to_its_end_and_is_near_its_cost(world, budget):
    settings = settings_of(["rules"], {"balanced": Preference()}, [budget])
    made = define(world, 10, settings=settings)
    found = await look_ahead(made, list(runs(made)), learn([]), world.routes)
    assert found.known and found.likely <= found.most <= found.cap
    events = await follow(world, made.model_copy(update={"cap": found.cap}))
    assert events[-1].status == "done" and events[-1].spent <= found.most

    assert found.cap < 2 * found.most + 4 * (0.1 if budget.cost is None else budget.cost)
