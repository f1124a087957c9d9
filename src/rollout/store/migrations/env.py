"""Runs the steps on the connection that `rollout.store.migrating.migrate` hands over."""

from alembic import context
from sqlmodel import SQLModel

from rollout.errors import Problem, WrongSettings

# Their tables must be known.
from rollout.store import (
    access_tables,  # noqa: F401
    audit_tables,  # noqa: F401
    intake_tables,  # noqa: F401
    ledger_tables,  # noqa: F401
    outbox_tables,  # noqa: F401
)

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    render_as_batch=True,
)
if context.get_context().opts["fn"].__name__ == "downgrade":
    what = "there is no way back to an older revision"
    raise WrongSettings(Problem("control database", what, "restore the copy from before"))
with context.begin_transaction():
    context.run_migrations()
