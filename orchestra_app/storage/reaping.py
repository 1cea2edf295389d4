"""Finds running traces that nobody runs any more and closes them as interrupted."""

from sqlalchemy import text

from orchestra_app.core.events import RolloutFinished
from orchestra_app.storage.database import Database
from orchestra_app.storage.process import Process, alive
from orchestra_app.storage.rows import event_row
from orchestra_app.storage.statements import clock_sql

SILENCE = 30
"""Seconds without a sign of life after which a running trace counts as dead."""

_ERROR = "The program that ran this was ended before it could finish; ask again."
_CLOSE = text(
    "UPDATE trace SET status = 'interrupted', error = :error "
    # A sign of life since the look at it keeps a trace running.
    "WHERE id = :id AND status = 'running' AND heartbeat = :heartbeat"
)

_END = text(
    "INSERT INTO event (trace_id, type, body) VALUES (:trace_id, :type, :body) "
    "ON CONFLICT (trace_id, type) DO UPDATE SET body = excluded.body"
)


def reap(database: Database) -> int:
    """Close the running traces whose process has ended or is silent; return how many. Raises StorageError."""
    clock = clock_sql(database.engine.dialect.name)
    # The status stands in the text, not in a parameter, so that the partial index serves it.
    query = text(
        f"SELECT id, host, pid, process, seconds, heartbeat, {clock} AS now "
        "FROM trace WHERE status = 'running'"
    )
    with database.read() as connection:
        rows = connection.execute(query).all()
    closed = 0
    for row in rows:
        if row.now - row.heartbeat <= SILENCE and alive(Process(row.host, row.pid, row.process)) is not False:
            continue
        finish = event_row(row.id, RolloutFinished(status="interrupted", error=_ERROR, at=row.seconds))
        with database.write() as connection:
            values = {"id": row.id, "heartbeat": row.heartbeat, "error": _ERROR}
            if connection.execute(_CLOSE, values).rowcount > 0:
                connection.execute(_END, finish)
                closed += 1
    return closed
