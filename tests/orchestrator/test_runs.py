import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from datetime import UTC, datetime

import pytest
from orchestra_fakes import make_task, make_world

from orchestra_app.backends.scripted import Line, calling
from orchestra_app.core.errors import StorageError
from orchestra_app.core.events import CatalogRef, Event, ReplyReceived, RolloutFinished, RolloutStarted
from orchestra_app.core.message import Reply
from orchestra_app.core.trace import Trace
from orchestra_app.orchestrator.loop import Options
from orchestra_app.orchestrator.runs import KEPT, Run, Runs

SEARCH = calling("search", {"model": "search-1"})
ANSWER = calling("answer", {"model": "answer-2"})

Recorder = Callable[[Run], AsyncGenerator[tuple[Event, Trace]]]


async def fold(events: AsyncGenerator[Event]) -> AsyncGenerator[tuple[Event, Trace]]:
    """What the recorder does, without a store."""
    trace: Trace | None = None
    async with aclosing(events):
        async for event in events:
            if isinstance(event, RolloutStarted):
                trace = Trace.start(event)
            assert trace is not None
            if not isinstance(event, RolloutStarted):
                trace.apply(event)
            yield event, trace


class Script:
    """Events that come when the test says so."""

    def __init__(self, *turns: str):
        self.go = asyncio.Queue[None]()
        self.closed = asyncio.Event()
        self.turns = turns

    def next(self) -> None:
        self.go.put_nowait(None)

    async def events(self) -> AsyncGenerator[Event]:
        try:
            await self.go.get()
            yield started()
            for at, text in enumerate(self.turns, 1):
                await self.go.get()
                yield reply(text, at)
            await self.go.get()
            yield RolloutFinished(status="answered", answer="42 m", at=len(self.turns))
        finally:
            self.closed.set()

    def record(self, run: Run) -> AsyncGenerator[tuple[Event, Trace]]:
        return fold(run.pace(self.events()))


def started() -> RolloutStarted:
    return RolloutStarted(
        trace_id="r1",
        task=make_task(),
        policy="policy",
        catalog=CatalogRef(name="test", hash="0"),
        protocol="packed",
        started_at=datetime.now(UTC),
    )


def reply(text: str, at: float) -> ReplyReceived:
    return ReplyReceived(offered=(), instruction="", reply=Reply(text=text), at=at)


def live(speed: float | None = None, policy: object = None) -> tuple[Run, Recorder]:
    """A run of the real loop over fakes."""
    world = make_world(policy if isinstance(policy, list) else [SEARCH, ANSWER])
    run = Run("r1", "ada", speed)
    options = Options(trace_id=run.id, owner=run.owner, stop=run.stop, on_text=run.on_text)
    return run, lambda each: fold(each.pace(world.orchestrator.run(make_task(), options)))


async def drawn(runs: Runs, run: Run) -> list[tuple[int, str, bool]]:
    """What a watcher sees: turns, status and whether it is over."""
    return [
        (len(each.trace.turns), each.trace.status, each.done) async for each in runs.watch(run) if each.trace
    ]


async def soon(task: asyncio.Task | asyncio.Future | asyncio.Event, seconds: float = 20) -> object:
    return await asyncio.wait_for(task.wait() if isinstance(task, asyncio.Event) else task, seconds)


async def test_a_watcher_who_comes_before_the_first_event_waits_for_it():
    runs, script, run = Runs(), Script("a"), Run("r1", "ada", None)
    runs.start(run, script.record)
    watcher = asyncio.create_task(drawn(runs, run))
    for _ in range(10):
        await asyncio.sleep(0)
    assert not watcher.done()
    for _ in range(3):
        script.next()
    seen = await watcher
    assert seen[-1] == (1, "answered", True)


async def test_two_watchers_see_every_change_and_the_end():
    runs, script, run = Runs(), Script("a", "b", "c"), Run("r1", "ada", None)
    runs.start(run, script.record)
    watchers = [asyncio.create_task(drawn(runs, run)) for _ in range(2)]
    for _ in range(5):
        script.next()
        for _ in range(12):
            await asyncio.sleep(0)
    for watcher in watchers:
        seen = await soon(watcher)
        assert isinstance(seen, list)
        assert [turns for turns, _, _ in seen] == sorted(turns for turns, _, _ in seen)
        assert {(0, "running", False), (2, "running", False), (3, "running", False)} <= set(seen)
        assert seen[-1] == (3, "answered", True)


async def test_a_slow_watcher_still_sees_the_end():
    runs, script, run = Runs(), Script("a"), Run("r1", "ada", None)
    runs.start(run, script.record)
    script.next()
    seen = []
    async for each in runs.watch(run):
        seen.append((each.done, each.trace.status if each.trace else ""))
        if len(seen) == 1:
            # The run ends while this watcher draws.
            script.next()
            script.next()
            await soon(script.closed)
            await asyncio.sleep(0.01)
    assert seen == [(False, "running"), (True, "answered")]


async def test_a_run_outlives_its_watcher_and_can_be_watched_again():
    runs, script, run = Runs(), Script("a", "b"), Run("r1", "ada", None)
    runs.start(run, script.record)
    script.next()
    async with aclosing(runs.watch(run)) as watching:
        await anext(watching)
    found = runs.get("r1", "ada")
    assert found is run and not run.done
    for _ in range(3):
        script.next()
    assert (await drawn(runs, run))[-1] == (2, "answered", True)
    assert await drawn(runs, run) == [(2, "answered", True)], "a finished run is shown once"


async def test_a_run_is_found_by_its_owner_alone():
    runs, script, run = Runs(), Script(), Run("r1", "ada", None)
    runs.start(run, script.record)
    assert runs.get("r1", "ada") is run and runs.get("r1") is run
    assert runs.get("r1", "eve") is None and runs.get("r2", "ada") is None
    assert (runs.active("ada"), runs.active("eve")) == (1, 0)
    script.next()
    script.next()
    await drawn(runs, run)
    assert runs.active("ada") == 0


async def test_a_call_comes_at_once_also_while_text_streams():
    """The pause between pieces of text must not hold back what is more than text."""
    runs, script, run = Runs(), Script("a"), Run("r1", "ada", None)
    runs.start(run, script.record)
    script.next()
    seen = []
    async for each in runs.watch(run):
        assert each.trace is not None
        seen.append((each.text, len(each.trace.turns), each.done))
        if len(seen) == 1:
            run.on_text("Let ")
            asyncio.get_running_loop().call_soon(run.on_text, "me ")
            asyncio.get_running_loop().call_soon(script.next)
        elif len(each.trace.turns) == 1 and not each.done:
            script.next()
    assert ("", 1, False) in seen and seen[-1] == ("", 1, True)
    assert ("Let ", 0, False) not in seen, "text waits for more of it"


async def test_text_alone_is_shown_and_belongs_to_its_turn():
    runs, script, run = Runs(), Script("a"), Run("r1", "ada", None)
    runs.start(run, script.record)
    script.next()
    shown = []
    async for each in runs.watch(run):
        shown.append(each.text)
        if len(shown) == 1:
            for piece in ("Let ", "me ", "see."):
                run.on_text(piece)
        elif each.text:
            script.next()
            script.next()
    assert shown[:2] == ["", "Let me see."] and shown[-1] == ""


async def test_a_paced_run_keeps_the_real_loop_waiting_and_a_skip_plays_the_rest_at_once():
    run, record = live(speed=1e-3)
    runs = Runs()
    runs.start(run, record)
    seen = []
    async for each in runs.watch(run):
        assert each.trace is not None
        seen.append(each.trace.status)
        if each.trace.turns and not each.done:
            # Four simulated seconds would take more than an hour.
            run.skip()
    assert seen[0] == "running" and seen[-1] == "answered"
    assert run.trace is not None and run.trace.seconds == 9.0


@pytest.mark.parametrize("speed", [None, 1e9])
async def test_a_fast_run_needs_no_skip(speed: float | None):
    run, record = live(speed=speed)
    runs = Runs()
    runs.start(run, record)
    assert (await drawn(runs, run))[-1] == (2, "answered", True)


async def test_a_halt_wakes_a_paced_run_and_stops_it():
    run, record = live(speed=1e-3)
    runs = Runs()
    runs.start(run, record)
    async for each in runs.watch(run):
        if each.trace and each.trace.turns:
            run.halt()
    assert run.trace is not None and run.trace.status == "stopped" and run.done


async def test_pace_closes_what_it_reads_from():
    script, run = Script("a"), Run("r1", "ada", 1.0)
    paced = run.pace(script.events())
    script.next()
    await anext(paced)
    await paced.aclose()
    assert script.closed.is_set()


async def test_closing_the_registry_stops_every_run_and_waits_for_it():
    runs = Runs()
    slow = Line(SEARCH, seconds=3600)
    for name in ("r1", "r2"):
        run, record = live(policy=[slow])
        run.id = name
        runs.start(run, record)
    for _ in range(10):
        await asyncio.sleep(0)
    await soon(asyncio.ensure_future(runs.aclose()))
    for name in ("r1", "r2"):
        run = runs.get(name)
        assert run and run.done and run.trace and run.trace.status == "stopped"
        assert all(charge.estimated for charge in run.trace.charges)


async def test_a_run_that_cannot_be_kept_says_why():
    async def broken(run: Run) -> AsyncGenerator[tuple[Event, Trace]]:
        raise StorageError("The disk is full; make room.")
        yield

    runs, run = Runs(), Run("r1", "ada", None)
    runs.start(run, broken)
    watched = [each async for each in runs.watch(run)]
    assert watched == [run] and run.error == "The disk is full; make room." and run.done


async def test_a_run_that_breaks_off_is_over_and_says_so():
    async def broken(run: Run) -> AsyncGenerator[tuple[Event, Trace]]:
        async with aclosing(fold(Script("a").events())):
            event = started()
            yield event, Trace.start(event)
            raise ZeroDivisionError

    runs, run = Runs(), Run("r1", "ada", None)
    runs.start(run, broken)
    (task,) = asyncio.all_tasks() - {asyncio.current_task()}
    _ = [each async for each in runs.watch(run)]
    with pytest.raises(ZeroDivisionError):
        await task
    assert run.done and run.error and "unexpected error" in run.error


async def test_old_runs_are_forgotten_but_none_that_is_under_way():
    runs, script = Runs(), Script()
    first = Run("under way", "ada", None)
    runs.start(first, script.record)

    async def at_once(run: Run) -> AsyncGenerator[tuple[Event, Trace]]:
        event = started()
        trace = Trace.start(event)
        trace.apply(RolloutFinished(status="answered", answer="1", at=0))
        yield event, trace

    for index in range(KEPT + 5):
        run = Run(str(index), "ada", None)
        runs.start(run, at_once)
        await drawn(runs, run)
    assert runs.get("under way") is first and runs.get("0") is None and runs.get(str(KEPT + 4)) is not None
    await runs.get("under way").stop.run(asyncio.sleep(0))  # type: ignore[union-attr]
    script.next()
    script.next()
    await drawn(runs, first)
