"""The control database: SQLite with one writing process, short transactions, and migrations at the start."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from rollout.errors import Problem, WrongSettings

BUSY_TIMEOUT_S: Final = 30
MIGRATIONS: Final = Path(__file__).parent / "migrations"
# FULL, not NORMAL: a node deletes what was acknowledged, so an acknowledged commit must outlive a power cut.
_PRAGMAS: Final = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "temp_store=MEMORY")


class Database:
    """One file; `writer` opens it for the only process that may write, `reader` for any other."""

    def __init__(self, engine: Engine, lock: int | None = None) -> None:
        self._engine = engine
        self._lock = lock
        self._turn = threading.Lock()

    @property
    def is_writer(self) -> bool:
        """Whether this process alone writes here."""
        return self._lock is not None

    @classmethod
    def writer(cls, file: Path) -> Database:
        """Open the file, made and brought up to date when needed; another writer is refused."""
        file.parent.mkdir(parents=True, exist_ok=True)
        lock = _take_lock(file)
        engine = _engine(f"sqlite:///{file}", begin="BEGIN IMMEDIATE")
        database = cls(engine, lock)
        with database.write() as connection:
            migrate(connection)
        return database

    @classmethod
    def reader(cls, file: Path) -> Database:
        """Open a file that a writer has made, for reading only."""
        return cls(_engine(f"sqlite:///file:{file}?mode=ro&uri=true", begin="BEGIN"))

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Yield the one write transaction: committed at the end, rolled back when anything is raised."""
        if self._lock is None:
            raise RuntimeError("this database was opened for reading")
        with self._turn, self._engine.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Yield one consistent view; it never waits for the writer, nor the writer for it."""
        with self._engine.connect() as connection, connection.execution_options(rollout_reads=True).begin():
            yield connection

    def close(self) -> None:
        """Let go of the file and of the right to write."""
        self._engine.dispose()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def migrate(connection: Connection) -> None:
    """Bring the tables to their newest shape, inside the caller's transaction."""
    configuration = Config()
    configuration.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    configuration.set_main_option("path_separator", "os")
    configuration.attributes["connection"] = connection
    command.upgrade(configuration, "head")


def _engine(address: str, *, begin: str) -> Engine:
    engine = create_engine(address, connect_args={"timeout": BUSY_TIMEOUT_S})

    @event.listens_for(engine, "connect")
    def configure(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        # The driver would begin transactions by itself, and late: each of ours begins where it says.
        connection.isolation_level = None
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
    descriptor = os.open(f"{file}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise WrongSettings(
            Problem(str(file), "another process writes to this database", "stop it, or name another file")
        ) from None
    return descriptor
