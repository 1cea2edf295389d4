"""The record of a rollout: the fold of its events, with what can be read off it."""

import math
from collections import Counter
from typing import Any, Literal, TypeGuard

from pydantic import BaseModel, ConfigDict, Field

from orchestra_app.core.events import (
    CatalogRef,
    Event,
    Protocol,
    ReplyReceived,
    RolloutFinished,
    RolloutStarted,
    Status,
    ToolFinished,
)
from orchestra_app.core.message import Document, Execution, Offer, Reply, ToolCall, ToolResult
from orchestra_app.core.task import NEUTRAL, Task
from orchestra_app.core.usage import Charge, Usage
from orchestra_app.core.value import Moment, Value


class Turn(Value):
    """One reply of the policy and the results of the calls it made."""

    offered: tuple[Offer, ...]
    instruction: str
    reply: Reply
    results: tuple[ToolResult, ...] = ()
    forced: str | None = None
    """Why the loop chose this call instead of the policy, where it did."""

    def result(self, call_id: str) -> ToolResult | None:
        """Return the result of one call, or None while it is under way."""
        return next((r for r in self.results if r.call_id == call_id), None)


class Label(Value):
    """One verdict on a trace, or with `call_id` a mark on one of its calls, with its source.

    Of a mark, `correct` True means that the call was useful, None that it was wasteful (not wrong, but the
    trace would have done without it), False that it was wrong. A mark never counts as the trace's verdict.
    """

    source: Literal["human", "judge", "benchmark"]
    correct: bool | None = None
    """None: unsure."""
    rating: int | None = Field(default=None, ge=1, le=5)
    gold: str | None = Field(default=None, max_length=20_000)
    note: str | None = Field(default=None, max_length=20_000)
    call_id: str | None = None
    """The call that this label is about; None: the whole trace."""
    charge: Charge | None = None
    """What the judge cost, if one was asked."""
    by: str = "local"
    at: Moment


SOURCE_ORDER = ("human", "benchmark", "judge")


class Trace(BaseModel):
    """The record of a rollout; built only by `Trace.start` and `Trace.apply`."""

    model_config = ConfigDict(extra="forbid")

    id: str
    task: Task
    policy: str
    catalog: CatalogRef
    protocol: Protocol
    render: str = "hle"
    seed: int = 0
    turns: list[Turn] = Field(default_factory=list)
    status: Status = "running"
    answer: str | None = None
    error: str | None = None
    started_at: Moment
    """In UTC."""
    seconds: float = 0.0
    """Seconds from the start to the latest event."""
    parent: str | None = None
    reused: int = 0
    """How many of the first turns were taken over from the parent, where they were paid."""
    group: str | None = None
    owner: str = "local"
    consent: bool = False
    labels: list[Label] = Field(default_factory=list)

    @classmethod
    def start(cls, event: RolloutStarted) -> "Trace":
        """Return the trace that begins with `event`."""
        fields = {name: getattr(event, name) for name in type(event).model_fields if name not in _NOT_KEPT}
        return cls(id=event.trace_id, **fields)

    def apply(self, event: Event) -> None:
        """Fold the next event in; raises ValueError for one that cannot come next."""
        if self.status != "running":
            raise ValueError(f"Trace {self.id} is {self.status}; no event can follow.")
        match event:
            case ReplyReceived():
                turn = Turn(
                    offered=event.offered,
                    instruction=event.instruction,
                    reply=event.reply,
                    forced=event.forced,
                )
                self.turns.append(turn)
            case ToolFinished() if self.turns:
                last = self.turns[-1]
                self.turns[-1] = last.model_copy(update={"results": (*last.results, event.result)})
            case RolloutFinished():
                self.status, self.answer, self.error = event.status, event.answer, event.error
            case _:
                raise ValueError(f"A {event.type} event cannot come here in trace {self.id}.")
        self.seconds = max(self.seconds, event.at)

    @property
    def charges(self) -> list[Charge]:
        """Every charge in the order of the turns: a turn's policy first, then its calls."""
        found: list[Charge] = []
        for turn in self.turns:
            found.extend(turn.reply.charges)
            for result in turn.results:
                found.extend(result.charges)
        return found

    @property
    def usage(self) -> Usage:
        """What all charges used together."""
        return sum((charge.usage for charge in self.charges), Usage())

    @property
    def cost(self) -> float:
        """USD of all charges."""
        return math.fsum(charge.cost for charge in self.charges)

    @property
    def simulated(self) -> bool:
        """True where no charge was real money."""
        charges = self.charges
        return bool(charges) and all(charge.simulated for charge in charges)

    @property
    def tool_counts(self) -> dict[str, int]:
        """How often each tool was called and gave a result."""
        return dict(Counter(call.name for _, call, _ in self.calls))

    @property
    def calls(self) -> list[tuple[Turn, ToolCall, ToolResult]]:
        """Every call that ran, with its turn and its result; calls refused as invalid are left out."""
        found = []
        for turn in self.turns:
            for call in turn.reply.calls:
                result = turn.result(call.id)
                if result is not None and (result.charges or result.error is None):
                    found.append((turn, call, result))
        return found

    @property
    def documents(self) -> list[Document]:
        """Every document found, in the order in which it reached the policy."""
        return [document for turn in self.turns for result in turn.results for document in result.documents]

    @property
    def executions(self) -> list[Execution]:
        """Every run of Python code, in order."""
        return [run for turn in self.turns for result in turn.results for run in result.executions]

    @property
    def correct(self) -> bool | None:
        """The verdict: human over benchmark over judge, the latest of each; None without one or unsure."""
        for source in SOURCE_ORDER:
            whole = [label for label in self.labels if label.source == source and label.call_id is None]
            if whole:
                return max(whole, key=lambda label: label.at).correct
        return None

    @property
    def adherence(self) -> float:
        """How far the calls followed the sliders, in [0, 1]: 1 minus the sum of their regrets."""
        return max(0.0, 1.0 - math.fsum(regret(turn, call) for turn, call, _ in self.calls))

    def export(self) -> dict[str, Any]:
        """Return the trace as JSON values, with `cost`, `usage`, `adherence` and `correct` added."""
        derived = {
            "cost": self.cost,
            "usage": self.usage.model_dump(),
            "adherence": self.adherence,
            "correct": self.correct,
        }
        return self.model_dump(mode="json") | derived

    @property
    def violations(self) -> int:
        """Calls that ran although they were not on offer; the engine keeps this at 0."""
        return sum(1 for turn, call, _ in self.calls if not _was_offered(turn, call))


_NOT_KEPT = {"type", "trace_id"}


def is_id(value: Any) -> TypeGuard[str]:
    """Return whether something from elsewhere can be a trace's id: a line of 1 to 200 characters."""
    return isinstance(value, str) and 0 < len(value) <= 200 and bool(value.strip()) and value.isprintable()


def alias_of(call: ToolCall) -> str | None:
    """Return the model alias that a call names, or None."""
    arguments: Any = call.arguments
    alias = arguments.get("model") if isinstance(arguments, dict) else None
    return alias if isinstance(alias, str) else None


def called(call: ToolCall) -> str:
    """Return how a call is shown to people: its tool and the alias that it names, if it names one."""
    alias = alias_of(call)
    return f"{call.name} → {alias}" if alias else call.name


def regret(turn: Turn, call: ToolCall) -> float:
    """Return how much better liked the best alias on offer was than the called one, plus the tool's own."""
    offer = next((o for o in turn.offered if o.name == call.name), None)
    if offer is None:
        return 0.0
    alias = alias_of(call)
    best = max(offer.choices.values(), default=NEUTRAL)
    called = offer.choices.get(alias, best) if alias else best
    return (best - called) + max(0.0, NEUTRAL - offer.slider)


def _was_offered(turn: Turn, call: ToolCall) -> bool:
    offer = next((o for o in turn.offered if o.name == call.name), None)
    return offer is not None and (not offer.choices or alias_of(call) in offer.choices)
