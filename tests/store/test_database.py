"""The database: one writer, migrations that make the tables as they are declared, views that do not wait."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, MultipleResultsFound, OperationalError
from sqlmodel import SQLModel

from rollout.errors import Retry, WrongSettings
from rollout.store.database import Database


def test_migrations_make_what_the_tables_declare(database: Database) -> None:
    with database.write() as connection:
        assert compare_metadata(MigrationContext.configure(connection), SQLModel.metadata) == []


def test_opening_again_changes_nothing(address: Path | str) -> None:
    for _ in range(2):
        database = Database.writer(address)
        with database.write() as connection:
            connection.execute(
                text("INSERT INTO run (experiment, revision) VALUES ('a', (SELECT count(*) FROM run))")
            )
        database.close()
    reader = Database.reader(address)
    with reader.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM run")).scalar_one() == 2
    reader.close()


def test_a_files_second_writer_is_refused(tmp_path: Path) -> None:
    database = Database.writer(tmp_path / "control.db")
    with pytest.raises(WrongSettings, match="another process writes"):
        Database.writer(tmp_path / "control.db")
    database.close()
    Database.writer(tmp_path / "control.db").close()


def test_what_raises_leaves_nothing_behind(database: Database) -> None:
    def fail() -> None:
        with database.write() as connection:
            connection.execute(text("INSERT INTO run (experiment, revision) VALUES ('a', 1)"))
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    with database.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM run")).scalar_one() == 0


def test_a_reader_sees_one_moment_while_the_writer_writes(address: Path | str) -> None:
    database = Database.writer(address)
    reader = Database.reader(address)
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


def test_a_glance_sees_what_was_committed_and_nothing_else(address: Path | str) -> None:
    database = Database.writer(address)
    asked = text("SELECT revision FROM run WHERE experiment = :name")
    assert database.glance(asked, name="a") is None
    with database.write() as connection:
        connection.execute(text("INSERT INTO run (experiment, revision) VALUES ('a', 7)"))
        reader = Database.reader(address)
        assert reader.glance(asked, name="a") is None
    assert reader.glance(asked, name="a") == database.glance(asked, name="a") == 7
    with database.write() as connection:
        connection.execute(text("INSERT INTO run (experiment, revision) VALUES ('a', 8)"))
    with pytest.raises(MultipleResultsFound):
        database.glance(asked, name="a")
    reader.close()
    database.close()


def test_a_glance_that_fails_says_so_as_everything_does(tmp_path: Path) -> None:
    file = tmp_path / "control.db"
    Database.writer(file).close()
    reader = Database.reader(file)
    with pytest.raises(DBAPIError, match="no such table"):
        reader.glance(text("SELECT 1 FROM nowhere"))
    reader.close()
    file.unlink()
    with pytest.raises(Retry, match="its file cannot be opened"):
        reader.glance(text("SELECT 1 FROM run"))


def test_a_reader_cannot_write(address: Path | str) -> None:
    Database.writer(address).close()
    reader = Database.reader(address)
    with pytest.raises(RuntimeError, match="for reading"), reader.write():
        pass
    with pytest.raises((OperationalError, Retry), match=r"readonly|takes no writes"), reader.read() as view:
        view.execute(text("DELETE FROM run"))
    reader.close()


def test_memory_begins_empty_and_is_shared_only_by_who_was_given_it() -> None:
    one, other = Database.memory(), Database.memory()
    second_user = one.beside()
    with one.write() as connection:
        connection.execute(text("INSERT INTO run (experiment, revision) VALUES ('a', 1)"))
        with one.read() as view:
            assert view.execute(text("SELECT count(*) FROM run")).scalar_one() == 1
    for database, expected in ((one, 1), (second_user, 1), (other, 0)):
        with database.read() as view:
            assert view.execute(text("SELECT count(*) FROM run")).scalar_one() == expected
    assert (one.is_writer, second_user.is_writer, other.is_writer) == (False, False, True)
    for database in (one, other):
        database.close()


@pytest.mark.parametrize(
    "address", ["postgresql:/ann:hunter2@host/name", "mysql://ann:hunter2@host/name", "://hunter2"]
)
def test_an_address_that_cannot_be_understood_is_refused_without_repeating_it(address: str) -> None:
    with pytest.raises(WrongSettings, match="write postgresql") as refused:
        Database.writer(address)
    assert "hunter2" not in str(refused.value)
