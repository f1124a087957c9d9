"""Which row a unit has: sorted runs that merge as they grow, so that a batch costs about its own size."""

from __future__ import annotations

from typing import Final

import numpy as np

from rollout.stats.arrays import IntArray

NOWHERE: Final = -1
_TIMES: Final = 2
"""A run is merged into the one before it unless that one is so many times as long."""


class Index:
    """Units and their rows; a unit is put in once."""

    def __init__(self) -> None:
        self._runs: list[tuple[IntArray, IntArray]] = []

    def rows(self, units: IntArray) -> IntArray:
        """Return each unit's row, or `NOWHERE`; quickest when they are sorted."""
        found = np.full(len(units), NOWHERE, dtype=np.int64)
        for known, rows in self._runs:
            place = np.minimum(np.searchsorted(known, units), len(known) - 1)
            hits = known[place] == units
            found[hits] = rows[place[hits]]
        return found

    def put(self, units: IntArray, rows: IntArray) -> None:
        """Take in units that are sorted and not there yet."""
        if not len(units):
            return
        self._runs.append((units, rows))
        while len(self._runs) > 1 and len(self._runs[-2][0]) < _TIMES * len(self._runs[-1][0]):
            (units, rows), (more, their) = self._runs[-2:]
            merged = np.concatenate([units, more])
            # Stable sorting finds the two sorted halves, and only merges them.
            order = np.argsort(merged, kind="stable")
            self._runs[-2:] = [(merged[order], np.concatenate([rows, their])[order])]

    @property
    def nbytes(self) -> int:
        """How much memory it takes."""
        return sum(units.nbytes + rows.nbytes for units, rows in self._runs)
