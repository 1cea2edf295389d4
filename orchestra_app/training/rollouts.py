"""Fresh groups: the orchestrator's own loop with the policy that is being trained, many rollouts at once."""

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from random import Random
from typing import Protocol

from orchestra_app.backends.base import Backend, Request
from orchestra_app.core.catalog import Catalog
from orchestra_app.core.errors import BackendError, BudgetError, ContextError, OrchestraError, TrainingError
from orchestra_app.core.events import Event, RolloutStarted
from orchestra_app.core.message import Reply
from orchestra_app.core.purse import Purse
from orchestra_app.core.task import Budget, Task
from orchestra_app.core.trace import Trace
from orchestra_app.orchestrator.accounts import Account
from orchestra_app.orchestrator.ledger import CallPurse, Ledger
from orchestra_app.orchestrator.loop import Options, Orchestrator
from orchestra_app.orchestrator.policy import Policy
from orchestra_app.sandbox.base import Sandbox
from orchestra_app.scoring.judge import Judge
from orchestra_app.scoring.verdict import exact, verdict
from orchestra_app.storage.store import Store
from orchestra_app.training.drawing import Asked
from orchestra_app.training.replay import Saved


class World(Protocol):
    """What training needs of the house; the workspace is one."""

    @property
    def store(self) -> Store: ...

    @property
    def sandbox(self) -> Sandbox: ...
    @property
    def ledger(self) -> Ledger: ...

    def catalog(self, name: str | None = None) -> Catalog: ...

    async def judge(self, name: str, catalog: str | None = None) -> Judge: ...

    async def conduct(
        self, policy: Policy, catalog: Catalog, sandbox: Sandbox | None = None
    ) -> Orchestrator: ...

    def rollout(
        self, orchestrator: Orchestrator, task: Task, options: Options
    ) -> AsyncGenerator[tuple[Event, Trace]]: ...


@dataclass
class Watched:
    """The backend of the policy that learns: what breaks in it is not the policy's doing."""

    backend: Backend
    broken: BackendError | None = None
    """The first that broke since the last play."""

    async def complete(self, request: Request, purse: Purse) -> Reply:
        """Return the backend's reply, and keep what it raises unless the prompt was too long."""
        try:
            return await self.backend.complete(request, purse)
        except ContextError:
            raise
        except BackendError as error:
            self.broken = self.broken or error
            raise


@dataclass(frozen=True, slots=True)
class Plan:
    """How the rollouts of one step, or of an evaluation, are made."""

    asked: Sequence[Asked]
    repeats: int
    """Rollouts of each question."""
    group: str
    """How the names of their groups begin."""
    seed: str
    """With the place of a question and the number of its rollout it decides every draw."""


@dataclass
class Players:
    """Plays rollouts of one policy and keeps them in the store."""

    world: World
    policy: Policy
    sandbox: Sandbox
    """Runs the code of rollouts."""
    account: Account | None = None
    """The job's cap."""
    saved: Saved | None = None
    """Results that are taken instead of calling a tool."""
    judge: Judge | None = None
    """Compares answers with gold answers where nothing else decides."""
    at_once: int = 64
    names: Random = field(default_factory=Random)
    """Gives traces their ids: asking the system for each lets the generating thread in between."""
    _orchestrators: dict[str, Orchestrator] = field(default_factory=dict)
    _keeping: asyncio.Task[None] | None = None

    async def play(self, plan: Plan, *, greedy: bool = False) -> list[list[Trace]]:
        """Return a group of judged traces for each question; a rollout that fails is one of them.

        greedy: whether the policy takes its likeliest reply. Raises TrainingError where no rollout could even
        begin, and where the policy's backend broke: its rollouts would count as wrong.
        """
        gate = asyncio.Semaphore(self.at_once)
        stages = [await self._orchestrator(each.catalog, greedy=greedy) for each in plan.asked]
        groups = _names(plan)
        try:
            async with asyncio.TaskGroup() as tasks:
                running = [
                    [
                        tasks.create_task(self._one(plan, group, stage, asked, k, gate))
                        for k in range(plan.repeats)
                    ]
                    for group, stage, asked in zip(groups, stages, plan.asked, strict=True)
                ]
        except* OrchestraError as wrong:
            # One sentence is enough: what a database refuses, it refuses every rollout.
            raise wrong.exceptions[0] from wrong
        played = [[task.result() for task in group] for group in running]
        _refuse_if_nothing_ran(played)
        if broken := self._broken():
            raise TrainingError(str(broken))
        # Written while the policy learns from them; `kept` waits for it.
        self._keeping = asyncio.create_task(self._keep([trace for group in played for trace in group]))
        return played

    def _broken(self) -> BackendError | None:
        backend = self.policy.backend
        if not isinstance(backend, Watched):
            return None
        broken, backend.broken = backend.broken, None
        return broken

    async def kept(self) -> None:
        """Wait until the rollouts of the last play are in the store; raises StorageError."""
        keeping, self._keeping = self._keeping, None
        if keeping is not None:
            await keeping

    async def _orchestrator(self, catalog: Catalog, *, greedy: bool) -> Orchestrator:
        if catalog.hash not in self._orchestrators:
            made = await self.world.conduct(self.policy, catalog, self.sandbox)
            if self.saved is not None:
                made = replace(made, toolbox=self.saved.over(made.toolbox))
            if len(self._orchestrators) > 256:
                self._orchestrators.clear()
            self._orchestrators[catalog.hash] = made
            await self.world.store.save_catalog(catalog)
        made = self._orchestrators[catalog.hash]
        return replace(made, policy=replace(made.policy, temperature=0.0)) if greedy else made

    async def _one(
        self,
        plan: Plan,
        group: str,
        orchestrator: Orchestrator,
        asked: Asked,
        k: int,
        gate: asyncio.Semaphore,
    ) -> Trace:
        options = Options(
            trace_id=f"{self.names.getrandbits(128):032x}",
            seed=Random(f"{plan.seed} {asked.number} {k}").getrandbits(31),
            group=group,
            job=self.account,
        )
        async with gate:
            if not orchestrator.catalog.simulated:
                return await self._recorded(orchestrator, asked.task, options)
            trace = await _unrecorded(orchestrator, asked.task, options)
        return await self._judged(trace)

    async def _recorded(self, orchestrator: Orchestrator, task: Task, options: Options) -> Trace:
        """Keep a rollout that costs real money while it runs, so that nothing paid is lost."""
        trace = None
        async with aclosing(self.world.rollout(orchestrator, task, options)) as rollout:
            async for _, latest in rollout:
                trace = latest
        assert trace is not None, "a rollout has at least its first event"
        known = len(trace.labels)
        trace = await self._judged(trace)
        for label in trace.labels[known:]:
            await self.world.store.add_label(trace.id, label)
        return trace

    async def _judged(self, trace: Trace) -> Trace:
        if any(label.call_id is None for label in trace.labels):
            return trace
        label = exact(trace)
        if label is None:
            unlimited = Budget(cost=None, seconds=None)
            purse = CallPurse(
                self.world.ledger.open(unlimited, owner="local", simulated=False, job=self.account)
            )
            try:
                label = await verdict(trace, self.world.sandbox, judge=self.judge, purse=purse)
            except (BackendError, BudgetError):
                # A judge that fails leaves the trace without a verdict, and the group goes on without it.
                return trace
            finally:
                purse.close()
        if label is not None:
            trace.labels.append(label)
        return trace

    async def _keep(self, traces: Sequence[Trace]) -> None:
        simulated = [trace for trace in traces if trace.simulated or not trace.charges]
        await self.world.store.insert(simulated)


def _names(plan: Plan) -> list[str]:
    """Return the name of each question's group; one that is asked again in the same step has another."""
    names, seen = [], Counter[str]()
    for asked in plan.asked:
        name = hashlib.sha256(asked.task.id.encode()).hexdigest()[:16]
        names.append(f"{plan.group}{name}" + (f"-{seen[name]}" if seen[name] else ""))
        seen[name] += 1
    return names


async def _unrecorded(orchestrator: Orchestrator, task: Task, options: Options) -> Trace:
    trace = None
    async with aclosing(orchestrator.run(task, options)) as events:
        async for event in events:
            if isinstance(event, RolloutStarted):
                trace = Trace.start(event)
            elif trace is not None:
                trace.apply(event)
    assert trace is not None, "a rollout has at least its first event"
    return trace


def paid(trace: Trace, catalog: Catalog) -> float:
    """Return the USD that a rollout and its judge took; what was replayed of a real model took none."""
    judged = (label.charge for label in trace.labels if label.charge is not None)
    taken = (charge for charge in trace.charges if catalog.simulated or not charge.simulated)
    return sum(charge.cost for charge in (*taken, *judged))


def _refuse_if_nothing_ran(groups: Sequence[Sequence[Trace]]) -> None:
    traces = [trace for group in groups for trace in group]
    if traces and all(not trace.turns and trace.error for trace in traces):
        raise TrainingError(f"No rollout could begin. {traces[0].error}")
