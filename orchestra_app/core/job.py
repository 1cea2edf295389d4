"""Work that outlives a question: a job with its definition, and the checkpoints that training leaves."""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from orchestra_app.core.value import Value

JobStatus = Literal["queued", "running", "done", "stopped", "failed", "interrupted"]
OVER: tuple[JobStatus, ...] = ("done", "stopped", "failed", "interrupted")


class Job(Value):
    """A piece of work that a launcher runs from its definition."""

    id: str
    kind: str
    """What it does, such as `train`."""
    name: str = ""
    definition: str
    """The definition file's text (TOML)."""
    folder: str
    """Where it writes its events, logs and checkpoints."""
    launcher: str = "process"
    """Where it runs: `process`, `hub` or `ray`."""
    remote: str | None = None
    """Its id at the launcher, if that is elsewhere."""
    status: JobStatus = "queued"
    error: str | None = None
    cap: float | None = None
    """USD that it may spend; None: without limit."""
    owner: str = "local"
    host: str = ""
    """The machine that `pid` belongs to, as a trace's row names it."""
    pid: int = 0
    process: str = ""
    """When the process started, as its system tells it."""
    heard: int = 0
    """Events that it had told before it was last resumed; what they say of its end is over."""
    created_at: datetime
    """In UTC."""

    @property
    def over(self) -> bool:
        """True where nothing runs any more."""
        return self.status in OVER


class Checkpoint(Value):
    """A trained policy that a job left behind."""

    id: str
    job: str | None
    """The job that made it; None where that was deleted or made elsewhere."""
    name: str
    """What the policy is called where it is chosen."""
    path: str
    """Its folder."""
    catalog: str
    """The name of the catalogue that it was made for."""
    card: dict[str, Any] = Field(default_factory=dict)
    """How it was made, its figures and limits."""
    at: datetime
    """In UTC."""
    promoted_at: datetime | None = None
    """When it was made the default of its catalogue; the latest counts."""
