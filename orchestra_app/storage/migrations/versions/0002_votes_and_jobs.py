"""Votes, jobs and checkpoints."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def _text(*names: str, nullable: bool = False, kind: type = sa.String) -> list[sa.Column]:
    return [sa.Column(name, kind(), nullable=nullable) for name in names]


def _big(name: str, *, nullable: bool = False) -> sa.Column:
    return sa.Column(name, sa.BigInteger(), nullable=nullable)


def upgrade() -> None:
    op.create_table(
        "vote",
        sa.Column("id", sa.Integer(), nullable=False),
        *_text("a", "b", "choice", "by"),
        _big("at"),
        sa.ForeignKeyConstraint(["a"], ["trace.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["b"], ["trace.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_vote_a", "vote", ["a"])
    op.create_index("ix_vote_b", "vote", ["b"])
    op.create_table(
        "job",
        *_text("id", "kind", "name"),
        *_text("definition", kind=sa.Text),
        *_text("folder", "launcher"),
        *_text("remote", nullable=True),
        *_text("status"),
        *_text("error", nullable=True, kind=sa.Text),
        sa.Column("cap", sa.Float(), nullable=True),
        *_text("owner", "host"),
        sa.Column("pid", sa.Integer(), nullable=False),
        *_text("process"),
        _big("created_at"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "checkpoint",
        *_text("id"),
        *_text("job", nullable=True),
        *_text("name", "path", "catalog"),
        sa.Column("card", sa.JSON(), nullable=False),
        _big("at"),
        _big("promoted_at", nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
