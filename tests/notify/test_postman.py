"""Letters from the outbox to their receivers: whoever dies, hangs or is away, each is told, and once."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from rollout.domain.policy import Event, Notice
from rollout.errors import Problem, Retry
from rollout.notify.couriers import Couriers
from rollout.notify.postman import Postman
from rollout.notify.receivers import Receivers
from rollout.ports import Delivered, Notifier, Parcel
from rollout.store.database import Database
from rollout.store.deliveries import Deliveries
from rollout.store.outbox import SqlOutbox
from tests.command import ROOT
from tests.contracts.notifier import NotifierContract, Scene
from tests.contracts.outbox import Tale
from tests.domain.examples import POLICY
from tests.domain.scenes import NOW_US, SECOND_US
from tests.notify.fakes import MemoryNotifier
from tests.notify.servers import web
from tests.notify.test_couriers import webhook
from tests.store.test_ledger import ledger_of

WITHIN_S = 30.0


@dataclass
class MemoryScene:
    notifier: Notifier

    def arrived(self) -> list[str]:
        assert isinstance(self.notifier, MemoryNotifier)
        return [letter.id for _, letter in self.notifier.sent]


class TestMemoryNotifier(NotifierContract):
    @pytest.fixture
    def scene(self) -> Scene:
        return MemoryScene(MemoryNotifier())


def tale(database: Database, *names: str) -> Tale:
    """Start a run that these receivers are told of."""
    notify = tuple(Notice(name, (Event.DECISION,)) for name in names)
    return Tale(ledger_of(database), replace(POLICY, notify=notify))


def until(holds: Callable[[], bool]) -> bool:
    """Wait until something holds; return whether it did in time."""
    deadline = time.monotonic() + WITHIN_S
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.01)
    return holds()


def states(database: Database) -> dict[str, str]:
    return {one.receiver: one.state for one in Deliveries(database).of()}


def running(postman: Postman) -> threading.Thread:
    thread = threading.Thread(target=postman.run)
    thread.start()
    return thread


def test_a_receiver_that_hangs_delays_no_other(database: Database) -> None:
    notifier = MemoryNotifier(known=frozenset({"slow", "good"}), hanging=frozenset({"slow"}))
    tale(database, "slow", "good")
    postman = Postman(SqlOutbox(database), notifier, now_us=lambda: NOW_US)
    thread = running(postman)
    assert until(lambda: states(database) == {"slow": "pending", "good": "sent"})
    notifier.released.set()
    assert until(lambda: states(database) == {"slow": "sent", "good": "sent"})
    postman.stop()
    thread.join(WITHIN_S)
    assert not thread.is_alive()


def test_many_postmen_send_each_letter_once(database: Database) -> None:
    notifier, names = MemoryNotifier(known=frozenset(f"r{n}" for n in range(8))), [f"r{n}" for n in range(8)]
    tale(database, *names)
    postmen = [Postman(SqlOutbox(database), notifier, now_us=lambda: NOW_US) for _ in range(3)]
    threads = [running(one) for one in postmen]
    assert until(lambda: set(states(database).values()) == {"sent"})
    for one in postmen:
        one.stop()
    for thread in threads:
        thread.join(WITHIN_S)
    assert sorted(receiver for receiver, _ in notifier.sent) == names


def test_a_defect_of_the_notifier_is_a_failed_try(database: Database) -> None:
    tale(database, "good")
    postman = Postman(
        SqlOutbox(database), MemoryNotifier(fails=RuntimeError("s3cr3t")), now_us=lambda: NOW_US
    )
    assert postman.step()
    (found,) = Deliveries(database).of()
    assert (found.state, found.tries, found.problem) == ("pending", 1, "a defect: RuntimeError")


class Away:
    """An outbox whose database is away for a while."""

    def __init__(self, outbox: SqlOutbox, times: int) -> None:
        self._outbox, self.left = outbox, times

    def _look(self) -> None:
        if self.left > 0:
            self.left -= 1
            raise Retry(Problem("database", "away", "wait"))

    def claim(self, holder: str, now_us: int) -> Parcel | None:
        self._look()
        return self._outbox.claim(holder, now_us)

    def settle(self, parcel: Parcel, delivered: Delivered, now_us: int, *, chance: float) -> None:
        self._outbox.settle(parcel, delivered, now_us, chance=chance)

    def tidy(self, now_us: int) -> None:
        self._outbox.tidy(now_us)


def test_a_database_that_is_away_ends_no_postman(database: Database) -> None:
    tale(database, "good")
    notifier = MemoryNotifier()
    postman = Postman(Away(SqlOutbox(database), 3), notifier, now_us=lambda: NOW_US)
    assert [postman.step() for _ in range(5)] == [False, False, False, True, False]
    assert len(notifier.sent) == 1


@pytest.mark.slow
@pytest.mark.parametrize(("point", "times"), [("before-send", 1), ("after-send", 2)])
def test_a_postman_that_is_killed_loses_nothing_and_its_letter_keeps_its_id(
    point: str, times: int, tmp_path: Path
) -> None:
    file = tmp_path / "receivers.toml"
    with web() as server:
        file.write_text(webhook(server.port))
        database = Database.writer(tmp_path / "control.db")
        tale(database, "ci")
        database.close()
        asked = [sys.executable, "-m", "tests.notify.killed", str(tmp_path), point, str(NOW_US)]
        assert subprocess.run(asked, cwd=ROOT, check=False, timeout=120).returncode == -signal.SIGKILL
        assert len(server.got) == times - 1
        database = Database.writer(tmp_path / "control.db")
        now_us = [NOW_US + SECOND_US]
        postman = Postman(SqlOutbox(database), Couriers(Receivers(file)), now_us=lambda: now_us[0])
        assert not postman.step()  # whoever was killed may still be sending, for all that is known
        now_us[0] += 100 * SECOND_US
        assert [postman.step(), postman.step()] == [True, False]
        assert states(database) == {"ci": "sent"}
        database.close()
    assert len(server.got) == times
    assert len({(got.headers["webhook-id"], got.body) for got in server.got}) == 1
