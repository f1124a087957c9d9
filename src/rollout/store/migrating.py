"""Bringing the tables to their newest shape, and refusing those of a newer program."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from rollout.errors import Problem, WrongSettings

MIGRATIONS: Final = Path(__file__).parent / "migrations"


def configuration(connection: Connection) -> Config:
    """Return what Alembic is told: where the steps are, and on which connection they go."""
    told = Config()
    told.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    told.set_main_option("path_separator", "os")
    told.attributes["connection"] = connection
    return told


def migrate(connection: Connection, where: str, *, to: str = "head") -> None:
    """Bring the tables up to date inside the caller's transaction: all of it or nothing.

    There is no way back: what a newer program wrote, an older one would misread.
    """
    told = configuration(connection)
    known = {step.revision for step in ScriptDirectory.from_config(told).walk_revisions()}
    stands = MigrationContext.configure(connection).get_current_heads()
    if unknown := sorted(set(stands) - known):
        what = f"a newer rollout has written it (revision {unknown[0]}; this one knows {max(known)})"
        remedy = "start that one again, or restore a copy from before the upgrade"
        raise WrongSettings(Problem(f"control database {where}", what, remedy))
    command.upgrade(told, to)
