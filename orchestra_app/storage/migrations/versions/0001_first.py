"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def _text(*names: str, nullable: bool = False, kind: type = sa.String) -> list[sa.Column]:
    return [sa.Column(name, kind(), nullable=nullable) for name in names]


def upgrade() -> None:
    op.create_table("account", *_text("key"), _big("taken"), sa.PrimaryKeyConstraint("key"))
    op.create_table(
        "catalog", *_text("hash", "name"), *_text("body", kind=sa.Text), sa.PrimaryKeyConstraint("hash")
    )
    op.create_table(
        "tool_schema", *_text("hash"), *_text("body", kind=sa.Text), sa.PrimaryKeyConstraint("hash")
    )
    _trace()
    op.create_table(
        "event",
        *_text("trace_id", "type"),
        *_text("body", kind=sa.Text),
        sa.ForeignKeyConstraint(["trace_id"], ["trace.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("trace_id", "type"),
    )
    op.create_table(
        "turn",
        *_text("trace_id"),
        sa.Column("number", sa.Integer(), nullable=False),
        *_text("offered", "body", kind=sa.Text),
        sa.ForeignKeyConstraint(["trace_id"], ["trace.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("trace_id", "number"),
    )
    op.create_table(
        "label",
        sa.Column("id", sa.Integer(), nullable=False),
        *_text("trace_id", "source"),
        sa.Column("correct", sa.Boolean(), nullable=True),
        *_text("call_id", nullable=True, kind=sa.Text),
        *_text("by"),
        _big("at"),
        *_text("body", kind=sa.Text),
        sa.ForeignKeyConstraint(["trace_id"], ["trace.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_label_trace_id", "label", ["trace_id"])


def _trace() -> None:
    op.create_table(
        "trace",
        *_text("id"),
        _big("started_at"),
        *_text("status", "verdict", "owner", "policy", "catalog", "catalog_hash", "protocol"),
        sa.Column("cost", sa.Float(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("turns", sa.Integer(), nullable=False),
        *_text("tools"),
        sa.Column("simulated", sa.Boolean(), nullable=False),
        sa.Column("consent", sa.Boolean(), nullable=False),
        _big("seed", nullable=True),
        *_text("source"),
        *_text("parent", "group", nullable=True),
        *_text("host"),
        sa.Column("pid", sa.Integer(), nullable=False),
        *_text("process"),
        _big("heartbeat"),
        *_text("question", kind=sa.Text),
        *_text("answer", "error", nullable=True, kind=sa.Text),
        sa.PrimaryKeyConstraint("id"),
    )
    filtered = ["status", "verdict", "policy", "catalog", "cost", "tools"]
    op.create_index("trace_list", "trace", ["started_at", "id", "owner", *filtered])
    op.create_index("trace_owner", "trace", ["owner", "started_at", "id", *filtered])
    running = sa.text("status = 'running'")
    op.create_index("trace_running", "trace", ["heartbeat"], sqlite_where=running, postgresql_where=running)
    op.create_index("trace_group", "trace", ["group"])
    op.create_index("trace_parent", "trace", ["parent"])


def _big(name: str, *, nullable: bool = False) -> sa.Column:
    return sa.Column(name, sa.BigInteger(), nullable=nullable)
