"""First errors in memory: how many units had one since each start, as differences that add up to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rollout.stats import starts
from rollout.stats.arrays import IntArray
from rollout.stats.starts import Starts
from rollout.store.changes import Changes, ErrorChange

EVERY_US: Final = starts.EVERY_S * 1_000_000
_KEPT_MINUTES: Final = 10
SLACK: Final = 120
SPAN: Final = starts.LIFE_S // starts.EVERY_S + SLACK
"""How many starts' differences are kept: those of an hour, and twenty minutes to come."""


@dataclass(frozen=True, slots=True)
class ErrorCounts:
    """Units with a first error since each living start but start 0, by (arm, split), and its totals.

    While no error comes, and no start, `since` and `totals` are the same objects as before.
    """

    since: Mapping[tuple[str, int], IntArray]
    totals: Mapping[tuple[str, int], int]
    recent: Mapping[str, tuple[int, int]]
    """(requests, errors) by arm, of this minute and the last."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the database knows of a run: its error events, first errors, and requests by arm and minute."""

    events: list[tuple[str, int, int, int]]
    """(arm, split, time, time of the unit's error before)."""
    totals: dict[tuple[str, int], int]
    requests: list[tuple[str, int, int, int]]
    """(arm, minute, requests, errors)."""


@dataclass(slots=True)
class _Run:
    """One run on the grid of its starts: an event counts for those between its unit's one before and itself.

    So it is +1 at its own place and -1 at that of the one before, and sums from the newest start back tell
    all. What lies ahead of the last place stands in it; what lies before the first one counts for no start.
    """

    begin_us: int
    base: int
    minute: int
    """Requests are known from this minute on."""
    asked_us: int = 0
    groups: dict[tuple[str, int], int] = field(default_factory=dict)
    changes: NDArray[np.int32] = field(default_factory=lambda: np.zeros((0, SPAN), dtype=np.int32))
    totals: dict[tuple[str, int], int] = field(default_factory=dict)
    requests: dict[int, dict[str, list[int]]] = field(default_factory=dict)
    told: tuple[tuple[int, int], dict[tuple[str, int], IntArray], dict[tuple[str, int], int]] | None = None
    """What was told last, for which starts; none since something came."""

    def count(self, arm: str, split: int, ts_us: int, previous_us: int, change: int) -> None:
        """Count an event, or take it out again."""
        self.told = None
        group = self.groups.setdefault((arm, split), len(self.groups))
        if group == len(self.changes):
            self.changes = np.concatenate([self.changes, np.zeros((1, SPAN), dtype=np.int32)])
        for at_us, step in ((ts_us, change), (previous_us, -change)):
            place = (at_us - self.begin_us) // EVERY_US - self.base
            if place >= 0:
                self.changes[group, min(place, SPAN - 1)] += step

    def tell(self, alive: Starts) -> tuple[dict[tuple[str, int], IntArray], dict[tuple[str, int], int]]:
        """Return the units with a first error since each living start but start 0, and ever."""
        ends = _ends(alive)
        if self.told is None or self.told[0] != ends:
            self.told = (ends, self._since(alive), dict(self.totals))
        return self.told[1], self.told[2]

    def _since(self, alive: Starts) -> dict[tuple[str, int], IntArray]:
        if len(alive.index) == 1:
            return {}
        oldest, newest = _ends(alive)
        later = self.changes[:, oldest - self.base :]
        summed = np.cumsum(later[:, ::-1], axis=1, dtype=np.int64)[:, ::-1][:, : newest - oldest + 1]
        return {key: summed[group] for key, group in self.groups.items()}

    def add_requests(self, arm: str, minute: int, requests: int, errors: int) -> None:
        """Count requests of a minute."""
        cell = self.requests.setdefault(minute, {}).setdefault(arm, [0, 0])
        cell[0] += requests
        cell[1] += errors

    def reaches(self, alive: Starts, minute: int) -> bool:
        """Return whether these starts can be told, moving on in time if need be."""
        oldest, newest = _ends(alive)
        if minute < self.minute:
            return False
        if len(alive.index) == 1:
            return True
        if int(alive.begin[0]) != self.begin_us or oldest < self.base:
            return False
        if newest < self.base + SPAN - 1:
            return True
        moved = oldest - self.base
        if moved >= SPAN or self.changes[:, -1].any():
            return False
        self.changes[:, : SPAN - moved] = self.changes[:, moved:].copy()
        self.changes[:, SPAN - moved :] = 0
        self.base = oldest
        return True


class LiveErrors:
    """Follows the runs that looks ask about; nothing here outlives the process."""

    def __init__(self) -> None:
        self._runs: dict[int, _Run] = {}

    @property
    def nbytes(self) -> int:
        """The memory of the differences."""
        return sum(run.changes.nbytes for run in self._runs.values())

    def apply(self, changes: Changes) -> None:
        """Follow what one transaction changed."""
        for run_id, arm, minute, requests, errors in changes.requests:
            if (run := self._runs.get(run_id)) and minute >= run.minute:
                run.add_requests(arm, minute, requests, errors)
        for change in changes.errors:
            self._count(change)
        for run_id, arm, split, units in changes.first_errors:
            if run := self._runs.get(run_id):
                run.totals[arm, split] = run.totals.get((arm, split), 0) + units
                run.told = None

    def _count(self, change: ErrorChange) -> None:
        if run := self._runs.get(change.run_id):
            run.count(change.arm, change.split, change.ts_us, change.previous_us, change.change)

    def is_followed(self, run_id: int, alive: Starts, minute: int) -> bool:
        """Return whether a run's counts since these starts are at hand."""
        run = self._runs.get(run_id)
        return run is not None and run.reaches(alive, minute)

    def follow(self, run_id: int, alive: Starts, minute: int, known: Known) -> None:
        """Follow a run from now on, with what is known of it since `since_us`."""
        run = self._runs[run_id] = _Run(int(alive.begin[0]), _ends(alive)[0], minute, totals=known.totals)
        for arm, split, ts_us, previous_us in known.events:
            run.count(arm, split, ts_us, previous_us, 1)
        for arm, at, requests, errors in known.requests:
            run.add_requests(arm, at, requests, errors)

    def counts(self, run_id: int, alive: Starts, minute: int, now_us: int) -> ErrorCounts:
        """Return what is counted of a followed run."""
        run = self._runs[run_id]
        run.asked_us = now_us
        for old in [one for one in run.requests if one < minute - _KEPT_MINUTES]:
            del run.requests[old]
            run.minute = max(run.minute, old + 1)
        recent: dict[str, tuple[int, int]] = {}
        for at, arms in run.requests.items():
            if at >= minute:
                for arm, (requests, errors) in arms.items():
                    old_requests, old_errors = recent.get(arm, (0, 0))
                    recent[arm] = (old_requests + requests, old_errors + errors)
        return ErrorCounts(*run.tell(alive), recent)

    def forget(self, older_than_us: int) -> None:
        """Forget the runs that nobody asked about since then: they have ended."""
        for run_id in [one for one, run in self._runs.items() if run.asked_us < older_than_us]:
            del self._runs[run_id]


def since_us(alive: Starts) -> int:
    """Return since when events must be known for these starts."""
    return int(alive.begin[0]) + _ends(alive)[0] * EVERY_US


def _ends(alive: Starts) -> tuple[int, int]:
    """Return the numbers of the oldest and the newest living start beside start 0."""
    return (int(alive.index[1]), int(alive.index[-1])) if len(alive.index) > 1 else (0, 0)
