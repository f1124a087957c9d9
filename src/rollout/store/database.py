"""The control database: SQLite or PostgreSQL, short transactions, and migrations at the start."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, TextClause, text

from rollout.errors import NotLeader, Problem
from rollout.store.migrating import migrate
from rollout.store.opened import Opened
from rollout.store.postgres import USUAL, Limits, Postgres
from rollout.store.sqlite import SqliteFile, SqliteMemory, clock_us

_HOLDS: Final = "SELECT 1 FROM leadership WHERE name = 'control' AND term = :term AND until_us > {now}{share}"


class Database:
    """One database; `writer` opens it for a process that may write, `reader` for any other.

    An address is the path of a SQLite file, or `postgresql+psycopg://USER:PASSWORD@HOST:PORT/NAME`. Whatever
    may pass by itself, such as a server that is away, is raised as `Retry`.
    """

    def __init__(self, opened: Opened, turn: threading.Lock | None = None, term: int | None = None) -> None:
        self._opened = opened
        self._turn = turn or threading.Lock()
        self._term = term

    @property
    def where(self) -> str:
        """Which one it is, for people; no user and no password."""
        return self._opened.where

    @property
    def is_writer(self) -> bool:
        """Whether nobody else writes here, so that what was read stays true: by a lock, or by a lease."""
        return self._opened.is_alone or self._term is not None

    @property
    def now_sql(self) -> str:
        """The database's clock in microseconds, as it is written in a statement."""
        return self._opened.now_sql

    @property
    def lock_sql(self) -> str:
        """What a statement ends with that keeps out whoever has checked a row's key, until they are done."""
        return self._opened.lock_sql

    @classmethod
    def writer(cls, address: Path | str, *, limits: Limits = USUAL) -> Database:
        """Open it, made and brought up to date when needed; a SQLite file's second writer is refused."""
        return cls._migrated(_opened(address, can_write=True, limits=limits))

    @classmethod
    def reader(cls, address: Path | str, *, limits: Limits = USUAL) -> Database:
        """Open what a writer has made, for reading only."""
        return cls(_opened(address, can_write=False, limits=limits))

    @classmethod
    def memory(cls, now_us: Callable[[], int] = clock_us) -> Database:
        """Open a new and empty one in memory, with a clock of its own."""
        held = sqlite3.connect(":memory:", check_same_thread=False)
        _template().backup(held)
        return cls(SqliteMemory(held, now_us))

    @classmethod
    def _migrated(cls, opened: Opened) -> Database:
        database = cls(opened)
        try:
            with database.write() as connection:
                opened.unbounded(connection)
                migrate(connection, opened.where)
        except BaseException:
            database.close()
            raise
        return database

    def beside(self) -> Database:
        """Return another user of the same connections, with a lease of its own."""
        self._opened.users += 1
        return Database(self._opened, self._turn)

    def fenced(self, term: int) -> Database:
        """Return the same for whoever leads: it writes nothing once that term is over."""
        return Database(self._opened, self._turn, term)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Yield the one write transaction: committed at the end, rolled back when anything is raised."""
        if not self._opened.can_write:
            raise RuntimeError("this database was opened for reading")
        if not self._turn.acquire(timeout=self._opened.turn_s):
            raise self._opened.not_now("another transaction takes too long")
        try:
            with self._opened.translated(), self._opened.writing() as connection:
                if self._term is not None:
                    self._check(connection, self._term)
                yield connection
        finally:
            self._turn.release()

    @contextmanager
    def aside(self) -> Iterator[Connection]:
        """Yield a short transaction about who writes: it waits for none of those which write."""
        with self._opened.translated(), self._opened.aside() as connection:
            yield connection

    def end_stalled(self, connection: Connection) -> None:
        """End the transaction of another process that has stopped within it, where that can be."""
        self._opened.end_stalled(connection)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Yield one consistent view; it never waits for the writer, nor the writer for it."""
        with self._opened.translated(), self._opened.reading() as connection:
            yield connection

    def glance(self, asked: TextClause, **given: object) -> Any:  # noqa: ANN401 (whatever the column holds)
        """Return the one value that a question finds, or None; the cheapest way to ask for so little."""
        with self._opened.translated():
            return self._opened.glance(asked, given)

    def _check(self, connection: Connection, term: int) -> None:
        """Refuse to write unless this term goes on, and have it go on until the transaction ends."""
        asked = _HOLDS.format(now=self.now_sql, share=self._opened.share_sql)
        if connection.execute(text(asked), {"term": term}).first() is None:
            what = f"term {term} of this control plane is over, so it writes nothing"
            remedy = "ask the one that leads now; this one stands by"
            raise NotLeader(Problem(f"control database {self.where}", what, remedy))

    def close(self) -> None:
        """Let go of it, and of the right to write."""
        self._opened.close()


def _opened(address: Path | str, *, can_write: bool, limits: Limits) -> Opened:
    if not isinstance(address, Path):
        address = address.removeprefix("sqlite:///")
        if "://" in address or address.startswith("postgres"):
            return Postgres(address, can_write=can_write, limits=limits)
    return SqliteFile(Path(address), can_write=can_write)


@cache
def _template() -> sqlite3.Connection:
    """Return an empty database with all tables: to copy one is a hundred times faster than to migrate it."""
    held = sqlite3.connect(":memory:", check_same_thread=False)
    Database._migrated(SqliteMemory(held, clock_us))  # noqa: SLF001 (it is ours)
    return held
