"""How much a job had told before it was last resumed."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("job", sa.Column("heard", sa.Integer(), nullable=False, server_default="0"))
