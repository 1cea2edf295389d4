"""Run by Alembic: applies the revisions through the connection that the store opened."""

from alembic import context
from sqlmodel import SQLModel

from orchestra_app.storage import schema
from orchestra_app.storage.migrations import VERSION_TABLE

assert schema.TraceRow.metadata is SQLModel.metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    render_as_batch=True,
    transactional_ddl=True,
    version_table=VERSION_TABLE,
)
with context.begin_transaction():
    context.run_migrations()
