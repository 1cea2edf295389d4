"""The few statements of the hot path as plain SQL, in the dialect of SQLite or PostgreSQL."""

from dataclasses import dataclass

from orchestra_app.storage.schema import TraceRow

_CHANGING = ("status", "cost", "seconds", "turns", "tools", "simulated", "answer", "error")
_CLOCKS = {
    "sqlite": "CAST(strftime('%s', 'now') AS INTEGER)",
    "postgresql": "CAST(extract(epoch FROM clock_timestamp()) AS BIGINT)",
}


@dataclass(frozen=True, slots=True)
class Statements:
    """Statements with named parameters, ready for the driver's `executemany`."""

    insert_trace: str
    update_trace: str
    put_event: str
    put_turn: str
    put_schema: str
    beat: str


def statements(dialect: str) -> Statements:
    """Return the statements for `sqlite` or `postgresql`."""
    mark = ":{}" if dialect == "sqlite" else "%({})s"
    columns = [name for name in TraceRow.model_fields if name != "heartbeat"]
    names = ", ".join(f'"{name}"' for name in columns)
    values = ", ".join(mark.format(name) for name in columns)
    changes = ", ".join(f'"{name}" = {mark.format(name)}' for name in _CHANGING)
    clock, of_trace = clock_sql(dialect), f"WHERE id = {mark.format('id')}"
    event = ", ".join(mark.format(name) for name in ("trace_id", "type", "body"))
    schema = ", ".join(mark.format(name) for name in ("hash", "body"))
    turn = ", ".join(mark.format(name) for name in ("trace_id", "number", "offered", "body"))
    return Statements(
        insert_trace=f"INSERT INTO trace ({names}, heartbeat) VALUES ({values}, {clock})",
        update_trace=f"UPDATE trace SET {changes}, heartbeat = {clock} {of_trace}",
        put_event=f"INSERT INTO event (trace_id, type, body) VALUES ({event}) "
        "ON CONFLICT (trace_id, type) DO UPDATE SET body = excluded.body",
        put_turn=f"INSERT INTO turn (trace_id, number, offered, body) VALUES ({turn}) "
        "ON CONFLICT (trace_id, number) DO UPDATE SET body = excluded.body",
        put_schema=f"INSERT INTO tool_schema (hash, body) VALUES ({schema}) ON CONFLICT (hash) DO NOTHING",
        # A trace that was taken for dead, because its machine slept, is running again.
        beat=f"UPDATE trace SET status = 'running', error = NULL, heartbeat = {clock} {of_trace}",
    )


def clock_sql(dialect: str) -> str:
    """Return the expression for the database's own clock in seconds since 1970, the same for all machines."""
    return _CLOCKS[dialect]
