"""The key of its sliders and its budget in each trace's row, to find the traces of one setting."""

import sqlalchemy as sa
from alembic import op

from orchestra_app.core.events import RolloutStarted

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

BATCH = 1_000


def upgrade() -> None:
    op.add_column("trace", sa.Column("wish", sa.String(), nullable=False, server_default=""))
    _fill(op.get_bind())
    filtered = ["status", "verdict", "policy", "catalog", "cost", "tools", "seconds", "source", "wish"]
    for name, columns in {
        "trace_list": ["started_at", "id", "owner"],
        "trace_owner": ["owner", "started_at", "id"],
    }.items():
        op.drop_index(name, "trace")
        op.create_index(name, "trace", [*columns, *filtered])


def _fill(connection: sa.Connection) -> None:
    """Read the key of every trace off its first event."""
    event = sa.table("event", sa.column("trace_id"), sa.column("type"), sa.column("body"))
    started = sa.select(event.c.trace_id, event.c.body).where(event.c.type == "started").limit(BATCH)
    change = sa.text("UPDATE trace SET wish = :wish WHERE id = :id")
    last = ""
    while found := connection.execute(
        started.where(event.c.trace_id > last).order_by(event.c.trace_id)
    ).all():
        keys = [{"id": row.trace_id, "wish": _key(row.body)} for row in found]
        connection.execute(change, keys)
        last = found[-1].trace_id


def _key(body: str) -> str:
    try:
        return RolloutStarted.model_validate_json(body).task.wish
    except ValueError:
        # A damaged trace is told of where it is opened; it must not keep all others from being opened.
        return ""
