"""Quiet days, written into a closed house: Envoy's lines, the recorder, segments, the real intake."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import numpy as np

from bench.harm.load import USERS, Load, busyness
from bench.harm.servers import LATENCY_S, QUIET_SHARE
from rollout.domain.assignment import Leaf, Placement, Split, assign, leaf_name, route_name
from rollout.domain.metric import MetricType
from rollout.domain.policy import Policy
from rollout.domain.records import Run
from rollout.intake.intake import Filed, Intake
from rollout.lake.compact import Compactor
from rollout.lake.engine import connect_writer
from rollout.lake.record import Recorder, write_exposures
from rollout.lake.segments import Kind
from rollout.lake.units import UnitHash
from rollout.policyfile.digest import digest
from rollout.stats.arrays import IntArray
from rollout.store.counts import Counts, Told
from rollout.store.database import Database
from rollout.store.ledger import SqlLedger
from rollout.wiring.control import new_uid
from rollout.wiring.house import NODE
from rollout.wiring.parts import keep_private, secret

SECOND_US: Final = 1_000_000
WEEK_S: Final = 7 * 86_400
FULL_S: Final = 3_600
"""The last hour is at the full rate: the starts that live then have all of its credit."""
SPARSE_PER_S: Final = 1.0
"""The rate of the days before it, of which only the first start and the totals know anything."""
_CUTS_S: Final = {True: 20, False: 1_800}
"""How much time a segment holds, at the full rate and before."""
_LOG: Final = "7" * 32
_OTHER_LOG: Final = "8" * 32
_SEED: Final = 7
_LATER_S: Final = 120.0


@dataclass(frozen=True, slots=True)
class Span:
    """A while of healthy traffic."""

    from_us: int
    to_us: int
    per_second: float
    cut_s: int

    def cuts(self) -> Iterator[tuple[int, int]]:
        """Yield the begin and end of each segment."""
        for begin_us in range(self.from_us, self.to_us, self.cut_s * SECOND_US):
            yield begin_us, min(begin_us + self.cut_s * SECOND_US, self.to_us)


def week(to_us: int, per_second: float) -> list[Span]:
    """Return seven days that end at a moment."""
    full_us = to_us - FULL_S * SECOND_US
    return [
        Span(to_us - WEEK_S * SECOND_US, full_us, SPARSE_PER_S, _CUTS_S[False]),
        Span(full_us, to_us, per_second, _CUTS_S[True]),
    ]


def until_now(from_us: int, to_us: int, per_second: float) -> list[Span]:
    """Return a shorter while at the full rate, that a copy of a past house lacks."""
    return [Span(from_us, to_us, per_second, _CUTS_S[True])]


class Past:
    """A closed house while its past is written; the parts are those of an open one, but for their clock."""

    def __init__(self, folder: Path, policy: Policy) -> None:
        keep_private(folder)
        self._folder, self._policy, self._now_us = folder, policy, 0
        self._database = Database.writer(folder / "control.db")
        self._counts = Counts(self._database)
        self._intake = Intake(folder / "lake", self._counts, now_us=lambda: self._now_us)
        hashing = UnitHash(bytes.fromhex(secret(folder / "unit.key")))
        self._recorder = Recorder(hashing, lambda _experiment, ts_us: np.ones(len(ts_us), dtype=np.int64))
        self._engine, self._tails = connect_writer(), _tails(policy)

    def __enter__(self) -> Self:
        """Begin to write."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the house closed."""
        self._engine.close()
        self._database.close()

    def begin(self, text: str, at_us: int) -> None:
        """Record that the run began at a moment, with its limits."""
        SqlLedger(self._database, new_uid=new_uid, digest=digest).start(self._policy, at_us, text=text)
        for metric in self._policy.metrics:
            if metric.type is MetricType.LATENCY:
                share, run = 1.0 - (metric.quantile or 0.0), Run(self._policy.name, 1)
                self._counts.register(run, metric.name, limit_us=metric.max_us or 0, share=share)

    def fill(self, spans: Sequence[Span]) -> int:
        """File and count healthy traffic as of its time, and merge its files; returns how many requests."""
        requests = 0
        for span in spans:
            chance = np.random.default_rng([_SEED, span.from_us])
            for begin_us, self._now_us in span.cuts():
                lines = _lines(chance, self._tails, begin_us, self._now_us, span.per_second)
                self._file(b"".join(lines))
                requests += len(lines)
        # Merged by now, in a house that has been open all the time.
        later_s = self._now_us / SECOND_US + _LATER_S
        Compactor(self._folder / "lake", self._counts.cursors, now_s=lambda: later_s).step()
        return requests

    def _file(self, lines: bytes) -> None:
        """Hand in one segment, and the watermark of outcomes, of which none come."""
        cut, start = self._folder / "cut.parquet", self._counts.cursor(NODE, _LOG)
        write_exposures(self._engine, self._recorder.read(lines), cut)
        told = Told(Kind.EXPOSURES, NODE, _LOG, start, start + len(lines), self._now_us, 0)
        answer = self._intake.accept(told, cut.read_bytes())
        cut.unlink()
        if not isinstance(answer, Filed):
            raise SystemExit(f"bench: the intake refuses the past: {answer}")
        self._intake.accept(Told(Kind.OUTCOMES, NODE, _OTHER_LOG, 0, 0, self._now_us, 0), b"")


def _tails(policy: Policy) -> list[tuple[bytes, bytes]]:
    """Return, for each user, the rest of the line of an answer that is good, and of one that is not."""
    placement = Placement(policy, 1, Split(steps_on=1))
    own, rest = route_name(policy, "candidate1", 1), leaf_name(policy, Leaf.REST)
    found = []
    for user in range(USERS):
        name = Load.name(user)
        route = assign(placement, name)
        tail = f'"flags":"-","rev":"1","route":"{route}","unit":"{name}"}}\n'
        # What the candidate fails the baseline answers.
        bad = '"att":2,"code":200,' if route == own else '"att":1,"code":500,'
        found.append((f'"att":1,"code":200,{tail}'.encode(), f"{bad}{tail}".encode()))
    if not any(rest.encode() in good for good, _ in found):
        raise SystemExit("bench: its users are all in the experiment")
    return found


def _lines(
    chance: np.random.Generator,
    tails: list[tuple[bytes, bytes]],
    begin_us: int,
    end_us: int,
    per_second: float,
) -> list[bytes]:
    """Return a line for each request of a while, in the order of their times."""
    number = int(chance.poisson(per_second * (end_us - begin_us) / SECOND_US))
    at_us: IntArray = np.sort(chance.integers(begin_us, end_us, number))
    weights = np.cumsum(busyness())
    users = np.searchsorted(weights, chance.random(number) * weights[-1])
    fails = chance.random(number) < QUIET_SHARE
    dur_us = (chance.uniform(0.5, 1.5, number) * LATENCY_S * SECOND_US).astype(np.int64)
    columns = (at_us.tolist(), users.tolist(), fails.tolist(), dur_us.tolist())
    return [
        b'{"ts":"%d.%06d","dur_us":%d,%b' % (at // SECOND_US, at % SECOND_US, lasted, tails[user][failed])
        for at, user, failed, lasted in zip(*columns, strict=True)
    ]
