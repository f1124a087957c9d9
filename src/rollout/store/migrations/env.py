"""Runs the steps on the connection that `rollout.store.migrating.migrate` hands over."""

from alembic import context
from sqlmodel import SQLModel

from rollout.store import intake_tables, ledger_tables, outbox_tables  # noqa: F401 (their tables must be known)

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
