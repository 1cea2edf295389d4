"""Going another way from a turn: what is taken over counts in the budget and is paid by nobody again."""

import asyncio
import math
from contextlib import aclosing
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from orchestra_fakes import Memory, World, make_task, make_world, play

from orchestra_app.backends.scripted import calling
from orchestra_app.core.errors import ConfigError, ToolError
from orchestra_app.core.task import Budget, Preference, Task
from orchestra_app.core.trace import Trace
from orchestra_app.orchestrator.accounts import PICO, Shared
from orchestra_app.orchestrator.fork import Fork, last_turn
from orchestra_app.orchestrator.ledger import Ledger
from orchestra_app.orchestrator.loop import Options
from orchestra_app.orchestrator.stop import Stop

SEARCH = calling("search", {"model": "search-1"})
REASON = calling("enhance_reasoning", {"model": "reasoner-1"})
ANSWER = calling("answer", {"model": "answer-1"})
SCRIPT = [SEARCH, REASON, ANSWER]
DAY = date(2026, 1, 2)


async def made(**world: object) -> Trace:
    """A finished trace of three turns."""
    return await play(make_world(SCRIPT, **world), make_task(cost=1.0, seconds=100))  # pyright: ignore


def capped(world: World, cap: float = 1.0) -> tuple[World, Memory]:
    """The same world with caps on the day and on the visitor's."""
    memory = Memory()
    ledger = Ledger(memory, daily_cap=cap, visitor_cap=cap, today=lambda: DAY)
    return replace(world, orchestrator=replace(world.orchestrator, ledger=ledger)), memory


def way(trace: Trace) -> dict[str, object]:
    """A trace without what says which one it is."""
    return trace.model_dump(exclude={"id", "parent", "reused", "group", "started_at"})


@pytest.mark.parametrize("turn", [1, 2, 3])
async def test_a_fork_under_the_same_settings_goes_the_same_way_to_the_last_digit(turn: int):
    parent = await made()
    world, fork = make_world(SCRIPT[turn - 1 :]), Fork(parent, turn)
    child = await play(world, fork.task(parent.task.preference, parent.task.budget), fork=fork)
    assert way(child) == way(parent) and child.task == parent.task
    assert (child.parent, child.reused, child.id != parent.id) == (parent.id, turn - 1, True)
    assert len(world.backend.requests) == 4 - turn and len(world.called) == 4 - turn
    prompts = [request.messages for request in world.backend.requests]
    assert all("Doc 1" in messages[-1].content for messages in prompts[max(0, 2 - turn) :])


async def test_what_is_taken_over_counts_in_cost_seconds_and_budget():
    parent = await made()
    fork = Fork(parent, 3)
    assert fork.cost == pytest.approx(parent.cost - sum(charge.cost for charge in charges_of(parent, 2)))
    world = make_world([ANSWER])
    child = await play(world, make_task(cost=parent.cost, seconds=parent.seconds * 2), fork=fork)
    assert child.cost == pytest.approx(fork.cost + sum(c.cost for c in charges_of(child, 2)))
    assert child.seconds >= fork.seconds > 0 and child.cost <= parent.cost + 1e-12
    (purse,) = world.ledger.purses
    assert purse.spent == pytest.approx(child.cost, abs=1e-11)


def charges_of(trace: Trace, index: int) -> list:
    turn = trace.turns[index]
    return [*turn.reply.charges, *(charge for result in turn.results for charge in result.charges)]


@pytest.mark.parametrize("turn", [1, 2, 3])
async def test_nobodys_day_and_no_job_pays_again_for_what_is_taken_over(turn: int):
    parent = await made(simulated=False)
    world, memory = capped(make_world(SCRIPT[turn - 1 :], simulated=False))
    job, fork = Shared("job", 1.0), Fork(parent, turn)
    child = await play(world, fork.task(Preference(), Budget(cost=1.0)), fork=fork, owner="ada", job=job)
    world.orchestrator.ledger.close()
    own = sum(math.ceil(c.cost * PICO) for index in range(turn - 1, 3) for c in charges_of(child, index))
    assert child.cost > own / PICO or turn == 1
    for name in (f"day:{DAY}", f"visitor:ada:{DAY}"):
        assert memory.taken(name) == pytest.approx(own, abs=10)
    assert PICO - job.free == pytest.approx(own, abs=10)


async def test_an_empty_day_stops_a_fork_although_its_turns_were_paid_before():
    parent = await made(simulated=False)
    world, memory = capped(make_world([REASON, ANSWER], simulated=False), cap=1e-9)
    child = await play(world, make_task(cost=1.0), fork=Fork(parent, 2))
    assert child.status == "exhausted" and child.turns == parent.turns[:1] and world.called == []
    world.orchestrator.ledger.close()
    assert all(taken == 0 for taken in memory.accounts.values())


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        ({"cost": 1e-5}, "more than the budget of $1e-05: raise the budget in dollars"),
        ({"cost": 0.0}, "raise the budget in dollars"),
        ({"seconds": 2.0}, "s of the budget of 2 s: raise the budget in seconds"),
        ({"turns": 1}, "2 turns are taken over, more than the budget of 1"),
    ],
)
async def test_a_budget_that_is_used_up_already_ends_the_fork_before_it_spends(limit: dict, said: str):
    parent = await made()
    world, fork = make_world([]), Fork(parent, 3)
    child = await play(world, make_task(**limit), fork=fork)
    assert child.status == "exhausted" and child.error and world.backend.requests == [] == world.called
    assert child.turns == parent.turns[:2] and child.cost == fork.cost
    assert said in child.error


@settings(max_examples=40, deadline=None)
@given(cost=st.floats(0, 0.06), turn=st.integers(1, 3), turns=st.integers(1, 4))
def test_whatever_the_budget_a_fork_spends_nothing_beyond_it(cost: float, turn: int, turns: int):
    async def attack() -> None:
        parent = await made()
        fork = Fork(parent, turn)
        world = make_world([*SCRIPT[turn - 1 :], ANSWER, ANSWER])
        child = await play(world, make_task(cost=cost, turns=turns), fork=fork)
        assert child.cost <= max(cost, fork.cost) + 1e-12
        assert child.turns[: turn - 1] == parent.turns[: turn - 1]
        assert all(purse.reserved == 0 for purse in world.ledger.purses)
        if fork.cost > cost:
            assert (child.status, world.called) == ("exhausted", [])

    asyncio.run(attack())


@pytest.mark.parametrize("turn", [0, -1, 4, 99, True, 1.0, "2", None, float("nan")])
async def test_a_forged_turn_is_refused_with_the_turns_that_there_are(turn: object):
    parent = await made()
    with pytest.raises(ConfigError, match="choose a turn from 1 to 3"):
        Fork(parent, turn)  # pyright: ignore[reportArgumentType]


async def test_a_running_trace_is_refused():
    parent = (await made()).model_copy(update={"status": "running"})
    with pytest.raises(ConfigError, match="still running"):
        Fork(parent, 1)


@pytest.mark.parametrize("field", ["cost", "at"])
async def test_charges_that_are_no_numbers_are_refused(field: str):
    parent = await made()
    first = parent.turns[0]
    (charge,) = first.reply.charges
    reply = first.reply.model_copy(update={"at": math.inf})
    if field == "cost":
        reply = first.reply.model_copy(update={"charges": (charge.model_copy(update={"cost": math.nan}),)})
    parent.turns[0] = first.model_copy(update={"reply": reply})
    with pytest.raises(ConfigError, match="no numbers"):
        Fork(parent, 2)


async def test_another_catalogue_is_refused_before_anything_is_recorded():
    parent = await made()
    world = make_world([ANSWER], only=("answer-1", "search-1"))
    with pytest.raises(ConfigError, match="made with the catalogue test"):
        await play(world, make_task(), fork=Fork(parent, 2))
    assert world.ledger.purses == []


async def test_another_protocol_is_refused_unless_nothing_is_taken_over():
    parent = await made()
    with pytest.raises(ConfigError, match="speaks the chat protocol"):
        await play(make_world(["42 m"], protocol="chat"), make_task(), fork=Fork(parent, 2))
    child = await play(make_world(["42 m"], protocol="chat"), make_task(), fork=Fork(parent, 1))
    assert (child.status, child.parent, child.reused) == ("answered", parent.id, 0)


async def test_a_chat_is_taken_over_as_the_conversation_it_was():
    world = make_world([SEARCH, REASON, "42 m"], protocol="chat")
    parent = await play(world, make_task(cost=1.0, seconds=100))
    again = make_world([REASON, "43 m"], protocol="chat")
    child = await play(again, make_task(cost=1.0, seconds=100), fork=Fork(parent, 2))
    assert child.answer == "43 m" and again.backend.requests[0].messages == world.backend.requests[1].messages
    assert [turn.reply.calls[0].id for turn in child.turns[:2]] == ["1.1", "2.1"]


async def test_a_trace_without_an_answer_goes_on_past_its_end():
    world = make_world([SEARCH, REASON])
    world.tools["answer"].behave = lambda call, state: ToolError("It is closed.")
    parent = await play(world, make_task(turns=2))
    assert parent.status == "failed" and last_turn(parent) == len(parent.turns) + 1
    fork = Fork(parent, last_turn(parent))
    child = await play(make_world([ANSWER]), make_task(turns=20), fork=fork)
    assert child.status == "answered" and child.turns[:-1] == parent.turns
    assert last_turn(child) == len(child.turns)


async def test_a_fork_that_is_stopped_keeps_what_it_took_over_and_settles_the_rest():
    parent, stop = await made(), Stop()
    stop.set()
    world = make_world([])
    child = await play(world, make_task(), fork=Fork(parent, 3), stop=stop)
    assert (child.status, child.turns, world.called) == ("stopped", parent.turns[:2], [])
    world, stop = make_world([REASON]), Stop()
    world.tools["enhance_reasoning"].stall = asyncio.Event()
    running = asyncio.create_task(play(world, make_task(cost=1.0), fork=Fork(parent, 2), stop=stop))
    for _ in range(30):
        await asyncio.sleep(0)
    assert world.called == ["reasoner-1"]
    stop.set()
    child = await running
    assert child.status == "stopped" and child.turns[:1] == parent.turns[:1] and len(child.turns) == 2
    assert all(purse.reserved == 0 for purse in world.ledger.purses)


async def test_a_fork_that_is_left_while_it_repeats_the_old_turns_owes_nothing():
    parent = await made(simulated=False)
    world, memory = capped(make_world([ANSWER], simulated=False))
    options = Options(fork=Fork(parent, 3), owner="ada")
    async with aclosing(world.orchestrator.run(make_task(cost=1.0), options)) as events:
        seen = [(await anext(events)).type for _ in range(3)]
    assert seen == ["started", "reply", "tool"]
    world.orchestrator.ledger.close()
    assert all(taken == 0 for taken in memory.accounts.values()) and world.called == []


async def test_a_fork_of_a_fork_counts_everything_once():
    parent = await made()
    child = await play(make_world([REASON, ANSWER]), make_task(cost=1.0), fork=Fork(parent, 2))
    grandchild = await play(make_world([ANSWER]), make_task(cost=1.0), fork=Fork(child, 3))
    assert grandchild.parent == child.id and grandchild.reused == 2
    assert grandchild.turns[:2] == child.turns[:2] and grandchild.turns[:1] == parent.turns[:1]
    assert grandchild.cost == pytest.approx(parent.cost)


async def test_forks_of_one_wish_are_one_task_in_one_group_and_others_are_not():
    fork = Fork(await made(), 2)
    liked = Preference(weights={"cheap": 0.9, "dear": 0.1})
    turned = Preference(weights={"dear": 0.1, "cheap": 0.9})

    def task(preference: Preference, cost: float = 0.5) -> Task:
        return fork.task(preference, Budget(cost=cost))

    assert task(liked) == task(turned) and fork.group(task(liked)) == fork.group(task(turned))
    assert len({task(liked).id, task(liked, 0.4).id, task(Preference()).id, fork.trace.task.id}) == 4
    assert task(liked).question == fork.trace.task.question
    other = Fork(fork.trace, 3)
    assert other.task(liked, Budget(cost=0.5)) == task(liked)
    assert other.group(task(liked)) != fork.group(task(liked))
