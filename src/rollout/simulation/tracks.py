"""What every kind of evidence keeps of the past: units not yet closed, sums, and where each start began."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

import numpy as np

from rollout.stats import starts
from rollout.stats.arrays import BoolArray, FloatArray, IntArray

SLACK_S: Final = 1e-6
APART_S: Final = 60.0
Number = TypeVar("Number", np.float64, np.int64)


@dataclass(slots=True)
class _Cohort:
    """Units that came between two looks, and when their window began."""

    closes_s: float
    day: int
    sums: FloatArray


class Pending:
    """Units whose windows are open, and the sums of those that have closed, [replicate, day, ...]."""

    def __init__(self, shape: tuple[int, ...], *, window_s: float, days: int = 1) -> None:
        self._window_s = window_s
        self._open: deque[_Cohort] = deque()
        self._closed = np.zeros((shape[0], days, *shape[1:]))
        self.days = 0
        """How many enrolment days have closed units."""

    @property
    def closed(self) -> FloatArray:
        """Sums of closed units, [replicate, day, ...], over the days that have any."""
        return self._closed[:, : self.days]

    def add(self, from_s: float, to_s: float, sums: FloatArray, *, day_from_s: float = 0.0) -> None:
        """Take up units that came in a span; they close together, when the last of them does."""
        day = int((day_from_s + from_s) // 86_400) if self._closed.shape[1] > 1 else 0
        self._open.append(_Cohort(to_s + self._window_s, day, sums))

    def close(self, watermark_s: FloatArray) -> None:
        """Close what everything is filed for; a watermark may stand still in some replicates."""
        latest, earliest = float(watermark_s.max()), float(watermark_s.min())
        while self._open and self._open[0].closes_s <= earliest + SLACK_S:
            self._book(self._open.popleft())
        for cohort in self._open:
            if cohort.closes_s > latest + SLACK_S:
                break
            self._book_where(cohort, watermark_s + SLACK_S >= cohort.closes_s)

    def keep(self, kept: BoolArray) -> None:
        """Forget replicates that have ended."""
        self._closed = self._closed[kept]
        for cohort in self._open:
            cohort.sums = cohort.sums[kept]

    def _book(self, cohort: _Cohort) -> None:
        self._closed[:, cohort.day] += cohort.sums
        self.days = max(self.days, cohort.day + 1)

    def _book_where(self, cohort: _Cohort, is_due: BoolArray) -> None:
        due = is_due.reshape((-1, *[1] * (cohort.sums.ndim - 1)))
        self._closed[:, cohort.day] += np.where(due, cohort.sums, 0.0)
        cohort.sums = np.where(due, 0.0, cohort.sums)
        self.days = max(self.days, cohort.day + 1)


@dataclass(slots=True)
class _Begun(Generic[Number]):
    index: int
    begin_s: float
    before: np.ndarray[tuple[int, ...], np.dtype[Number]]


class Since:
    """Sums since each living start of a harm test, from a running total; starts between looks are left out.

    Of the starts that fall between two looks the last one is kept, and of those within a minute the first:
    a test of fewer starts is as valid.
    """

    def __init__(self, shape: tuple[int, ...], *, every_s: int) -> None:
        self._every_s = every_s
        self._total = np.zeros(shape)
        self._begun: deque[_Begun[np.float64]] = deque()
        self._last = 0

    def add(self, sums: FloatArray, now_s: float) -> None:
        """Add what happened since the last look; a start that has come begins now."""
        self._total = self._total + sums
        newest = int((now_s + SLACK_S) // self._every_s)
        oldest_s = now_s - starts.LIFE_S
        while self._begun and self._begun[0].begin_s <= oldest_s + SLACK_S:
            self._begun.popleft()
        if newest > self._last and not (self._begun and now_s - self._begun[-1].begin_s < APART_S - SLACK_S):
            self._last = newest
            self._begun.append(_Begun(newest, float(newest * self._every_s), self._total))

    @property
    def index(self) -> IntArray:
        """The numbers of the living starts."""
        return np.array([0, *(one.index for one in self._begun)], dtype=np.int64)

    @property
    def total(self) -> FloatArray:
        """Everything so far."""
        return self._total

    def since_each(self) -> FloatArray:
        """Return the sums since each living start, [replicate, start, ...]."""
        return np.stack([self._total, *(self._total - one.before for one in self._begun)], axis=1)

    def keep(self, kept: BoolArray) -> None:
        """Forget replicates that have ended."""
        self._total = self._total[kept]
        for one in self._begun:
            one.before = one.before[kept]


class Recent:
    """What happened in the last minutes, at least since the last look."""

    def __init__(self, lasts_s: float) -> None:
        self._lasts_s = lasts_s
        self._parts: deque[tuple[float, float, FloatArray]] = deque()

    def add(self, from_s: float, to_s: float, sums: FloatArray) -> None:
        """Take up what happened in a span, and forget what is too long ago."""
        self._parts.append((from_s, to_s, sums))
        while len(self._parts) > 1 and self._parts[0][1] <= to_s - self._lasts_s + SLACK_S:
            self._parts.popleft()

    def total(self) -> FloatArray:
        """Return everything in it, added up."""
        found = self._parts[0][2]
        for _, _, part in list(self._parts)[1:]:
            found = found + part
        return found

    def mean(self) -> FloatArray:
        """Return its mean over time."""
        lengths = [to_s - from_s for from_s, to_s, _ in self._parts]
        weighted = [length * part for length, (_, _, part) in zip(lengths, self._parts, strict=True)]
        return np.asarray(sum(weighted) / sum(lengths))

    def keep(self, kept: BoolArray) -> None:
        """Forget replicates that have ended."""
        self._parts = deque((from_s, to_s, part[kept]) for from_s, to_s, part in self._parts)
