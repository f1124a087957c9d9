"""PostgreSQL: every wait is bounded, and the writing transactions of all processes take turns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, TypeVar, cast

import psycopg
from psycopg.abc import PQGen
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError

from rollout.errors import Problem, WrongSettings
from rollout.store.opened import Opened

DRIVER: Final = "postgresql+psycopg"
# One number for this program's writers; advisory locks are kept apart by database.
_TURN: Final = 0x726F6C6C6F7574
_ENTER: Final = text("SELECT pg_advisory_xact_lock(:turn)")
_STALLED: Final = text(
    "SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_stat_activity USING (pid) "
    "WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND classid = :high AND objid = :low "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
    "AND state <> 'idle' AND wait_event_type = 'Client' "
    "AND state_change < clock_timestamp() - make_interval(secs => :idle_s)"
)
"""Whoever has the writers' turn and stopped within a batch: the server's own bounds do not count there."""
# A node deletes what was acknowledged: whatever the server's habit, a commit of ours has reached its disk.
_DURABLE: Final = (
    "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
)
_UNBOUNDED: Final = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Limits:
    """How long anything at all is waited for, and how many connections there are."""

    connect_s: int = 3
    statement_s: float = 10.0
    """One statement; the server ends it."""
    grace_s: float = 2.0
    """So much later this side ends it, when the server does not answer at all."""
    lock_s: float = 8.0
    """Another transaction's turn; and that of a thread of this process."""
    idle_s: float = 8.0
    """A transaction whose program has stopped between two statements: a paused leader blocks no longer."""
    connections: int = 16


USUAL: Final = Limits()


class Bounded(psycopg.Connection[Any]):
    """A connection on which nothing waits longer than its bound, even for a server that has frozen."""

    bound_s: float | None = None

    def wait(self, gen: PQGen[Value], interval: float = 0.1, timeout: float | None = None) -> Value:
        """Wait as the driver does, and give the connection up when the bound is reached."""
        try:
            return super().wait(gen, interval, self.bound_s if timeout is None else timeout)
        except psycopg.OperationalError:
            if self.pgconn.transaction_status == psycopg.pq.TransactionStatus.ACTIVE:
                # What it is doing there is unknown, so it is good for nothing any more.
                self.pgconn.finish()
            raise


class Postgres(Opened):
    """One database of a PostgreSQL server."""

    # Not the time at which the transaction began: it may have waited since.
    now_sql = "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)"
    share_sql = " FOR KEY SHARE"
    lock_sql = " FOR UPDATE"
    _passing: ClassVar[Mapping[type[Exception], str]] = {
        psycopg.errors.QueryCanceled: "it takes too long to answer",
        psycopg.errors.LockNotAvailable: "another transaction takes too long",
        psycopg.errors.DiskFull: "its disk is full",
        psycopg.errors.InvalidPassword: "it refuses the user or the password",
        psycopg.errors.InvalidAuthorizationSpecification: "it refuses the user or the password",
        psycopg.errors.ReadOnlySqlTransaction: "it takes no writes at present",
        psycopg.errors.IdleInTransactionSessionTimeout: "it ended a transaction that had stopped",
        psycopg.errors.TooManyConnections: "it has no connection to spare",
        psycopg.errors.InvalidCatalogName: "there is no such database",
        psycopg.InterfaceError: "the connection was lost",
        psycopg.OperationalError: "it cannot be reached, or has closed the connection",
    }

    def __init__(self, address: str, *, can_write: bool, limits: Limits) -> None:
        url = parsed(address)
        self._limits = limits
        arguments = _arguments(url, limits)

        def connect() -> DBAPIConnection:
            opened = Bounded.connect(**arguments)
            opened.bound_s = limits.statement_s + limits.grace_s
            try:
                with opened.transaction():
                    opened.execute(_DURABLE)
            except BaseException:
                opened.close()
                raise
            return cast("DBAPIConnection", opened)

        engine = create_engine(
            f"{DRIVER}://",
            creator=connect,
            pool_size=limits.connections,
            max_overflow=0,
            pool_timeout=limits.lock_s,
            pool_pre_ping=True,
            use_native_hstore=False,
            hide_parameters=True,
        )
        super().__init__(engine, _where(url), can_write=can_write)

    @property
    def is_alone(self) -> bool:
        """Any process may open it: a lease says whose turn it is."""
        return False

    @property
    def turn_s(self) -> float:
        """As long as another process is waited for."""
        return self._limits.lock_s

    def enter(self, connection: Connection) -> None:
        """Take the turn of all writers, until the transaction ends."""
        connection.execute(_ENTER, {"turn": _TURN})

    def end_stalled(self, connection: Connection) -> None:
        """End the transaction of a writer that stopped within a batch of statements."""
        turn = {"high": _TURN >> 32, "low": _TURN & 0xFFFFFFFF}
        connection.execute(_STALLED, turn | {"idle_s": self._limits.idle_s})

    def look(self, connection: Connection) -> None:
        """See one moment, and change nothing."""
        connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)

    def unbounded(self, connection: Connection) -> None:
        """Lift the bounds of this transaction; its connection is not used again."""
        for name in _UNBOUNDED:
            connection.exec_driver_sql(f"SET LOCAL {name} = 0")
        cast("Bounded", connection.connection.dbapi_connection).bound_s = None
        connection.detach()

    def trouble(self, error: DBAPIError) -> str | None:
        """Return what passes by itself: whatever the server or the way to it does, but no wrong statement."""
        for kind, what in self._passing.items():
            if isinstance(error.orig, kind):
                return what
        return "the connection was lost" if error.connection_invalidated else None


def parsed(address: str) -> URL:
    """Return the parts of an address; whatever is wrong with it, its password is not repeated."""
    try:
        url = make_url(address)
    except ArgumentError:
        url = None
    if url is None or url.get_backend_name() != "postgresql":
        remedy = f"write {DRIVER}://USER:PASSWORD@HOST:PORT/NAME, or the path of a file for SQLite"
        raise WrongSettings(Problem("the control database's address", "it cannot be understood", remedy))
    return url


def _where(url: URL) -> str:
    host = url.host or url.query.get("host") or "this machine"
    port = "" if url.port is None else f":{url.port}"
    return f"{url.database or url.username} at {host}{port}"


def _arguments(url: URL, limits: Limits) -> dict[str, Any]:
    """Return what the driver is told; what the address asks for itself comes first."""
    milliseconds = {
        "statement_timeout": limits.statement_s,
        "lock_timeout": limits.lock_s,
        "idle_in_transaction_session_timeout": limits.idle_s,
    }
    bounds = " ".join(f"-c {name}={int(seconds * 1000)}" for name, seconds in milliseconds.items())
    given = url.translate_connect_args(username="user", database="dbname") | dict(url.query)
    return (
        {
            "connect_timeout": limits.connect_s,
            "application_name": "rollout",
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 3,
            "tcp_user_timeout": int(limits.statement_s * 1000),
        }
        | given
        | {"options": f"{given.get('options', '')} {bounds}".strip()}
    )
