"""Keeps labels, and with each change the verdict that a trace's row shows."""

from sqlalchemy import Connection, delete, insert, select, update

from orchestra_app.core.errors import StorageError
from orchestra_app.core.trace import Label
from orchestra_app.storage.rows import microseconds, plain, verdict
from orchestra_app.storage.schema import LABEL, TRACE


def find(connection: Connection, trace_id: str) -> dict[int, Label]:
    """Return the labels of a trace by their id, the oldest first."""
    query = select(LABEL.c.id, LABEL.c.body).where(LABEL.c.trace_id == trace_id).order_by(LABEL.c.id)
    return {number: Label.model_validate_json(body) for number, body in connection.execute(query)}


def add(connection: Connection, trace_id: str, label: Label) -> int:
    """Keep a label and return its id; raises StorageError where there is no such trace."""
    _hold(connection, trace_id)
    row = insert(LABEL).values(
        trace_id=trace_id,
        source=label.source,
        correct=label.correct,
        call_id=plain(label.call_id),
        by=plain(label.by),
        at=microseconds(label.at),
        body=label.model_dump_json(),
    )
    number = connection.execute(row.returning(LABEL.c.id)).scalar_one()
    _judge(connection, trace_id)
    return number


def remove(connection: Connection, label_id: int) -> bool:
    """Remove a label; return whether it was there."""
    trace_id = connection.execute(select(LABEL.c.trace_id).where(LABEL.c.id == label_id)).scalar()
    if trace_id is None:
        return False
    _hold(connection, trace_id)
    gone = connection.execute(delete(LABEL).where(LABEL.c.id == label_id)).rowcount > 0
    _judge(connection, trace_id)
    return gone


def _hold(connection: Connection, trace_id: str) -> None:
    # Two people who label at once on PostgreSQL must each see the other's label in the verdict.
    query = select(TRACE.c.id).where(TRACE.c.id == trace_id).with_for_update()
    if connection.execute(query).first() is None:
        raise StorageError(f"There is no trace {trace_id}; look it up in the list of traces.")


def _judge(connection: Connection, trace_id: str) -> None:
    said = verdict(list(find(connection, trace_id).values()))
    connection.execute(update(TRACE).where(TRACE.c.id == trace_id).values(verdict=said))
