"""The four events of a rollout; a trace is their fold."""

from typing import Annotated, Literal

from pydantic import Field

from orchestra_app.core.message import Offer, Reply, ToolResult
from orchestra_app.core.task import Task
from orchestra_app.core.value import Moment, Value

Status = Literal["running", "answered", "exhausted", "failed", "stopped", "interrupted"]
FINISHED: tuple[Status, ...] = ("answered", "exhausted", "failed")
"""How a run ends by itself, so that it says something of its setting."""
Protocol = Literal["packed", "chat"]


class CatalogRef(Value):
    """Which catalogue a rollout saw: its name and the hash of its snapshot."""

    name: str
    hash: str


class RolloutStarted(Value):
    type: Literal["started"] = "started"
    trace_id: str
    task: Task
    policy: str
    """The name of the policy that orchestrates."""
    catalog: CatalogRef
    protocol: Protocol
    render: str = "hle"
    """Which rendering of the prompts was used."""
    seed: int = 0
    started_at: Moment
    """In UTC."""
    parent: str | None = None
    """The trace that this one was forked from."""
    reused: int = Field(default=0, ge=0)
    """How many of the first turns were taken over from the parent, where they were paid."""
    group: str | None = None
    """The group of traces that this one is compared with."""
    owner: str = "local"
    """The visitor whose trace it is."""
    consent: bool = False
    """True where the visitor agreed that the trace may be exported."""


class ReplyReceived(Value):
    type: Literal["reply"] = "reply"
    offered: tuple[Offer, ...]
    instruction: str
    """The preference sentence that was joined to the question in this turn."""
    reply: Reply
    forced: str | None = None
    """Why the loop chose this call instead of the policy, where it did."""
    at: float
    """Seconds after the start of the run."""


class ToolFinished(Value):
    type: Literal["tool"] = "tool"
    result: ToolResult
    at: float
    """Seconds after the start of the run."""


class RolloutFinished(Value):
    type: Literal["finished"] = "finished"
    status: Status
    answer: str | None = None
    error: str | None = None
    at: float
    """Seconds after the start of the run."""


Event = Annotated[
    RolloutStarted | ReplyReceived | ToolFinished | RolloutFinished, Field(discriminator="type")
]
