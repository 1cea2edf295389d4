"""The rehearsal inside this process: the real loop, tools and ledger over simulated experts, unrecorded."""

import re
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from orchestra_app.backends.base import Backend
from orchestra_app.catalogs import load_catalog
from orchestra_app.core.catalog import Catalog, Model
from orchestra_app.core.message import Execution
from orchestra_app.core.task import Task
from orchestra_app.core.text import EstimatedTokens, TokenCounter
from orchestra_app.core.trace import Trace
from orchestra_app.core.usage import Price
from orchestra_app.orchestrator.ledger import Ledger
from orchestra_app.orchestrator.loop import Options, Orchestrator
from orchestra_app.orchestrator.policy import Policy
from orchestra_app.rehearsal.corpus import corpus
from orchestra_app.rehearsal.experts import SimulatedExperts
from orchestra_app.rehearsal.free import arithmetic_program
from orchestra_app.rehearsal.questions import questions
from orchestra_app.rehearsal.replies import UNKNOWN_FIGURES
from orchestra_app.rehearsal.typed import typed
from orchestra_app.sandbox import Sandbox, open_sandbox
from orchestra_app.tools.base import Toolbox
from orchestra_app.tools.box import Means, open_finders, packed_toolbox
from orchestra_app.tools.roster import Experts

POLICY_SECONDS = 1.0
"""Seconds that a reply of a small policy is taken to need."""


class KnownOutputs:
    """A sandbox that remembers what programs print, the rehearsal's own right ones from the start.

    Programs that are the rehearsal's own but for their numbers run right here, which is much faster.
    """

    def __init__(self, sandbox: Sandbox):
        self._sandbox = sandbox
        own = [question for question in questions("train") if question.program]
        self._shapes = {_shape(question.program) for question in own}
        self._sums = {program for each in typed("train") if (program := arithmetic_program(each.text))}
        self._known: dict[str, Execution] = {
            question.program: Execution(code=question.program, stdout=f"{question.gold}\n", status=0)
            for question in own
        }

    @property
    def rung(self) -> str:
        return self._sandbox.rung

    @property
    def reason(self) -> str:
        return self._sandbox.reason

    async def run(self, code: str, *, seconds: float = 10.0) -> Execution:
        found = self._known.get(code)
        if found is None:
            own = code in self._sums or _shape(code.removeprefix(UNKNOWN_FIGURES)) in self._shapes
            found = _run_here(code) if own else await self._sandbox.run(code, seconds=seconds)
            if not found.timed_out:
                self._known[code] = found
        return found

    async def aclose(self) -> None:
        await self._sandbox.aclose()


def _shape(code: str) -> str:
    return re.sub(r"\d+", "#", code)


def _run_here(code: str) -> Execution:
    """Run a program of the rehearsal's own, which ends soon and does nothing but print."""
    printed: list[str] = []
    try:
        exec(code, {"print": lambda *values: printed.append(" ".join(map(str, values)) + "\n")})  # noqa: S102
    except NameError as error:
        return Execution(code=code, stdout="".join(printed), stderr=f"NameError: {error}\n", status=1)
    return Execution(code=code, stdout="".join(printed), status=0)


class _NoDays:
    """Day accounts that stay empty: only simulated runs are opened here, and these touch none."""

    def lease(self, key: str, amount: int, cap: int | None) -> bool:
        return False

    def give_back(self, key: str, amount: int) -> None:
        return None

    def taken(self, key: str) -> int:
        return 0


@dataclass(frozen=True, slots=True)
class Stage:
    """What rollouts in this process need."""

    catalog: Catalog
    toolbox: Toolbox
    tokens: TokenCounter = field(default_factory=EstimatedTokens)

    def orchestrator(self, policy: Policy) -> Orchestrator:
        """Return what runs a policy here."""
        return Orchestrator(self.catalog, self.toolbox, policy, Ledger(_NoDays()), self.tokens)

    def policy(self, name: str, backend: Backend) -> Policy:
        """Return a backend as a policy of the packed protocol that costs nothing."""
        free = Model(backend="simulated", price=Price(source="it runs in this process"))
        return Policy(name, name, backend, free, latency=POLICY_SECONDS)


@asynccontextmanager
async def open_stage(catalog: Catalog | None = None) -> AsyncGenerator[Stage]:
    """Open the rehearsal's tools and a sandbox, closed at the end."""
    catalog = catalog or load_catalog("rehearsal")
    simulated = SimulatedExperts()
    with TemporaryDirectory() as folder:
        sandbox = KnownOutputs(open_sandbox(Path(folder)))
        try:
            finders = open_finders(catalog, bundled=corpus(), key={}.get, cache=None)
            experts = Experts(catalog, lambda _: simulated)
            yield Stage(catalog, packed_toolbox(experts, Means(finders, sandbox)))
        finally:
            await sandbox.aclose()


async def roll(orchestrator: Orchestrator, task: Task, *, seed: int) -> Trace:
    """Return the trace of one rollout, which nothing keeps."""
    trace = None
    async with aclosing(orchestrator.run(task, Options(trace_id="stage", seed=seed))) as events:
        async for event in events:
            if trace is None:
                assert event.type == "started", "a rollout has at least its first event"
                trace = Trace.start(event)
            else:
                trace.apply(event)
    assert trace is not None, "a rollout has at least its first event"
    return trace
