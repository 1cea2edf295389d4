"""Indexes that answer every filter, sort the lists and count what there is to filter by."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    filtered = ["status", "verdict", "policy", "catalog", "cost", "tools", "seconds", "source"]
    for name, columns in {
        "trace_list": ["started_at", "id", "owner"],
        "trace_owner": ["owner", "started_at", "id"],
    }.items():
        op.drop_index(name, "trace")
        op.create_index(name, "trace", [*columns, *filtered])
    op.create_index("trace_facets", "trace", ["tools", "catalog", "policy", "status", "verdict", "owner"])
