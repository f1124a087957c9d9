"""A leader that sleeps past its lease, or loses its database under load: nothing is filed twice, or lost."""

from __future__ import annotations

import signal
import threading
from contextlib import ExitStack
from http import HTTPStatus
from pathlib import Path
from typing import Self

import pytest

from rollout.agent.uplink import Unreachable, Uplink, connect
from rollout.client.addresses import Addresses
from rollout.intake.intake import Filed, OutOfTurn
from rollout.lake import checkup, segments
from rollout.lake.engine import connect as engine
from rollout.lake.segments import Kind
from rollout.store.counts import Counts
from rollout.store.database import Database
from tests.e2e.controls import control
from tests.e2e.lives import await_true
from tests.e2e.models import free_port
from tests.e2e.test_two_of_each import LEADS_WITHIN_S, PATIENCE
from tests.intake.crash import history
from tests.intake.house import LOG, segment, told
from tests.lake.histories import as_lines
from tests.store.databases import server

LINES = [as_lines([one]) for one in history()]
NODE = "node-1"


class Feeder:
    """Hands in one line after the other, to whoever leads, and goes on from where the answer says."""

    def __init__(self, addresses: Addresses, token: str) -> None:
        self._client = connect(addresses, token, timeout_s=3.0)
        self._uplink = Uplink(self._client)
        self._leaving = threading.Event()
        self._thread = threading.Thread(target=self._feed)
        self.lines = 0
        """So many are acknowledged."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._leaving.set()
        self._thread.join()
        self._client.close()

    def _feed(self) -> None:
        bodies = [segment(line) for line in LINES]
        while not self._leaving.is_set():
            start = self.at(self.lines)
            line = self.lines % len(LINES)
            try:
                answer = self._uplink.send(told(start, start + len(LINES[line])), bodies[line])
            except Unreachable:
                continue
            if isinstance(answer, OutOfTurn):
                assert answer.cursor == self.at(self.lines + 1), "an answer was lost, and nothing else"
            else:
                assert isinstance(answer, Filed)
            self.lines += 1

    def at(self, lines: int) -> int:
        """Return where so many lines end in the log."""
        rounds, rest = divmod(lines, len(LINES))
        return rounds * sum(map(len, LINES)) + sum(map(len, LINES[:rest]))


@pytest.mark.slow
def test_who_wakes_late_writes_nothing_and_stands_by(tmp_path: Path, database: str) -> None:
    with ExitStack() as held:
        sleeper, other = (
            held.enter_context(control(tmp_path, database, free_port(), *PATIENCE)) for _ in range(2)
        )
        addresses = Addresses([sleeper.url, other.url])
        with Feeder(addresses, sleeper.token) as feeder:
            await_true("lines are filed", lambda: feeder.lines > len(LINES), within_s=60)
            sleeper.process.send_signal(signal.SIGSTOP)
            await_true("the standby leads", other.leads, within_s=LEADS_WITHIN_S)
            before = feeder.lines
            await_true("lines are filed by it", lambda: feeder.lines > before + len(LINES), within_s=60)
            sleeper.process.send_signal(signal.SIGCONT)
            answers = [sleeper.ask(path) for path in ("/v1/snapshot?node=n", "/v1/experiments", "/v1/nodes")]
            assert {answer.status_code for answer in answers} == {HTTPStatus.SERVICE_UNAVAILABLE}
            await_true(
                "who slept stands by", lambda: sleeper.ready() == (503, other.url), within_s=LEADS_WITHIN_S
            )
            before = feeder.lines
            await_true("lines are filed still", lambda: feeder.lines > before + len(LINES), within_s=60)
        assert other.end() == 0
        await_true("who slept leads again", sleeper.leads, within_s=LEADS_WITHIN_S)
        assert sleeper.end() == 0
    check_records(tmp_path, database, feeder)


@pytest.mark.slow
def test_while_the_database_is_dead_nobody_leads_and_then_everything_goes_on(
    tmp_path: Path, database: str
) -> None:
    # The tests' server acknowledges before it has written, for speed; a kill would show that.
    database += "&options=-csynchronous_commit%3Don"
    with ExitStack() as held:
        both = [held.enter_context(control(tmp_path, database, free_port(), *PATIENCE)) for _ in range(2)]
        with Feeder(Addresses([one.url for one in both]), both[0].token) as feeder:
            await_true("lines are filed", lambda: feeder.lines > len(LINES), within_s=60)
            server().kill()
            try:
                await_true(
                    "nobody leads", lambda: {one.ready()[0] for one in both} == {503}, within_s=LEADS_WITHIN_S
                )
                assert {one.process.poll() for one in both} == {None}
            finally:
                server().start()
            await_true("one leads", lambda: any(one.leads() for one in both), within_s=LEADS_WITHIN_S)
            assert sorted(one.ready()[0] for one in both) == [200, 503]
            before = feeder.lines
            await_true("lines are filed again", lambda: feeder.lines > before + len(LINES), within_s=60)
        assert [one.end() for one in both] == [0, 0]
    check_records(tmp_path, database, feeder)


def check_records(folder: Path, database: str, feeder: Feeder) -> None:
    """Assert that lake and database hold every acknowledged line once, and no other."""
    lake = folder / "d" / "lake"
    found = Database.reader(database)
    counts = Counts(found)
    assert counts.cursor(NODE, LOG) == feeder.at(feeder.lines)
    cursors = {(kind, node, log): cursor for kind, node, log, cursor in counts.cursors()}
    assert checkup.check(engine(), lake, lambda: cursors, now_s=0.0) == []
    found.close()
    files = [str(path) for path in segments.covering(lake / Kind.EXPOSURES)]
    ((rows,),) = (
        engine().execute("SELECT sum(requests) FROM read_parquet($files)", {"files": files}).fetchall()
    )
    assert rows == feeder.lines
