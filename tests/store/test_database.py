"""The database: one writer, migrations that make the tables as they are declared, views that do not wait."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlmodel import SQLModel

from rollout.errors import WrongSettings
from rollout.store.database import Database


def test_migrations_make_what_the_tables_declare(tmp_path: Path) -> None:
    database = Database.writer(tmp_path / "control.db")
    with database.write() as connection:
        assert compare_metadata(MigrationContext.configure(connection), SQLModel.metadata) == []
    database.close()


def test_opening_again_changes_nothing(tmp_path: Path) -> None:
    for _ in range(2):
        database = Database.writer(tmp_path / "control.db")
        with database.write() as connection:
            connection.execute(
                text("INSERT INTO run (experiment, revision) VALUES ('a', (SELECT count(*) FROM run))")
            )
        database.close()
    with Database.reader(tmp_path / "control.db").read() as connection:
        assert connection.execute(text("SELECT count(*) FROM run")).scalar_one() == 2


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    database = Database.writer(tmp_path / "control.db")
    with pytest.raises(WrongSettings, match="another process writes"):
        Database.writer(tmp_path / "control.db")
    database.close()
    Database.writer(tmp_path / "control.db").close()


def test_what_raises_leaves_nothing_behind(tmp_path: Path) -> None:
    database = Database.writer(tmp_path / "control.db")

    def fail() -> None:
        with database.write() as connection:
            connection.execute(text("INSERT INTO run (experiment, revision) VALUES ('a', 1)"))
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    with database.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM run")).scalar_one() == 0
    database.close()


def test_a_reader_sees_one_moment_while_the_writer_writes(tmp_path: Path) -> None:
    database = Database.writer(tmp_path / "control.db")
    reader = Database.reader(tmp_path / "control.db")
    count = text("SELECT count(*) FROM run")
    with reader.read() as view:
        assert view.execute(count).scalar_one() == 0
        with database.write() as connection:
            connection.execute(text("INSERT INTO run (experiment, revision) VALUES ('a', 1)"))
        assert view.execute(count).scalar_one() == 0
    with reader.read() as view:
        assert view.execute(count).scalar_one() == 1
    reader.close()
    database.close()


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    Database.writer(tmp_path / "control.db").close()
    reader = Database.reader(tmp_path / "control.db")
    with pytest.raises(RuntimeError, match="for reading"), reader.write():
        pass
    with pytest.raises(OperationalError, match="readonly"), reader.read() as view:
        view.execute(text("DELETE FROM run"))
    reader.close()
