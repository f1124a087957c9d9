"""While the database is away, or has frozen, everything says so soon; once it is back, all goes on."""

from __future__ import annotations

import gc
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import text

from rollout.domain.records import Digest
from rollout.errors import Retry
from rollout.store.counts import Counts
from rollout.store.database import Database
from rollout.store.leadership import Leadership
from rollout.store.postgres import Limits
from tests.contracts.ledger import entry, moved
from tests.domain.examples import POLICY
from tests.domain.scenes import NOW_US
from tests.store.server import Server
from tests.store.test_leadership import TOLD, ledger_of, waits

SECRET = "hunter2"  # noqa: S105 (of nothing)
HURRIED = Limits(connect_s=2, statement_s=1.0, grace_s=0.2, lock_s=0.4, idle_s=5, connections=3)
LATEST_S = 60.0


class Away:
    """One database whose server comes and goes."""

    def __init__(self, made: Server, name: str) -> None:
        self.server, self.name = made, name
        address = made.address(name).replace("postgres@", f"postgres:{SECRET}@")
        self.database = Database.writer(address, limits=HURRIED)
        self.ledger, self.counts = ledger_of(self.database), Counts(self.database)
        self.seen = self.ledger.start(POLICY, NOW_US)
        self.leadership = Leadership(self.database, holder="a", lease_s=LATEST_S)

    def attempts(self) -> list[Callable[[], object]]:
        """Return what a control plane does all day."""
        return [
            self.ledger.served,
            lambda: self.ledger.record(self.seen, moved(self.seen.experiment), entry(1)),
            lambda: self.counts.add(TOLD, Digest(), NOW_US),
            self.leadership.stand,
        ]


@pytest.fixture
def away(postgres: tuple[Server, str]) -> Iterator[Away]:
    made = Away(*postgres)
    yield made
    made.database.close()


def soon(attempt: Callable[[], object]) -> object:
    """Return what an attempt ends with, an error included, and fail when it does not end."""
    found: list[object] = []

    def run() -> None:
        try:
            found.append(attempt())
        except Exception as error:  # noqa: BLE001 (that is what is looked at)
            found.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(LATEST_S)
    assert found, "it never ended"
    return found[0]


def check_refused(away: Away) -> None:
    """Have everything refused with what to do, and nothing that is secret."""
    for attempt in away.attempts():
        error = soon(attempt)
        assert isinstance(error, Retry), error
        (problem,) = error.problems
        assert problem.where == f"control database {away.database.where}"
        assert away.name in problem.where
        assert "asked again by itself" in problem.remedy
        assert SECRET not in str(error)
        assert error.__cause__ is None


def check_goes_on(away: Away) -> None:
    """Have everything done that was refused, as often as it takes no longer than it should."""
    assert away.ledger.runs() == (away.seen,), "nothing of what was refused was done"
    assert away.ledger.record(away.seen, moved(away.seen.experiment), entry(1))
    assert away.counts.add(TOLD, Digest(), NOW_US) == TOLD.end
    assert away.leadership.stand() is not None
    assert away.ledger.verify().found == 0
    # A server that was frozen notices late who has hung up; an attempt to connect ends with its error.
    gc.collect()
    waits(lambda: away.server.connections(away.name) <= HURRIED.connections)


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_a_server_that_goes_away_and_comes_back(
    away: Away, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        away.server.stop() if how == "stopped" else away.server.kill()
        try:
            check_refused(away)
        finally:
            away.server.start()
        check_goes_on(away)
    assert SECRET not in caplog.text


def test_a_server_that_freezes_and_thaws(away: Away) -> None:
    away.server.freeze()
    try:
        check_refused(away)
    finally:
        away.server.thaw()
    check_goes_on(away)


def test_a_server_that_goes_away_in_the_midst_of_a_transaction_leaves_nothing_of_it(away: Away) -> None:
    def interrupted() -> None:
        with away.database.write() as connection:
            connection.execute(text("INSERT INTO run (experiment, revision) VALUES ('a', 1)"))
            away.server.kill()
            connection.execute(text("SELECT 1"))

    try:
        assert isinstance(soon(interrupted), Retry)
    finally:
        away.server.start()
    with away.database.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM run")).scalar_one() == 0
    check_goes_on(away)


def test_whoever_waits_too_long_for_others_is_told_so(away: Away) -> None:
    """The others being another process, threads of this one, and all of its connections."""
    other = Database.writer(away.server.address(away.name))
    with other.write():
        error = soon(lambda: away.ledger.record(away.seen, moved(away.seen.experiment), entry(1)))
        assert isinstance(error, Retry)
        assert "another transaction takes too long" in str(error)
    other.close()
    with away.database.write():
        assert "another transaction takes too long" in str(soon(lambda: away.ledger.start(POLICY, NOW_US)))
        with away.database.read(), away.database.read():
            assert "all of its connections are busy" in str(soon(away.ledger.served))
    check_goes_on(away)


def test_a_database_that_is_not_there_is_named_without_its_password(postgres: tuple[Server, str]) -> None:
    made, _ = postgres
    address = made.address("nowhere").replace("postgres@", f"postgres:{SECRET}@")
    with pytest.raises(Retry, match="nowhere") as refused:
        Database.writer(address, limits=HURRIED)
    assert SECRET not in str(refused.value)


def test_a_full_disk_is_said_so_and_what_was_there_stays(tmp_path: Path) -> None:
    database = Database.writer(tmp_path / "control.db")
    ledger = ledger_of(database)
    seen = ledger.start(POLICY, NOW_US)

    def fill() -> None:
        with database.write() as connection:
            pages = connection.execute(text("PRAGMA page_count")).scalar_one()
            connection.execute(text(f"PRAGMA max_page_count = {pages}"))
            for number in range(10_000):
                row = {"name": "x" * 1_000, "revision": number}
                statement = "INSERT INTO run (experiment, revision) VALUES (:name, :revision)"
                connection.execute(text(statement), row)

    error = soon(fill)
    assert isinstance(error, Retry)
    assert "its disk is full" in str(error)
    with suppress(Retry):
        fill()
    assert ledger.runs() == (seen,)
    database.close()
