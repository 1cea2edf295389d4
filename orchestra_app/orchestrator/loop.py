"""The loop: plan what may be offered, ask the policy, check its calls, run them, until there is an answer."""

import uuid
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field

from orchestra_app.core.catalog import Catalog
from orchestra_app.core.events import Event
from orchestra_app.core.task import Task
from orchestra_app.core.text import EstimatedTokens, TokenCounter
from orchestra_app.orchestrator.accounts import Account
from orchestra_app.orchestrator.fork import Fork
from orchestra_app.orchestrator.ledger import Ledger
from orchestra_app.orchestrator.policy import Policy
from orchestra_app.orchestrator.rollout import Rollout
from orchestra_app.orchestrator.stop import Stop, Stopped
from orchestra_app.tools.base import Toolbox


@dataclass(frozen=True, slots=True)
class Options:
    """Whose run it is and how it is watched and stopped."""

    trace_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    seed: int = 0
    owner: str = "local"
    consent: bool = False
    group: str | None = None
    fork: Fork | None = None
    """The trace that this run goes on from, and the turn from which it does."""
    job: Account | None = None
    """A cap that this run shares with others."""
    stop: Stop = field(default_factory=Stop)
    on_text: Callable[[str], None] | None = None
    """Called with the policy's text as it streams in."""
    on_reserved: Callable[[float], None] | None = None
    """Called with the USD that are set aside for calls under way, whenever more is."""


@dataclass(frozen=True, slots=True)
class Orchestrator:
    """Runs one policy over one catalogue's tools."""

    catalog: Catalog
    toolbox: Toolbox
    policy: Policy
    ledger: Ledger
    tokens: TokenCounter = field(default_factory=EstimatedTokens)

    async def run(self, task: Task, options: Options | None = None) -> AsyncGenerator[Event]:
        """Yield the events of one rollout; the last is always a `RolloutFinished`.

        Failures of backends, tools and budgets are part of the events. Closing the generator cancels what is
        in flight and settles it. Raises ConfigError before the first event for a fork that cannot be.
        """
        options = options or Options()
        if options.fork:
            options.fork.check(self.catalog, self.policy)
        rollout = Rollout(self, task, options)
        yield rollout.started
        try:
            for event in rollout.taken_over():
                rollout.trace.apply(event)
                yield event
            while rollout.trace.status == "running":
                async with aclosing(rollout.turn()) as events:
                    async for event in events:
                        rollout.trace.apply(event)
                        yield event
        except Stopped:
            for event in rollout.cut_short():
                rollout.trace.apply(event)
                yield event
        finally:
            rollout.close()
