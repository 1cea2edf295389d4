"""Reads what came of many runs at once: light rows with their tasks, and whole traces in batches."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from orchestra_app.core.events import RolloutStarted, Status
from orchestra_app.core.task import Task
from orchestra_app.core.trace import Label, Trace
from orchestra_app.storage.queries import Verdict
from orchestra_app.storage.rows import moment, offer_hashes, read_trace, read_turn
from orchestra_app.storage.schema import EVENT, LABEL, TOOL_SCHEMA, TRACE, TURN

BATCH = 200
"""Traces that are read with one query."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which runs are wanted; None means any."""

    group: str | None = None
    """How the names of their groups begin; letters, digits, `-`, `.` and `/` only."""
    catalog: str | None = None
    catalog_hash: str | None = None
    owner: str | None = None
    statuses: tuple[Status, ...] | None = None
    verdicts: tuple[Verdict, ...] | None = None
    limit: int | None = None
    """The most rows; the newest are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one run, without its turns."""

    id: str
    task: Task
    policy: str
    catalog: str
    catalog_hash: str
    group: str | None
    wish: str
    """The key of its sliders and its budget."""
    status: Status
    verdict: Verdict
    cost: float
    """USD."""
    seconds: float
    simulated: bool
    seed: int | None
    parent: str | None
    error: str | None
    started_at: datetime


_COLUMNS = [TRACE.c[name] for name in Outcome.__dataclass_fields__ if name != "task"]


def list_outcomes(connection: Connection, wanted: Wanted) -> tuple[Outcome, ...]:
    """Return what came of the runs that are wanted, the newest first."""
    query = select(*_COLUMNS, EVENT.c.body).join(EVENT, EVENT.c.trace_id == TRACE.c.id)
    query = query.where(EVENT.c.type == "started", *_conditions(wanted, connection.dialect.name))
    query = query.order_by(TRACE.c.started_at.desc(), TRACE.c.id.desc()).limit(wanted.limit)
    return tuple(_outcome(dict(row)) for row in connection.execute(query).mappings())


def list_golds(connection: Connection, wanted: Wanted) -> dict[str, str]:
    """Return the right answers that people gave on the runs that are wanted, the last by question."""
    query = select(EVENT.c.body, LABEL.c.body.label("said")).join(TRACE, EVENT.c.trace_id == TRACE.c.id)
    query = query.join(LABEL, LABEL.c.trace_id == TRACE.c.id).order_by(LABEL.c.at, LABEL.c.id)
    query = query.where(EVENT.c.type == "started", LABEL.c.source == "human", LABEL.c.call_id.is_(None))
    query = query.where(*_conditions(wanted, connection.dialect.name))
    found: dict[str, str] = {}
    for row in connection.execute(query):
        if gold := Label.model_validate_json(row.said).gold:
            found[RolloutStarted.model_validate_json(row.body).task.question] = gold
    return found


def _conditions(wanted: Wanted, dialect: str) -> Iterator[Any]:
    if wanted.group is not None:
        # SQLite's LIKE would not use the index of the groups.
        glob = dialect == "sqlite"
        yield TRACE.c.group.op("GLOB" if glob else "LIKE")(wanted.group + ("*" if glob else "%"))
    for name in ("catalog", "catalog_hash", "owner"):
        if (value := getattr(wanted, name)) is not None:
            yield TRACE.c[name] == value
    for column, values in ((TRACE.c.status, wanted.statuses), (TRACE.c.verdict, wanted.verdicts)):
        if values is not None:
            yield column.in_(values)


def read_traces(connection: Connection, ids: Sequence[str]) -> dict[str, Trace]:
    """Return whole traces by their id; ids that are not there are left out."""
    found: dict[str, Trace] = {}
    for start in range(0, len(ids), BATCH):
        found.update(_batch(connection, ids[start : start + BATCH]))
    return found


def _outcome(row: dict[str, Any]) -> Outcome:
    task = RolloutStarted.model_validate_json(row.pop("body")).task
    return Outcome(task=task, **{**row, "started_at": moment(row["started_at"])})


def _batch(connection: Connection, ids: Sequence[str]) -> Iterator[tuple[str, Trace]]:
    def rows(table: Any, *order: Any) -> dict[str, list[Any]]:
        query = select(table).where(table.c.trace_id.in_(ids)).order_by(*order)
        by_trace = defaultdict(list)
        for row in connection.execute(query).mappings():
            by_trace[row["trace_id"]].append(row)
        return by_trace

    turns, ends, labels = rows(TURN, TURN.c.number), rows(EVENT), rows(LABEL, LABEL.c.id)
    hashes = offer_hashes(turn for each in turns.values() for turn in each)
    schemas = connection.execute(
        select(TOOL_SCHEMA.c.hash, TOOL_SCHEMA.c.body).where(TOOL_SCHEMA.c.hash.in_(hashes))
    )
    texts = {row.hash: row.body for row in schemas}
    for row in connection.execute(select(TRACE).where(TRACE.c.id.in_(ids))).mappings():
        mine = row["id"]
        yield (
            mine,
            read_trace(
                row,
                {end["type"]: end["body"] for end in ends[mine]},
                [read_turn(turn, texts) for turn in turns[mine]],
                [Label.model_validate_json(label["body"]) for label in labels[mine]],
            ),
        )
