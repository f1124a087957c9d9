"""When a run's units were enrolled: how many since when, and which of them between two moments."""

from __future__ import annotations

from typing import Final

import numpy as np

from rollout.lake.accounts.sets import distinct
from rollout.stats.arrays import IntArray

SLICE_US: Final = 600_000_000
"""Ten minutes: so many enrolments at a time are looked through for a moment inside them."""


class Slices:
    """Numbers that are added up by ten minutes, since the run began."""

    def __init__(self, since_us: int, width: int) -> None:
        self._base = since_us // SLICE_US
        self._counts = np.zeros((8, width), dtype=np.int64)

    def change(self, time_us: IntArray, column: IntArray, sign: int) -> None:
        """Add (or take away) one in a column at each of these times."""
        if not len(time_us):
            return
        index = time_us // SLICE_US - self._base
        most = int(index.max())
        if most >= len(self._counts):
            longer = np.zeros((max(most + 1, 2 * len(self._counts)), self._counts.shape[1]), dtype=np.int64)
            longer[: len(self._counts)] = self._counts
            self._counts = longer
        np.add.at(self._counts, (index, column), sign)

    def after(self, time_us: int) -> IntArray:
        """Return the sums of every slice that begins after a moment."""
        return np.asarray(self._counts[max(time_us // SLICE_US - self._base + 1, 0) :].sum(axis=0))

    def first(self) -> int | None:
        """Return the number of the first slice that holds anything."""
        held = np.flatnonzero(self._counts.any(axis=1))
        return int(held[0]) + self._base if len(held) else None

    def table(self) -> tuple[int, IntArray]:
        """Return the number of the first slice, and all sums up to the last that holds anything."""
        held = np.flatnonzero(self._counts.any(axis=1))
        return self._base, self._counts[: int(held[-1]) + 1 if len(held) else 0].copy()


class Calendar:
    """Which rows were enrolled when; a row whose enrolment changes is entered again, and filtered later."""

    def __init__(self) -> None:
        self._rows: dict[int, list[IntArray]] = {}

    def enter(self, rows: IntArray, enrolled_us: IntArray) -> None:
        """Note rows under the time of their enrolment."""
        if not len(rows):
            return
        number = enrolled_us // SLICE_US
        order = np.argsort(number, kind="stable")
        numbers, begins = np.unique(number[order], return_index=True)
        for one, own in zip(numbers.tolist(), np.split(rows[order], begins[1:]), strict=True):
            self._rows.setdefault(one, []).append(own)

    def of(self, number: int) -> IntArray:
        """Return the rows entered in one slice, each once."""
        parts = self._rows.get(number)
        if parts is None:
            return np.zeros(0, dtype=np.int64)
        if len(parts) > 1:
            self._rows[number] = parts = [distinct(*parts)]
        return parts[0]

    def between(self, first: int, last: int) -> IntArray:
        """Return the rows entered from one slice to another, both included."""
        numbers = sorted(one for one in self._rows if first <= one <= last)
        return distinct(*(self.of(one) for one in numbers))

    @property
    def nbytes(self) -> int:
        """How much memory it takes."""
        return sum(part.nbytes for parts in self._rows.values() for part in parts)
