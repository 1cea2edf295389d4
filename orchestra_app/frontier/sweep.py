"""Runs a sweep: bounded, capped, stoppable, and after a crash from where it was, without paying twice."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from typing import Annotated, Literal, Protocol

from pydantic import Field

from orchestra_app.core.errors import ConfigError
from orchestra_app.core.events import Event
from orchestra_app.core.task import Task
from orchestra_app.core.trace import Trace
from orchestra_app.core.value import Value
from orchestra_app.frontier.definition import Run, Sweep
from orchestra_app.frontier.rows import Row, row_of
from orchestra_app.frontier.stock import Stock, is_starved, take_stock
from orchestra_app.orchestrator.accounts import Shared
from orchestra_app.orchestrator.ledger import CAPS
from orchestra_app.orchestrator.loop import Options, Orchestrator
from orchestra_app.orchestrator.stop import Stop, Stopped
from orchestra_app.sandbox.base import Sandbox
from orchestra_app.scoring.verdict import verdict
from orchestra_app.storage.store import Store


class World(Protocol):
    """What a sweep needs of the house; the workspace is one."""

    @property
    def store(self) -> Store: ...

    @property
    def sandbox(self) -> Sandbox: ...

    async def orchestrator(self, catalog: str | None = None, policy: str | None = None) -> Orchestrator: ...

    def rollout(
        self, orchestrator: Orchestrator, task: Task, options: Options
    ) -> AsyncGenerator[tuple[Event, Trace]]: ...


class SweepStarted(Value):
    type: Literal["sweep-started"] = "sweep-started"
    id: str
    total: int
    done: int
    """Runs that were finished before."""
    spent: float
    """USD spent before; what a killed process had set aside counts in."""


class RunFinished(Value):
    type: Literal["run-finished"] = "run-finished"
    row: Row
    done: int
    total: int
    spent: float
    """USD of the whole sweep."""
    seconds_left: float
    """Seconds of real time until the end, at the pace so far."""


Ending = Literal["done", "stopped", "capped", "starved"]


class SweepFinished(Value):
    type: Literal["sweep-finished"] = "sweep-finished"
    status: Ending
    """`capped`: the sweep's own cap is used up; `starved`: one that it shares with others."""
    done: int
    total: int
    spent: float
    reason: str = ""
    """Why not every run is done, and what to do about it."""


Progress = Annotated[SweepStarted | RunFinished | SweepFinished, Field(discriminator="type")]


async def sweep(
    world: World, definition: Sweep, *, stop: Stop | None = None
) -> AsyncGenerator[SweepStarted | RunFinished | SweepFinished]:
    """Yield the progress of a sweep; what is stored and finished already is not run again.

    Setting `stop` settles and keeps what is under way; closing the generator cancels it. Raises ConfigError
    before anything is spent where a policy cannot be used or the sweep is under way elsewhere, StorageError
    where a trace cannot be kept. Consume it with `aclosing`.
    """
    orchestrators = await prepare(world, definition)
    stock = await take_stock(world.store, definition)
    course = Course(world, definition, orchestrators, stock, stop or Stop())
    total, before = definition.total, len(stock.finished)
    yield SweepStarted(id=definition.id, total=total, done=before, spent=course.spent)
    async with aclosing(course.go_on()) as rows:
        async for row in rows:
            yield RunFinished(
                row=row,
                done=course.done,
                total=total,
                spent=course.spent,
                seconds_left=course.seconds_left(total),
            )
    status, reason = course.ending()
    yield SweepFinished(status=status, done=course.done, total=total, spent=course.spent, reason=reason)


async def prepare(world: World, definition: Sweep) -> dict[str, Orchestrator]:
    """Return what runs each policy of a sweep; raises ConfigError where one cannot be used now."""
    policies = dict.fromkeys(setting.policy for setting in definition.settings)
    found = {policy: await world.orchestrator(definition.catalog.name, policy) for policy in policies}
    if any(each.catalog.hash != definition.catalog.hash for each in found.values()):
        raise ConfigError(
            f"The catalogue {definition.catalog.name} has changed since sweep {definition.id} began, and its "
            "figures must not be mixed; put it back as it was, or start a new sweep."
        )
    return found


class Course:
    """A sweep on its way: what is left, what is under way, and what was spent."""

    def __init__(
        self,
        world: World,
        definition: Sweep,
        orchestrators: dict[str, Orchestrator],
        stock: Stock,
        stop: Stop,
    ):
        self.done = len(stock.finished)
        self.spent = stock.spent
        self._world, self._sweep, self._orchestrators = world, definition, orchestrators
        self._stop = stop
        self._left = deque(stock.left)
        self._running: dict[asyncio.Task[Trace], tuple[Run, Stop]] = {}
        self._dearest = 0.0
        self._short: Literal["capped", "starved"] | None = None
        """Which kind of cap leaves too little for a further run, if one does."""
        self._began, self._before = time.monotonic(), self.done
        cap = definition.cap
        self._account = None if cap is None else Shared(definition.id, max(0.0, cap - self.spent))

    async def go_on(self) -> AsyncGenerator[Row]:
        """Yield the row of each run that ends, until all are done, the cap is reached or it is stopped."""
        try:
            while self._start() or self._running:
                waiting = asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
                ended, _ = await self._stop.run(waiting)
                for row in await self._ended(ended):
                    yield row
        except Stopped:
            for _, switch in self._running.values():
                switch.set()
            if self._running:
                ended, _ = await asyncio.wait(self._running)
                for row in await self._ended(ended):
                    yield row
        finally:
            # What is in flight then stands on the run's own bill; were it cancelled, on the account's alone.
            for _, switch in self._running.values():
                switch.set()
            await asyncio.gather(*self._running, return_exceptions=True)

    def ending(self) -> tuple[Ending, str]:
        """Return how the sweep has ended, and what to do where not every run is done."""
        if self.done == self._sweep.total:
            return "done", ""
        if self._stop.is_set:
            return "stopped", f"It was stopped; go on with: orchestra frontier --resume {self._sweep.id}"
        if self._short == "starved":
            return "starved", (
                "Today's cap leaves too little for a whole run; raise it or wait until tomorrow, then go on "
                f"with: orchestra frontier --resume {self._sweep.id}"
            )
        return "capped", (
            f"The next run might spend more than the cap of ${self._sweep.cap:g} leaves; "
            f"go on with: orchestra frontier --resume {self._sweep.id} --cap USD"
        )

    def seconds_left(self, total: int) -> float:
        """Return the seconds of real time until all runs are done, at the pace so far."""
        done = max(1, self.done - self._before)
        return (time.monotonic() - self._began) / done * (total - self.done)

    def _start(self) -> bool:
        """Start what may run now; return whether anything was started."""
        started = False
        while self._left and len(self._running) < self._sweep.concurrency and self._fits(self._left[0][0]):
            run, attempt = self._left.popleft()
            switch = Stop()
            task = asyncio.create_task(self._one(run, attempt, switch))
            self._running[task] = (run, switch)
            started = True
        return started

    def _fits(self, run: Run) -> bool:
        """Return whether a run can have all of its budget, so that the cap never bends what is measured."""
        if self._stop.is_set or self._short:
            return False
        held = sum(self._most(each) for each, _ in self._running.values())
        if self._sweep.cap is not None and self.spent + held + self._most(run) > self._sweep.cap:
            return False
        ledger = self._orchestrators[run.setting.policy].ledger
        left = ledger.left(owner=self._sweep.owner, simulated=self._sweep.simulated)
        if left is None or held + self._most(run) <= left:
            return True
        # What is under way leaves something of its budget, most likely.
        self._short = None if self._running else "starved"
        return False

    def _most(self, run: Run) -> float:
        budget = run.setting.budget.cost
        return 2 * self._dearest if budget is None else budget

    async def _one(self, run: Run, attempt: int, switch: Stop) -> Trace:
        options = Options(
            trace_id=run.trace_id(attempt),
            seed=self._sweep.seed + run.repeat,
            owner=self._sweep.owner,
            consent=self._sweep.consent,
            group=run.group,
            job=self._account,
            stop=switch,
        )
        orchestrator = self._orchestrators[run.setting.policy]
        trace = None
        async with aclosing(self._world.rollout(orchestrator, run.task, options)) as rollout:
            async for _, latest in rollout:
                trace = latest
        assert trace is not None, "a rollout has at least its first event"
        return trace

    async def _ended(self, ended: Iterable[asyncio.Task[Trace]]) -> list[Row]:
        rows = []
        for task in ended:
            run, _ = self._running.pop(task)
            trace = task.result()
            self.spent += trace.cost
            self._dearest = max(self._dearest, trace.cost)
            if is_starved(trace.status, trace.error):
                self._short = "capped" if CAPS["job"] in (trace.error or "") else "starved"
                continue
            if trace.status in ("stopped", "interrupted"):
                continue
            await judge(self._world, trace)
            rows.append(finished_row(run, trace))
            self.done += 1
        return rows


def finished_row(run: Run, trace: Trace) -> Row:
    """Return what the finished trace of a run adds to the comparison."""
    return row_of(
        trace,
        setting=run.setting.name,
        question=run.question.id,
        repeat=run.repeat,
        simulated=run.sweep.simulated,
    )


async def judge(world: World, trace: Trace) -> None:
    """Keep the automatic verdict on a trace that has none, where there is one."""
    if any(label.call_id is None for label in trace.labels):
        return
    label = await verdict(trace, world.sandbox)
    if label is not None:
        await world.store.add_label(trace.id, label)
        trace.labels.append(label)
