"""Takes traces and catalogue snapshots from elsewhere, exactly as they were there."""

import hashlib
from typing import Any, Literal

from sqlalchemy import Connection, Table, select, text
from sqlalchemy import insert as into
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from orchestra_app.core.catalog import Catalog
from orchestra_app.core.events import RolloutFinished, RolloutStarted
from orchestra_app.core.trace import Trace
from orchestra_app.storage import labels
from orchestra_app.storage.database import ODD_VALUES, is_about_rows
from orchestra_app.storage.process import current
from orchestra_app.storage.rows import OfferPacker, changing_columns, dump_turn, event_row, started_columns
from orchestra_app.storage.schema import CATALOG, EVENT, TOOL_SCHEMA, TRACE, TURN
from orchestra_app.storage.statements import clock_sql

Inserted = Literal["added", "same", "kept", "refused"]
"""`same`: it was there; `kept`: another with its id was, and stays; `refused`: no database takes it."""


def insert(connection: Connection, trace: Trace) -> Inserted:
    """Keep a finished trace with its labels, or leave what is there under its id."""
    if connection.execute(select(TRACE.c.id).where(TRACE.c.id == trace.id)).first():
        return "kept"
    try:
        # What one trace has must not cost the others that are inserted with it.
        with connection.begin_nested():
            _insert(connection, trace)
    except (SQLAlchemyError, *ODD_VALUES) as error:
        if not is_about_rows(error):
            raise
        return "refused"
    return "added"


def _insert(connection: Connection, trace: Trace) -> None:
    shared = RolloutStarted.model_fields.keys() & Trace.model_fields.keys()
    start = RolloutStarted(trace_id=trace.id, **{name: getattr(trace, name) for name in shared})
    finish = RolloutFinished(status=trace.status, answer=trace.answer, error=trace.error, at=trace.seconds)
    columns = {**started_columns(start, current()), **changing_columns(trace, finish)}
    clock = text(clock_sql(connection.dialect.name))
    connection.execute(into(TRACE).values(**columns, heartbeat=clock))
    connection.execute(into(EVENT), [event_row(trace.id, event) for event in (start, finish)])
    packer, turns, schemas = OfferPacker(), [], dict[str, str]()
    for number, turn in enumerate(trace.turns):
        offered, texts = packer.pack(turn.offered)
        turns.append({"trace_id": trace.id, "number": number, "offered": offered, "body": dump_turn(turn)})
        schemas |= texts
    if schemas:
        rows = [{"hash": digest, "body": body} for digest, body in schemas.items()]
        connection.execute(unless_there(connection, TOOL_SCHEMA), rows)
    if turns:
        connection.execute(into(TURN), turns)
    for label in trace.labels:
        labels.add(connection, trace.id, label)


def find_snapshot(connection: Connection, digest: str) -> str | None:
    """Return the JSON text of a catalogue snapshot, or None."""
    return connection.execute(select(CATALOG.c.body).where(CATALOG.c.hash == digest)).scalar()


def insert_snapshot(connection: Connection, body: str, digest: str) -> bool:
    """Keep the JSON text of a catalogue under its hash; raises ValueError where it is not that catalogue."""
    # Of the text, not of the value: a later version may write the same catalogue with more fields.
    if hashlib.sha256(body.encode()).hexdigest()[:16] != digest:
        raise ValueError("hash: it is not that of the catalogue.")
    row = {"hash": digest, "name": Catalog.model_validate_json(body).name, "body": body}
    put = unless_there(connection, CATALOG).values(**row).returning(CATALOG.c.hash)
    return connection.execute(put).first() is not None


def unless_there(connection: Connection, table: Table) -> Any:
    """Return an insert into a table with a `hash` that leaves what is there under the same one."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    return dialect.insert(table).on_conflict_do_nothing(index_elements=["hash"])
