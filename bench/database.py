"""What recording and counting cost on each kind of control database, beside the file."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from bench.rows import table as as_table
from rollout.domain.records import Digest, ErrorEvent, Run, Tally
from rollout.policyfile.digest import digest
from rollout.store.counts import Counts, Told
from rollout.store.database import Database
from rollout.store.leadership import Leadership
from rollout.store.ledger import SqlLedger
from tests.contracts.ledger import entry
from tests.domain.examples import POLICY
from tests.store.server import Server

NOW_US: Final = 1_900_000_000_000_000
RUN: Final = Run("churn-v2", 1)
FILE: Final = "SQLite, a file"


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of it is measured; each kind has its turn in each round."""

    rounds: int = 5
    decisions: int = 40
    segments: int = 8
    events: int = 1_000


@dataclass(frozen=True, slots=True)
class Row:
    """What one kind took, in its fastest round."""

    kind: str
    decision_s: float
    """The state compared and swapped, the decision, and its line in the audit: one durable transaction."""
    event_s: float
    """Of a segment of so many: a unit-window each, and an error of every tenth."""


def table(plan: Plan) -> list[Row]:
    """Measure every kind, in turns."""
    with kinds() as databases:
        contenders = {name: _Contender(one, plan) for name, one in databases.items()}
        best: dict[str, tuple[float, float]] = {}
        for _ in range(plan.rounds):
            for name, contender in contenders.items():
                found = (contender.decide(), contender.count())
                before = best.get(name, found)
                best[name] = (min(before[0], found[0]), min(before[1], found[1]))
    return [Row(name, *spent) for name, spent in best.items()]


@contextmanager
def kinds() -> Iterator[dict[str, Database]]:
    """Yield one of each kind; but for the one in memory, a commit outlives a power cut."""
    with TemporaryDirectory(prefix="rollout-") as folder:
        server = Server(is_durable=True)
        server.make()
        own = Database.writer(server.address(server.create()))
        lease = Leadership(own, holder="bench", lease_s=3_600).stand()
        if lease is None:
            raise RuntimeError("a new database has a leader already")
        file, memory = Database.writer(Path(folder) / "control.db"), Database.memory()
        try:
            yield {FILE: file, "PostgreSQL, a leader": lease.database, "SQLite, in memory": memory}
        finally:
            for one in (file, memory, own):
                one.close()
            server.end()


class _Contender:
    """One database, and how far it has come."""

    def __init__(self, database: Database, plan: Plan) -> None:
        numbers = count(1)
        self._plan = plan
        self._ledger = SqlLedger(database, new_uid=lambda: f"{next(numbers):08d}", digest=digest)
        self._counts = Counts(database)
        self._ledger.start(POLICY, NOW_US)
        self._limit = self._counts.register(RUN, "p99", limit_us=250_000, share=0.05).identity
        self._decided = self._filed = 0

    def decide(self) -> float:
        """Return the seconds of one recorded decision."""
        return _spent_s(self._decide, self._plan.decisions)

    def count(self) -> float:
        """Return the seconds of one counted event."""
        return _spent_s(self._count, self._plan.segments) / self._plan.events

    def _decide(self) -> None:
        (seen,) = self._ledger.runs()
        self._decided += 1
        latches = replace(seen.experiment, latches={"converted": float(self._decided)})
        if not self._ledger.record(seen, latches, entry(self._decided)):
            raise RuntimeError("somebody else recorded")

    def _count(self) -> None:
        self._filed += 1
        now_us = NOW_US + self._filed * 1_000_000
        window, units = now_us // 10_000_000, range(self._filed, self._filed + self._plan.events)
        found = Digest(
            (Tally(RUN, 1, "control", now_us // 60_000_000, len(units), 100, 0, 0, ((3, len(units)),)),),
            tuple(ErrorEvent(RUN, unit * 7_919, now_us + unit, "control", 1) for unit in units[::10]),
            tuple((self._limit, "control", unit * 7_919, window, 1, int(unit % 50 == 0)) for unit in units),
        )
        told = Told("exposures", "node", "0" * 32, self._filed - 1, self._filed, now_us, 0)
        if self._counts.add(told, found, now_us) != self._filed:
            raise RuntimeError("the segment was not counted")


def _spent_s(call: Callable[[], None], times: int) -> float:
    begin_s = time.perf_counter()
    for _ in range(times):
        call()
    return (time.perf_counter() - begin_s) / times


def lines(rows: Sequence[Row]) -> list[str]:
    """Return the table, each kind beside the file."""
    file = next(row for row in rows if row.kind == FILE)
    heads = ("", "a decision", "beside the file", "decisions/s", "an arriving event", "beside the file")
    cells = [
        (
            row.kind,
            f"{1000 * row.decision_s:.2f} ms",
            f"{row.decision_s / file.decision_s:.2f}",
            f"{1 / row.decision_s:,.0f}",
            f"{1_000_000 * row.event_s:.1f} µs",
            f"{row.event_s / file.event_s:.2f}",
        )
        for row in rows
    ]
    return as_table(heads, cells)
