"""Exact sums over a run's closed units, by enrolment day, block and arm; units may be taken out again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rollout.stats import windows
from rollout.stats.arrays import BigIntegers, IntArray


@dataclass(frozen=True, slots=True)
class Rows:
    """Units on their way into the sums or out of them, one in each row."""

    day: IntArray
    place: IntArray
    """Their block and arm as one number."""
    values: IntArray
    """[row, column]"""
    fraction_nano: IntArray | None = None


@dataclass(frozen=True, slots=True)
class ClosedSums:
    """Sums over closed units, [day, block, arm], and [day, block, arm, column] and its products."""

    days: tuple[int, ...]
    units: IntArray
    nonzero: IntArray
    """Units whose first column is not zero."""
    totals: BigIntegers
    products: BigIntegers
    fraction_nano: BigIntegers
    """Σ of each unit's own share, in billionths, rounded up; zero where there is none."""

    def summed(self, *axes: int) -> ClosedSums:
        """Return sums over some of days, blocks and arms (0, 1, 2), which stay as axes of length 1."""
        shown = ("units", "nonzero", "totals", "products", "fraction_nano")
        kept = [getattr(self, name).sum(axis=axes, keepdims=True) for name in shown]
        return ClosedSums(self.days, *kept)


class Totals:
    """The sums of one metric, and what changes them."""

    def __init__(self, *, blocks: int, arms: int, columns: int) -> None:
        self._blocks, self._arms, self._columns = blocks, arms, columns
        self._pairs = [(i, j) for i in range(columns) for j in range(i, columns)]
        self._days: dict[int, BigIntegers] = {}

    def change(self, rows: Rows, sign: int) -> None:
        """Add units (sign 1), or take out units that were added (sign −1)."""
        if not len(rows.day):
            return
        places, first_day = self._blocks * self._arms, int(rows.day.min())
        index = (rows.day - first_day) * places + rows.place
        cells = np.flatnonzero(np.bincount(index))
        cell = np.searchsorted(cells, index)
        n, totals, products = windows.exact_sums(rows.values, cell, len(cells))
        nonzero = np.bincount(cell, weights=rows.values[:, 0] != 0, minlength=len(cells)).astype(np.int64)
        shares = np.zeros((len(cells), 1), dtype=np.object_)
        if rows.fraction_nano is not None:
            shares = windows.exact_sums(rows.fraction_nano[:, np.newaxis], cell, len(cells))[1]
        changes = np.column_stack(
            [
                *(n.astype(np.object_), nonzero.astype(np.object_), shares[:, 0]),
                totals,
                *(products[:, i, j] for i, j in self._pairs),
            ]
        )
        for where, change in zip(cells.tolist(), changes, strict=True):
            day, place = first_day + where // places, where % places
            table = self._days.get(day)
            if table is None:
                table = self._days[day] = np.zeros((places, changes.shape[1]), dtype=np.object_)
            table[place] += sign * change

    def closed(self) -> ClosedSums:
        """Return the sums of all days on which units were enrolled that are in them."""
        held = {day: table for day, table in sorted(self._days.items()) if table[:, 0].any()}
        shape = (len(held), self._blocks, self._arms)
        width = 3 + self._columns + len(self._pairs)
        table = np.array([*held.values()], dtype=np.object_).reshape((*shape, width))
        products = np.zeros((*shape, self._columns, self._columns), dtype=np.object_)
        for place, (i, j) in enumerate(self._pairs, start=3 + self._columns):
            products[..., i, j] = products[..., j, i] = table[..., place]
        return ClosedSums(
            days=tuple(held),
            units=table[..., 0].astype(np.int64),
            nonzero=table[..., 1].astype(np.int64),
            totals=table[..., 3 : 3 + self._columns],
            products=products,
            fraction_nano=table[..., 2],
        )
