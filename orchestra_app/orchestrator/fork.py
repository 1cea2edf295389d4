"""Going another way from a turn of a finished trace: what is taken over, and why it cannot be, if so."""

import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass

from orchestra_app.core.catalog import Catalog
from orchestra_app.core.errors import ConfigError
from orchestra_app.core.events import Event, ReplyReceived, ToolFinished
from orchestra_app.core.task import Budget, Preference, Task
from orchestra_app.core.trace import Trace, Turn
from orchestra_app.core.usage import Charge
from orchestra_app.orchestrator.policy import Policy


@dataclass(frozen=True, slots=True)
class Fork:
    """Where a run leaves the way of a finished trace; raises ConfigError where it cannot.

    What is taken over stands in the new trace and counts in its cost, seconds and budget. It was paid in the
    old one, so it is charged to nobody's day and to no job.
    """

    trace: Trace
    turn: int
    """The first turn that runs again, from 1; those before it are taken over."""

    def __post_init__(self) -> None:
        trace, last = self.trace, last_turn(self.trace)
        if trace.status == "running":
            raise ConfigError(
                f"Trace {trace.id} is still running: stop it or wait for its end, then fork it."
            )
        if isinstance(self.turn, bool) or not isinstance(self.turn, int) or not 1 <= self.turn <= last:
            raise ConfigError(
                f"Trace {trace.id} cannot be forked from turn {str(self.turn)[:20]}: "
                f"choose a turn from 1 to {last}."
            )
        if not (math.isfinite(self.cost) and math.isfinite(self.seconds)):
            raise ConfigError(f"The charges of trace {trace.id} are no numbers: ask its question anew.")

    @property
    def turns(self) -> tuple[Turn, ...]:
        """The turns that are taken over."""
        return tuple(self.trace.turns[: self.turn - 1])

    @property
    def cost(self) -> float:
        """USD of what is taken over."""
        return math.fsum(charge.cost for charge in self._charges())

    @property
    def seconds(self) -> float:
        """Seconds after the start at which what is taken over was done."""
        return max((at for turn in self.turns for at in _moments(turn)), default=0.0)

    def _charges(self) -> Iterator[Charge]:
        for turn in self.turns:
            yield from turn.reply.charges
            for result in turn.results:
                yield from result.charges

    def events(self) -> Iterator[Event]:
        """Yield the events of what is taken over, as they came."""
        for turn in self.turns:
            yield ReplyReceived(
                offered=turn.offered,
                instruction=turn.instruction,
                reply=turn.reply,
                forced=turn.forced,
                at=turn.reply.at,
            )
            for result in turn.results:
                yield ToolFinished(result=result, at=result.at)

    def task(self, preference: Preference, budget: Budget) -> Task:
        """Return the same question under these sliders and this budget.

        With the trace's own settings it is the trace's own task; else forks with equal settings have a task
        of one id.
        """
        task = self.trace.task
        if (task.preference, task.budget) == (preference, budget):
            return task
        settings = {"preference": preference.model_dump(), "budget": budget.model_dump()}
        known = json.dumps([task.question, task.answer, settings], sort_keys=True)
        digest = hashlib.sha256(known.encode()).hexdigest()[:12]
        return task.model_copy(update={"id": digest, "preference": preference, "budget": budget})

    def group(self, task: Task) -> str:
        """Return the group of a fork: those of one trace, from one turn, under one wish.

        The trace itself is not in it: the turns that it shares with them were chosen once, not again.
        """
        return f"fork/{self.trace.id}/{self.turn}/{task.id}"

    def check(self, catalog: Catalog, policy: Policy) -> None:
        """Raise ConfigError where this policy over this catalogue cannot go on from these turns."""
        trace = self.trace
        if trace.catalog.hash != catalog.hash:
            raise ConfigError(
                f"Trace {trace.id} was made with the catalogue {trace.catalog.name} as it was then "
                f"({trace.catalog.hash}), not with {catalog.name} ({catalog.hash}): ask its question anew."
            )
        if self.turns and policy.protocol != trace.protocol:
            raise ConfigError(
                f"{policy.name} speaks the {policy.protocol} protocol and cannot go on from turns of the "
                f"{trace.protocol} protocol: fork from turn 1, or choose another policy."
            )

    def excess(self, budget: Budget) -> str | None:
        """Return why `budget` leaves nothing for another turn, as a sentence; None where it may."""
        advice = "or fork from an earlier turn."
        if budget.cost is not None and self.cost > budget.cost:
            return (
                f"The turns taken over cost ${self.cost:.6f}, more than the budget of ${budget.cost:g}: "
                f"raise the budget in dollars, {advice}"
            )
        if budget.seconds is not None and self.seconds >= budget.seconds:
            return (
                f"The turns taken over took {self.seconds:.1f} s of the budget of {budget.seconds:g} s: "
                f"raise the budget in seconds, {advice}"
            )
        if len(self.turns) > budget.turns:
            return (
                f"{len(self.turns)} turns are taken over, more than the budget of {budget.turns}: "
                f"raise the budget in turns, {advice}"
            )
        return None


def last_turn(trace: Trace) -> int:
    """Return the last turn from which a trace can be forked: one past its end where it has no answer."""
    return max(1, len(trace.turns) + (trace.status != "answered"))


def _moments(turn: Turn) -> Iterator[float]:
    yield turn.reply.at
    yield from (result.at for result in turn.results)
