"""SQLite: a file with one writing process, or memory of one process for simulations."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, StaticPool, TextClause, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, MultipleResultsFound
from sqlalchemy.pool import ConnectionPoolEntry

from rollout.errors import Problem, WrongSettings
from rollout.store.opened import Opened

BUSY_TIMEOUT_S: Final = 30
# FULL, not NORMAL: a node deletes what was acknowledged, so an acknowledged commit must outlive a power cut.
_PRAGMAS: Final = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "temp_store=MEMORY")
_PASSING: Final = {
    sqlite3.SQLITE_BUSY: "it is locked",
    sqlite3.SQLITE_LOCKED: "it is locked",
    sqlite3.SQLITE_FULL: "its disk is full",
    sqlite3.SQLITE_IOERR: "its disk fails",
    sqlite3.SQLITE_CANTOPEN: "its file cannot be opened",
}


def clock_us() -> int:
    """Return this machine's time: where the database is a file here, it is the database's clock."""
    return time.time_ns() // 1000


class SqliteFile(Opened):
    """A file; whoever holds its lock is the only process that may write."""

    now_sql = "rollout_now_us()"

    def __init__(self, file: Path, *, can_write: bool) -> None:
        self._lock = _take_lock(file) if can_write else None
        address = f"sqlite:///{file}" if can_write else f"sqlite:///file:{file}?mode=ro&uri=true"
        begin = "BEGIN IMMEDIATE" if can_write else "BEGIN"
        super().__init__(_engine(address, begin=begin), str(file), can_write=can_write)

    @property
    def is_alone(self) -> bool:
        """The lock keeps every other process out."""
        return self._lock is not None

    @property
    def turn_s(self) -> float:
        """As long as the database itself waits."""
        return BUSY_TIMEOUT_S

    def enter(self, connection: Connection) -> None:
        """Nothing is left to do: BEGIN IMMEDIATE has kept the others out."""

    def look(self, connection: Connection) -> None:
        """Begin without the right to write."""
        connection.execution_options(rollout_reads=True)

    def glance(self, asked: TextClause, given: Mapping[str, object]) -> Any:  # noqa: ANN401 (as above it)
        """Ask the driver itself: one statement sees one moment, and a transaction costs ten times as much."""
        try:
            connection = self.engine.raw_connection()
            try:
                rows = connection.cursor().execute(asked.text, given).fetchmany(2)
            finally:
                connection.close()
        except sqlite3.Error as error:
            raise DBAPIError(asked.text, None, error) from None
        if len(rows) > 1:
            raise MultipleResultsFound(asked.text)
        return rows[0][0] if rows else None

    def unbounded(self, connection: Connection) -> None:
        """Nothing bounds it."""

    def trouble(self, error: DBAPIError) -> str | None:
        """Read the driver's own number."""
        return _trouble(error)

    def close(self) -> None:
        """Let go of the file and of the right to write."""
        super().close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


class SqliteMemory(Opened):
    """Memory of this process behind one connection: a read inside a transaction sees what that has done."""

    now_sql = "rollout_now_us()"

    def __init__(self, held: sqlite3.Connection, now_us: Callable[[], int]) -> None:
        engine = _engine("sqlite://", begin="BEGIN IMMEDIATE", held=held, now_us=now_us)
        super().__init__(engine, "in memory", can_write=True)
        self._one = threading.RLock()
        self._open: Connection | None = None

    @property
    def is_alone(self) -> bool:
        """Nobody else can reach it; several users here are told apart by their leases."""
        return self.users == 1

    @property
    def turn_s(self) -> float:
        """As long as a file waits."""
        return BUSY_TIMEOUT_S

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Yield the transaction of the one connection."""
        with self._one:
            if self._open is not None:
                raise RuntimeError(
                    "in memory there is one connection: nothing is written inside a transaction"
                )
            with self.engine.begin() as connection:
                self._open = connection
                try:
                    yield connection
                finally:
                    self._open = None

    aside = writing

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Yield the transaction under way in this thread, or one of its own."""
        with self._one:
            if self._open is not None:
                yield self._open
                return
            with self.writing() as connection:
                yield connection

    def enter(self, connection: Connection) -> None:
        """Nothing is left to do: there is one connection."""

    def look(self, connection: Connection) -> None:
        """Nothing is left to do: there is one connection."""

    def unbounded(self, connection: Connection) -> None:
        """Nothing bounds it."""

    def trouble(self, error: DBAPIError) -> str | None:
        """Read the driver's own number."""
        return _trouble(error)


def _trouble(error: DBAPIError) -> str | None:
    # The low byte is the kind, the others say more about it.
    return _PASSING.get(getattr(error.orig, "sqlite_errorcode", 0) & 0xFF)


def _engine(
    address: str,
    *,
    begin: str,
    held: sqlite3.Connection | None = None,
    now_us: Callable[[], int] = clock_us,
) -> Engine:
    waits = {"timeout": BUSY_TIMEOUT_S}
    if held is None:
        engine = create_engine(address, connect_args=waits, hide_parameters=True)
    else:
        engine = create_engine(address, creator=lambda: held, poolclass=StaticPool, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def configure(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        # The driver would begin transactions by itself, and late: each of ours begins where it says.
        connection.isolation_level = None
        connection.create_function("rollout_now_us", 0, now_us)
        cursor = connection.cursor()
        for pragma in _PRAGMAS:
            if begin == "BEGIN IMMEDIATE" or not pragma.startswith("journal_mode"):
                cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin_now(connection: Connection) -> None:
        reads = connection.get_execution_options().get("rollout_reads", False)
        connection.exec_driver_sql("BEGIN" if reads else begin)

    return engine


def _take_lock(file: Path) -> int:
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(f"{file}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise WrongSettings(
            Problem(str(file), "another process writes to this database", "stop it, or name another file")
        ) from None
    return descriptor
