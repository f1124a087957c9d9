"""What a kind of database brings: an engine, how its transactions begin, and what its errors mean."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar, Final

from sqlalchemy import Connection, Engine, TextClause
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolEmpty

from rollout.errors import Problem, Retry

NOT_NOW: Final = "it is asked again by itself"


class Opened(ABC):
    """One opened database of one kind."""

    now_sql: ClassVar[str]
    """Its clock in microseconds."""
    share_sql: ClassVar[str] = ""
    """What keeps a row's key as it is until the transaction ends, and lets others change the rest of it."""
    lock_sql: ClassVar[str] = ""
    """What waits for all of those."""

    def __init__(self, engine: Engine, where: str, *, can_write: bool) -> None:
        self.engine = engine
        self.where = where
        """For people, without user and password."""
        self.can_write = can_write
        self.users = 1

    @property
    @abstractmethod
    def is_alone(self) -> bool:
        """Whether nobody else can write here, whatever a lease says."""

    @property
    @abstractmethod
    def turn_s(self) -> float:
        """How long a transaction may wait for those of this process before it."""

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Yield a transaction that writes; no two of them run at once, in whatever process."""
        with self.engine.begin() as connection:
            self.enter(connection)
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Yield a transaction that sees one moment."""
        with self.engine.connect() as connection:
            self.look(connection)
            with connection.begin():
                yield connection

    def glance(self, asked: TextClause, given: Mapping[str, object]) -> Any:  # noqa: ANN401 (whatever the column holds)
        """Return the one value that a plain question finds, or None."""
        with self.reading() as connection:
            return connection.execute(asked, given).scalar_one_or_none()

    @contextmanager
    def aside(self) -> Iterator[Connection]:
        """Yield a short transaction that waits for none of those which write."""
        with self.engine.begin() as connection:
            yield connection

    @abstractmethod
    def enter(self, connection: Connection) -> None:
        """Keep every other writer out until this transaction ends."""

    def end_stalled(self, connection: Connection) -> None:  # noqa: B027 (a file has one writer at most)
        """End a writer's transaction that has stopped for good, where somebody else can."""

    @abstractmethod
    def look(self, connection: Connection) -> None:
        """Have what follows see one moment."""

    @abstractmethod
    def unbounded(self, connection: Connection) -> None:
        """Let this transaction take its time: a migration may have to."""

    @abstractmethod
    def trouble(self, error: DBAPIError) -> str | None:
        """Return what is wrong in a few words when it may pass by itself, or nothing for a defect of ours."""

    def close(self) -> None:
        """Let go of it."""
        self.engine.dispose()

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Raise what may pass by itself as `Retry`, without what was asked: it may hold a secret."""
        try:
            yield
        except DBAPIError as error:
            what = self.trouble(error)
            if what is None:
                raise
            raise self.not_now(what) from None
        except PoolEmpty:
            raise self.not_now("all of its connections are busy") from None

    def not_now(self, what: str) -> Retry:
        """Return the error for what may pass by itself."""
        return Retry(Problem(f"control database {self.where}", what, f"see whether it runs; {NOT_NOW}"))
