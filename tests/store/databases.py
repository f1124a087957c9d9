"""Every kind of control database, for tests: one PostgreSQL server a process, a new database each time.

A `conftest.py` that imports the fixtures `address`, `database` and `postgres` gives them to its folder.
"""

from __future__ import annotations

import atexit
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from functools import cache
from pathlib import Path

import pytest

from rollout.store.database import Database
from tests.store.server import Server


class Kind(StrEnum):
    """What a control database can be."""

    FILE = "sqlite"
    POSTGRES = "postgresql"


KINDS = tuple(Kind)
USUAL = Kind(os.environ.get("ROLLOUT_TEST_DATABASE", Kind.FILE))
"""Where a test is not about the kind: every suite of the intake can be run over the other one as well."""


@cache
def server() -> Server:
    """Return this process's server, started when it is first asked for and ended with the process."""
    made = Server()
    atexit.register(made.end)
    made.make()
    return made


@cache
def _migrated() -> str:
    """Return the database that all others are copied from."""
    name = server().create()
    Database.writer(server().address(name)).close()
    return name


_PLACES: dict[Path, Path | str] = {}


def address_of(folder: Path) -> Path | str:
    """Return where the control database of a folder is, the same one whenever it is opened again."""
    if folder not in _PLACES:
        is_file = USUAL is Kind.FILE
        _PLACES[folder] = folder / "control.db" if is_file else server().address(server().create(_migrated()))
    return _PLACES[folder]


@contextmanager
def new_address(kind: Kind, folder: Path) -> Iterator[Path | str]:
    """Yield the address of a new control database for a folder; it is dropped afterwards."""
    if kind is Kind.FILE:
        yield folder / "control.db"
        return
    name = server().create(_migrated())
    _PLACES[folder] = server().address(name)
    try:
        yield _PLACES[folder]
    finally:
        del _PLACES[folder]
        server().drop(name)


@contextmanager
def new_database(kind: Kind = USUAL, folder: Path | None = None) -> Iterator[Database]:
    """Yield a new control database, opened for writing."""
    with tempfile.TemporaryDirectory() as own, new_address(kind, folder or Path(own)) as where:
        opened = Database.writer(where)
        try:
            yield opened
        finally:
            opened.close()


@pytest.fixture(params=KINDS, ids=str)
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path | str]:
    """Give a test the address of a new control database, once for each kind."""
    with new_address(request.param, tmp_path) as where:
        yield where


@pytest.fixture
def database(address: Path | str) -> Iterator[Database]:
    """Give a test a new control database, opened for writing, once for each kind."""
    opened = Database.writer(address)
    yield opened
    opened.close()


@pytest.fixture
def postgres() -> Iterator[tuple[Server, str]]:
    """Give a test this process's server, and the name of a new control database of its own there."""
    name = server().create(_migrated())
    yield server(), name
    server().drop(name)
