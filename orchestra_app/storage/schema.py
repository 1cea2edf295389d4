"""The tables, as SQLModel classes; `migrations/` builds the same ones."""

from typing import Any, ClassVar

from sqlalchemy import JSON, BigInteger, Column, ForeignKey, Index, String, Table, Text, text
from sqlmodel import Field, SQLModel

_FILTERED = ("status", "verdict", "policy", "catalog", "cost", "tools", "seconds", "source", "wish")
_RUNNING = text("status = 'running'")


class TraceRow(SQLModel, table=True):
    """One trace: what lists filter, sort and show. Short, since a search for text reads every row."""

    __tablename__: ClassVar[str] = "trace"  # pyright: ignore[reportIncompatibleVariableOverride]
    __table_args__ = (
        # Every filter but the text's is answered from these two alone, in the order of the list.
        Index("trace_list", "started_at", "id", "owner", *_FILTERED),
        Index("trace_owner", "owner", "started_at", "id", *_FILTERED),
        # Counts what there is to filter by in one pass. It begins with what is never looked up by its whole
        # value, or SQLite would take it for the shortest way to the traces of a catalogue.
        Index("trace_facets", "tools", "catalog", "policy", "status", "verdict", "owner"),
        Index("trace_running", "heartbeat", sqlite_where=_RUNNING, postgresql_where=_RUNNING),
        Index("trace_group", "group"),
        Index("trace_parent", "parent"),
    )

    id: str = Field(primary_key=True)
    started_at: int = Field(sa_type=BigInteger)
    """Microseconds since 1970 in UTC."""
    status: str
    verdict: str
    """`correct`, `incorrect`, `unsure` or `unlabelled`: what the labels say together."""
    owner: str
    policy: str
    catalog: str
    catalog_hash: str
    protocol: str
    cost: float
    """USD of all charges so far."""
    seconds: float
    """Seconds from the start to the latest event."""
    turns: int
    tools: str
    """Names of the tools that ran, each between bars: `|answer|search|`."""
    simulated: bool
    consent: bool
    seed: int | None = Field(sa_type=BigInteger)
    """None: beyond 64 bits; the start event has it exactly."""
    source: str
    wish: str
    """The key of the sliders and the budget."""
    parent: str | None
    group: str | None
    host: str
    """The machine and the process namespace that `pid` belongs to."""
    pid: int
    process: str
    """When the owner process started, as its system tells it."""
    heartbeat: int = Field(sa_type=BigInteger)
    """Seconds since 1970 by the database's clock, at the latest sign of life."""
    question: str = Field(sa_type=Text)
    answer: str | None = Field(sa_type=Text)
    error: str | None = Field(sa_type=Text)


def _of_trace(*, primary_key: bool = False, index: bool = False) -> Column[str]:
    target = ForeignKey("trace.id", ondelete="CASCADE")
    return Column(String, target, primary_key=primary_key, nullable=False, index=index)


class EventRow(SQLModel, table=True):
    """The first or the last event of a trace, which its turns stand between."""

    __tablename__: ClassVar[str] = "event"  # pyright: ignore[reportIncompatibleVariableOverride]

    trace_id: str = Field(sa_column=_of_trace(primary_key=True))
    type: str = Field(primary_key=True)
    """`started` or `finished`."""
    body: str = Field(sa_type=Text)
    """The event as JSON."""


class TurnRow(SQLModel, table=True):
    """One turn of a trace."""

    __tablename__: ClassVar[str] = "turn"  # pyright: ignore[reportIncompatibleVariableOverride]

    trace_id: str = Field(sa_column=_of_trace(primary_key=True))
    number: int = Field(primary_key=True)
    """Its place in the trace, from 0."""
    offered: str = Field(sa_type=Text)
    """The offers as JSON: a list of [hash of the tool schema, choices, slider]."""
    body: str = Field(sa_type=Text)
    """The rest of the turn as JSON."""


class ToolSchemaRow(SQLModel, table=True):
    """One function schema that was offered in some turns; kept once for all of them."""

    __tablename__: ClassVar[str] = "tool_schema"  # pyright: ignore[reportIncompatibleVariableOverride]

    hash: str = Field(primary_key=True)
    body: str = Field(sa_type=Text)


class LabelRow(SQLModel, table=True):
    """One verdict on a trace or on one of its calls."""

    __tablename__: ClassVar[str] = "label"  # pyright: ignore[reportIncompatibleVariableOverride]

    id: int | None = Field(default=None, primary_key=True)
    trace_id: str = Field(sa_column=_of_trace(index=True))
    source: str
    correct: bool | None
    call_id: str | None = Field(sa_type=Text)
    by: str
    at: int = Field(sa_type=BigInteger)
    """Microseconds since 1970 in UTC."""
    body: str = Field(sa_type=Text)
    """The label as JSON."""


class CatalogRow(SQLModel, table=True):
    """The snapshot of a catalogue that traces refer to by its hash."""

    __tablename__: ClassVar[str] = "catalog"  # pyright: ignore[reportIncompatibleVariableOverride]

    hash: str = Field(primary_key=True)
    name: str
    body: str = Field(sa_type=Text)


class AccountRow(SQLModel, table=True):
    """Money leased or spent under one key, such as a visitor's day."""

    __tablename__: ClassVar[str] = "account"  # pyright: ignore[reportIncompatibleVariableOverride]

    key: str = Field(primary_key=True)
    taken: int = Field(sa_type=BigInteger)
    """Pico-dollars (1e-12 USD), so that sums are exact."""


class VoteRow(SQLModel, table=True):
    """One choice between two traces whose settings were hidden."""

    __tablename__: ClassVar[str] = "vote"  # pyright: ignore[reportIncompatibleVariableOverride]

    id: int | None = Field(default=None, primary_key=True)
    a: str = Field(sa_column=_of_trace(index=True))
    b: str = Field(sa_column=_of_trace(index=True))
    choice: str
    by: str
    at: int = Field(sa_type=BigInteger)
    """Microseconds since 1970 in UTC."""


class JobRow(SQLModel, table=True):
    """One job, with the columns of `core.job.Job`."""

    __tablename__: ClassVar[str] = "job"  # pyright: ignore[reportIncompatibleVariableOverride]

    id: str = Field(primary_key=True)
    kind: str
    name: str
    definition: str = Field(sa_type=Text)
    folder: str
    launcher: str
    remote: str | None
    status: str
    error: str | None = Field(sa_type=Text)
    cap: float | None
    owner: str
    host: str
    pid: int
    process: str
    heard: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    created_at: int = Field(sa_type=BigInteger)
    """Microseconds since 1970 in UTC."""


class CheckpointRow(SQLModel, table=True):
    """One checkpoint, with the columns of `core.job.Checkpoint`."""

    __tablename__: ClassVar[str] = "checkpoint"  # pyright: ignore[reportIncompatibleVariableOverride]

    id: str = Field(primary_key=True)
    job: str | None
    name: str
    path: str
    catalog: str
    card: dict[str, Any] = Field(sa_type=JSON)
    at: int = Field(sa_type=BigInteger)
    """Microseconds since 1970 in UTC."""
    promoted_at: int | None = Field(sa_type=BigInteger)


def _table(name: str) -> Table:
    return SQLModel.metadata.tables[name]


# The same tables for queries in plain SQL terms, which the checker understands.
TRACE, EVENT, TURN = _table("trace"), _table("event"), _table("turn")
TOOL_SCHEMA, LABEL, CATALOG = _table("tool_schema"), _table("label"), _table("catalog")
VOTE, JOB, CHECKPOINT = _table("vote"), _table("job"), _table("checkpoint")
