"""Sums over units since each start, kept up as rows arrive: a look reads them and never scans the units."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from rollout.stats.arrays import BigIntegers, BoolArray, IntArray
from rollout.store.slots import Slots
from rollout.store.unit_rows import ALWAYS, COLUMNS, LATER, NEVER, PER_MINUTE, Rows, nothing, parts, small

Number = TypeVar("Number", bound=np.generic)


class UnitSums:
    """Everybody's units in one table: each owner (an arm against a limit) has its own starts and sums.

    An owner's column counts the windows from `first` on; the minutes that its caller excludes count nowhere.
    """

    def __init__(self) -> None:
        self._slots = Slots()
        capacity = self._slots.capacity
        # Since the beginning in 64 bits; what one unit does in an hour fits 32.
        self._all = np.zeros((capacity, 2), dtype=np.int64)
        self._hour = np.zeros((capacity, LATER, 2), dtype=np.int32)
        self._last = np.full(capacity, ALWAYS, dtype=np.int64)
        self._windows: defaultdict[int, list[tuple[IntArray, IntArray, IntArray]]] = defaultdict(list)
        self._first = np.zeros((0, COLUMNS), dtype=np.int64)
        self._sums: list[BigIntegers] = []
        self._free: list[int] = []
        self._forgotten_to = ALWAYS

    @property
    def units(self) -> int:
        """How many units it holds."""
        return self._slots.size

    @property
    def nbytes(self) -> int:
        """The memory it takes, but for the few sums."""
        rows = sum(part.nbytes for chunks in self._windows.values() for chunk in chunks for part in chunk)
        return self._slots.nbytes + self._all.nbytes + self._hour.nbytes + self._last.nbytes + rows

    def open(self, first: IntArray) -> int:
        """Return a new owner whose columns count from these windows on."""
        if self._free:
            owner = self._free.pop()
            self._first[owner], self._sums[owner] = first, nothing()
            return owner
        self._first = np.concatenate([self._first, first[np.newaxis]])
        self._sums.append(nothing())
        return len(self._sums) - 1

    def close(self, owners: Collection[int]) -> None:
        """Forget owners and their units."""
        gone = np.zeros(len(self._sums), dtype=np.bool_)
        gone[list(owners)] = True
        size = self._slots.size
        kept = ~gone[self._slots.owner(np.arange(size))]
        moved = np.cumsum(kept) - 1
        self._slots.keep(kept)
        self._all, self._last = _kept(self._all, kept, size), _kept(self._last, kept, size)
        self._hour = _kept(self._hour, kept, size)
        self._grow()
        for window, chunks in self._windows.items():
            self._windows[window] = [
                (moved[slot[kept[slot]]].astype(np.int32), x[kept[slot]], y[kept[slot]])
                for slot, x, y in chunks
            ]
        self._first[list(owners)] = NEVER
        self._free += owners

    def first(self, owner: int, column: int) -> int:
        """Return from which window on a column counts."""
        return int(self._first[owner, column])

    def sums(self, owner: int) -> BigIntegers:
        """Return an owner's sums [column, part]."""
        return self._sums[owner]

    def begin_with(self, owner: int, unit: IntArray, x: IntArray, y: IntArray) -> None:
        """Set what an owner's units, each once, had done before the rows that are kept."""
        slot = self._claim(np.full(len(unit), owner, dtype=np.int64), unit)
        self._all[slot, 0], self._all[slot, 1] = x, y
        self._sums[owner][0] += parts(x, y).sum(axis=0, dtype=np.int64).astype(object)

    def add(self, owner: IntArray, unit: IntArray, rows: tuple[IntArray, IntArray, IntArray]) -> Rows:
        """Keep rows (window, x, y) that came, and return them: nothing is counted before `count`."""
        order = np.lexsort((unit, owner))
        owner, unit = owner[order], unit[order]
        is_new = np.ones(len(unit), dtype=np.bool_)
        is_new[1:] = (owner[1:] != owner[:-1]) | (unit[1:] != unit[:-1])
        slot = self._claim(owner[is_new], unit[is_new])[np.cumsum(is_new) - 1]
        found = Rows(slot, *(part[order] for part in rows))
        by_window = np.argsort(found.window, kind="stable")
        edges = np.flatnonzero(np.diff(found.window[by_window])) + 1
        for own in np.split(by_window, edges):
            if len(own):
                chunk = (slot[own].astype(np.int32), small(found.x[own]), small(found.y[own]))
                self._windows[int(found.window[own[0]])].append(chunk)
        return found

    def count(self, rows: Rows, *, sign: int = 1) -> None:
        """Count rows in all columns of their owners that have begun, or take them out again."""
        if not len(rows.slot):
            return
        order = np.argsort(rows.slot, kind="stable")
        slot, window = rows.slot[order], rows.window[order]
        edges = np.flatnonzero(np.concatenate([[True], slot[1:] != slot[:-1]]))
        one = slot[edges]
        owner = self._slots.owner(one)
        has_begun = window[:, np.newaxis] >= self._first[self._slots.owner(slot)]
        dx = np.add.reduceat(np.where(has_begun, rows.x[order, np.newaxis], 0), edges) * sign
        dy = np.add.reduceat(np.where(has_begun, rows.y[order, np.newaxis], 0), edges) * sign
        x, y = self._totals(one, owner)
        change = parts(x + dx, y + dy) - parts(x, y)
        self._put(one, x + dx, y + dy)
        self._last[one] = np.maximum(self._last[one], np.maximum.reduceat(window, edges))
        by_owner = np.argsort(owner, kind="stable")
        borders = np.flatnonzero(np.concatenate([[True], np.diff(owner[by_owner]) != 0]))
        totals = np.add.reduceat(change[by_owner], borders)
        for number, own in zip(owner[by_owner][borders].tolist(), totals, strict=True):
            self._sums[number] = self._sums[number] + own.astype(object)

    def of_owner(self, rows: Rows, owners: Collection[int]) -> BoolArray:
        """Return which rows are of these owners."""
        return np.isin(self._slots.owner(rows.slot), list(owners))

    def owner(self, rows: Rows) -> IntArray:
        """Return whose rows these are."""
        return self._slots.owner(rows.slot)

    def everything(self) -> Rows:
        """Return all rows that are kept."""
        return self.within(list(self._windows))

    def within(self, windows: Collection[int]) -> Rows:
        """Return everybody's rows of some windows."""
        chunks = [(window, chunk) for window in windows for chunk in self._windows.get(window, ())]
        if not chunks:
            nothing = np.zeros(0, dtype=np.int64)
            return Rows(nothing, nothing, nothing, nothing)
        slot, x, y = (
            np.concatenate([chunk[part] for _, chunk in chunks]).astype(np.int64) for part in range(3)
        )
        window = np.repeat([one for one, _ in chunks], [len(chunk[0]) for _, chunk in chunks])
        return Rows(slot, np.asarray(window, dtype=np.int64), x, y)

    def start(self, owner: int, column: int, first: int, excluded: Collection[int]) -> None:
        """Have a column count from a window on, but for excluded minutes."""
        # What stands there is of an earlier start: it is as nothing for units that were not seen since,
        # and the others are all among the rows that are kept, unless the clock was set back beyond them.
        if first < self._forgotten_to:
            everyone = np.arange(self._slots.size)
            self._hour[everyone[self._slots.owner(everyone) == owner], column - 1] = 0
        rows = self.within([window for window in self._windows if window >= first])
        own = rows.chosen(self.of_owner(rows, [owner]))
        self._hour[own.slot, column - 1] = 0
        self._first[owner, column] = first
        self._sums[owner][column] = 0
        counted = own.chosen(~np.isin(own.window // PER_MINUTE, list(excluded)))
        slot, place = np.unique(counted.slot, return_inverse=True)
        x = np.bincount(place, weights=counted.x, minlength=len(slot)).astype(np.int64)
        y = np.bincount(place, weights=counted.y, minlength=len(slot)).astype(np.int64)
        self._hour[slot, column - 1, 0], self._hour[slot, column - 1, 1] = x, y
        self._sums[owner][column] = parts(x, y).sum(axis=0, dtype=np.int64).astype(object)

    def forget_before(self, window: int) -> None:
        """Drop rows that no living start counts; start 0 has them in its totals. The others are merged."""
        self._forgotten_to = max(self._forgotten_to, window)
        for old in [one for one in self._windows if one < window]:
            del self._windows[old]
        for one, chunks in self._windows.items():
            if len(chunks) > 1:
                rows = self.within([one])
                slot, place = np.unique(rows.slot, return_inverse=True)
                x, y = (np.bincount(place, weights=part, minlength=len(slot)) for part in (rows.x, rows.y))
                self._windows[one] = [(slot.astype(np.int32), small(x), small(y))]

    def _claim(self, owner: IntArray, unit: IntArray) -> IntArray:
        found = self._slots.claim(owner, unit)
        self._grow()
        return found

    def _grow(self) -> None:
        capacity = self._slots.capacity
        if len(self._all) < capacity:
            more = capacity - len(self._all)
            self._all = np.concatenate([self._all, np.zeros((more, 2), dtype=np.int64)])
            self._hour = np.concatenate([self._hour, np.zeros((more, LATER, 2), dtype=np.int32)])
            self._last = np.concatenate([self._last, np.full(more, ALWAYS, dtype=np.int64)])

    def _totals(self, slot: IntArray, owner: IntArray) -> tuple[IntArray, IntArray]:
        """Return what units have done since each start [unit, column]."""
        is_live = self._last[slot, np.newaxis] >= self._first[owner, 1:]
        x, y = (
            np.concatenate(
                [self._all[slot, part][:, np.newaxis], np.where(is_live, self._hour[slot, :, part], 0)],
                axis=1,
            ).astype(np.int64)
            for part in range(2)
        )
        return x, y

    def _put(self, slot: IntArray, x: IntArray, y: IntArray) -> None:
        self._all[slot, 0], self._all[slot, 1] = x[:, 0], y[:, 0]
        self._hour[slot, :, 0], self._hour[slot, :, 1] = small(x[:, 1:]), small(y[:, 1:])


def _kept(values: NDArray[Number], kept: BoolArray, size: int) -> NDArray[Number]:
    return values[:size][kept]
