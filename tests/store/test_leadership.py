"""One leads at a time: nobody else writes, whoever wakes late writes nothing, and the next one is elected."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import cast

import psycopg
import pytest
from sqlalchemy import text

from rollout.domain.records import Digest
from rollout.errors import NotLeader, Retry
from rollout.policyfile.digest import digest
from rollout.ports import Standing
from rollout.store.counts import Counts, Told
from rollout.store.database import Database
from rollout.store.leadership import LEASE_S, RENEW_EVERY_S, Leadership, Lease
from rollout.store.ledger import SqlLedger
from rollout.store.postgres import Limits
from tests.contracts.ledger import entry, moved
from tests.domain.examples import POLICY
from tests.domain.scenes import NOW_US
from tests.store.server import Server

PATIENCE_S = 30.0
TOLD = Told("exposures", "node", "0123456789abcdef" * 2, 0, 10, NOW_US, 0)


def ledger_of(database: Database) -> SqlLedger:
    numbers = count(1)
    return SqlLedger(database, new_uid=lambda: f"{next(numbers):08d}", digest=digest)


def record_once(ledger: SqlLedger) -> int:
    """Record a decision on the one run, which is started when there is none."""
    standing = ledger.runs()
    if not standing:
        ledger.start(POLICY, NOW_US)
        return 0
    (seen,) = standing
    number = 1 if seen.last is None else seen.last.number + 1
    return int(ledger.record(seen, moved(seen.experiment), entry(number)))


@dataclass
class Clock:
    """The database's clock, which the test moves; on a server it goes by itself, and is waited for."""

    kind: str
    us: int = NOW_US

    def now_us(self) -> int:
        return self.us

    def passes(self, seconds: float) -> None:
        if self.kind == "memory":
            self.us += int(seconds * 1_000_000)
        else:
            time.sleep(seconds)


@dataclass
class Two:
    """Two processes that would lead, as far as the database knows."""

    clock: Clock
    databases: tuple[Database, Database]
    lease_s: float
    _leaderships: list[Leadership] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Give each a name and an address."""
        self._leaderships = [
            Leadership(one, holder=name, address=f"http://{name}", lease_s=self.lease_s)
            for one, name in zip(self.databases, ("a", "b"), strict=True)
        ]

    @property
    def first(self) -> Leadership:
        return self._leaderships[0]

    @property
    def second(self) -> Leadership:
        return self._leaderships[1]

    def run_out(self) -> None:
        """Let a lease run out."""
        self.clock.passes(self.lease_s * 1.01)


@pytest.fixture(params=["memory", "postgresql"])
def two(request: pytest.FixtureRequest) -> Iterator[Two]:
    clock = Clock(request.param)
    if request.param == "memory":
        first = Database.memory(clock.now_us)
        yield Two(clock, (first, first.beside()), LEASE_S)
        first.close()
        return
    made, name = request.getfixturevalue("postgres")
    pair = (Database.writer(made.address(name)), Database.writer(made.address(name)))
    yield Two(clock, pair, 0.5)
    for one in pair:
        one.close()


def led(lease: Lease | None) -> Lease:
    assert lease is not None
    return lease


def test_of_two_the_first_leads_and_the_other_hears_who(two: Two) -> None:
    lease = led(two.first.stand())
    assert (lease.term, two.second.stand()) == (1, None)
    assert two.second.leader() == "http://a"
    assert lease.renew()
    assert lease.database.is_writer
    assert record_once(ledger_of(lease.database)) == 0


def test_a_lease_that_is_renewed_does_not_run_out(two: Two) -> None:
    lease = led(two.first.stand())
    for _ in range(5):
        two.clock.passes(two.lease_s / 3)
        assert two.second.stand() is None
        assert lease.renew()


def test_who_gives_up_is_followed_at_once(two: Two) -> None:
    lease = led(two.first.stand())
    lease.give_up()
    assert led(two.second.stand()).term == 2
    lease.give_up()
    assert not lease.renew()
    assert two.first.stand() is None, "an old term gives nothing up"


def test_whoever_was_paused_and_wakes_writes_nothing(two: Two) -> None:
    old = led(two.first.stand())
    ledger, counts = ledger_of(old.database), Counts(old.database)
    seen = ledger.start(POLICY, NOW_US)
    two.run_out()
    new = led(two.second.stand())
    assert new.term == old.term + 1
    attempts: list[Callable[[], object]] = [
        lambda: ledger.record(seen, moved(seen.experiment), entry(1)),
        lambda: ledger.start(replace(POLICY, name="other"), NOW_US),
        lambda: ledger.revise(seen, seen.experiment, NOW_US),
        lambda: counts.add(TOLD, Digest(), NOW_US),
        lambda: counts.forget_node("node"),
    ]
    for attempt in attempts:
        with pytest.raises(NotLeader, match="writes nothing"):
            attempt()
    assert not old.renew()
    now = ledger_of(new.database)
    assert (now.runs(), len(now.acts()), Counts(new.database).cursors()) == ((seen,), 1, [])
    assert now.record(seen, moved(seen.experiment), entry(1))


def test_a_lease_that_ran_out_and_that_nobody_took_can_be_held_on_to(two: Two) -> None:
    lease = led(two.first.stand())
    ledger = ledger_of(lease.database)
    two.run_out()
    with pytest.raises(NotLeader):
        ledger.start(POLICY, NOW_US)
    assert lease.renew()
    assert ledger.start(POLICY, NOW_US).version == 1


def test_by_its_own_clock_a_leader_knows_when_another_may_lead() -> None:
    database, now = Database.memory(), [0.0]
    lease = led(Leadership(database, holder="a", lease_s=6, steady_s=lambda: now[0]).stand())
    now[0] = 5.9
    assert lease.holds()
    assert lease.renew()
    now[0] = 11.8
    assert lease.holds(), "what counts is when it asked"
    now[0] = 12.0
    assert not lease.holds()
    database.close()


def test_a_takeover_takes_no_longer_than_a_lease_and_leaves_room_for_lost_renewals() -> None:
    assert LEASE_S <= 6
    assert 2 * RENEW_EVERY_S < LEASE_S


def test_of_many_that_stand_at_once_one_has_each_term(postgres: tuple[Server, str]) -> None:
    made, name = postgres
    databases = [Database.writer(made.address(name)) for _ in range(4)]
    terms: list[int] = []
    together = threading.Barrier(len(databases))

    def stand(number: int) -> None:
        leadership = Leadership(databases[number], holder=f"process {number}", lease_s=0.3)
        together.wait()
        until = time.monotonic() + PATIENCE_S
        held = 0
        while held < 3 and time.monotonic() < until:
            lease = leadership.stand()
            if lease is None:
                time.sleep(0.01)
                continue
            held += 1
            terms.append(lease.term)
            lease.give_up()

    threads = [threading.Thread(target=stand, args=(number,)) for number in range(len(databases))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(terms) == list(range(1, 13))
    for one in databases:
        one.close()


def seen_by(database: Database) -> tuple[Standing, ...]:
    return ledger_of(database).runs()


def test_a_transaction_under_way_ends_before_another_leads(postgres: tuple[Server, str]) -> None:
    made, name = postgres
    one, other = (Database.writer(made.address(name)) for _ in range(2))
    lease = led(Leadership(one, holder="a", lease_s=0.2).stand())
    found: list[Lease | None] = []
    stands = threading.Thread(
        target=lambda: found.append(Leadership(other, holder="b", lease_s=PATIENCE_S).stand())
    )
    with lease.database.write() as connection:
        connection.execute(text("INSERT INTO run (experiment, revision) VALUES ('a', 1)"))
        time.sleep(0.3)
        stands.start()
        time.sleep(0.2)
        assert found == [], "it waits for what was begun in time"
    stands.join()
    (new,) = found
    with led(new).database.write() as connection:
        assert connection.execute(text("SELECT count(*) FROM run")).scalar_one() == 1
    for database in (one, other):
        database.close()


@pytest.mark.parametrize("begins", [True, False])
def test_a_leader_paused_within_a_batch_of_statements_holds_nobody_up(
    postgres: tuple[Server, str], *, begins: bool
) -> None:
    """The server is told the rest of a batch later, and none of its own bounds counts until then.

    Before the first statement of a batch it still calls the transaction idle.
    """
    made, name = postgres
    limits = Limits(idle_s=0.4, statement_s=0.5, lock_s=0.3)
    one, other = (Database.writer(made.address(name), limits=limits) for _ in range(2))
    lease = led(Leadership(one, holder="a", lease_s=0.2).stand())
    leadership = Leadership(other, holder="b", lease_s=PATIENCE_S)
    found: list[Lease] = []

    def pause() -> None:
        with lease.database.write() as connection:
            driver = cast("psycopg.Connection[object]", connection.connection.dbapi_connection)
            driver.pgconn.enter_pipeline_mode()
            if begins:
                driver.pgconn.send_query_params(b"INSERT INTO run (experiment, revision) VALUES ('a', 1)", [])
            driver.pgconn.send_flush_request()
            driver.pgconn.flush()
            found.append(led(elected_at_last(leadership)))
            driver.pgconn.finish()

    with pytest.raises(Retry):
        pause()
    assert found[0].term == 2
    with found[0].database.write() as connection:
        assert connection.execute(text("SELECT count(*) FROM run")).scalar_one() == 0
    for database in (one, other):
        database.close()


def elected_at_last(leadership: Leadership) -> Lease | None:
    """Stand as a standby does, which asks again when it was not answered."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        with suppress(Retry):
            if (lease := leadership.stand()) is not None:
                return lease
        time.sleep(0.05)
    return None


def test_a_leader_paused_within_a_transaction_holds_nobody_up(postgres: tuple[Server, str]) -> None:
    made, name = postgres
    one = Database.writer(made.address(name), limits=Limits(idle_s=0.4))
    other = Database.writer(made.address(name))
    lease = led(Leadership(one, holder="a", lease_s=0.2).stand())
    found: list[Lease | None] = []

    def pause() -> None:
        with lease.database.write() as connection:
            connection.execute(text("INSERT INTO run (experiment, revision) VALUES ('a', 1)"))
            time.sleep(0.3)
            found.append(Leadership(other, holder="b", lease_s=PATIENCE_S).stand())

    with pytest.raises(Retry):
        pause()
    new = led(found[0])
    assert new.term == 2
    with new.database.write() as connection:
        assert connection.execute(text("SELECT count(*) FROM run")).scalar_one() == 0
    with pytest.raises(NotLeader):
        ledger_of(lease.database).start(POLICY, NOW_US)
    for database in (one, other):
        database.close()


def test_a_process_that_was_paused_and_is_woken_finds_that_it_leads_no_longer(
    postgres: tuple[Server, str],
) -> None:
    made, name = postgres
    address, lease_s = made.address(name), 0.8
    root = Path(__file__).parents[2]
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.store.leader", address, str(lease_s)],
        cwd=root,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "leads\n"
        database = Database.writer(address)
        ledger = ledger_of(database)
        waits(lambda: len(ledger.acts()) > 5)
        leadership = Leadership(database, holder="parent", lease_s=PATIENCE_S)
        assert leadership.stand() is None
        os.kill(child.pid, signal.SIGSTOP)
        new = led(elected(leadership))
        written = len(ledger.acts())
        os.kill(child.pid, signal.SIGCONT)
        assert child.stdout.readline().split()[0::2] == ["over", "False"]
        assert child.wait(PATIENCE_S) == 0
        assert len(ledger.acts()) == written, "it wrote nothing after another one was elected"
        assert ledger.verify().found == 0
        assert record_once(ledger_of(new.database)) == 1
        database.close()
    finally:
        child.kill()
        child.communicate()


def elected(leadership: Leadership) -> Lease | None:
    """Stand until elected."""
    end = time.monotonic() + PATIENCE_S
    while (lease := leadership.stand()) is None and time.monotonic() < end:
        time.sleep(0.05)
    return lease


def waits(until: Callable[[], bool]) -> None:
    """Wait until something is so."""
    end = time.monotonic() + PATIENCE_S
    while not until():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_new_database_begins_above_every_term_of_the_one_before() -> None:
    database, at_s = Database.memory(), [1_700_000_000]
    leadership = Leadership(database, holder="a", floor=lambda: at_s[0])
    terms = []
    for moment in (1_700_000_000, 1_700_000_000, 1_600_000_000, 1_800_000_000):
        at_s[0] = moment
        lease = led(leadership.stand())
        terms.append(lease.term)
        lease.give_up()
    assert terms == [1_700_000_000, 1_700_000_001, 1_700_000_002, 1_800_000_000]
    database.close()
