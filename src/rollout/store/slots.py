"""Small numbers for (owner, unit) pairs: a hash table in arrays, a tenth of a dictionary's memory."""

from __future__ import annotations

from typing import Final

import numpy as np

from rollout.stats.arrays import BoolArray, IntArray

_LEAST: Final = 1024
_FREE: Final = -1
_MIX: Final = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(32))


class Slots:
    """Every pair has a slot, counted from 0 in the order in which they came; half of the table stays free."""

    def __init__(self) -> None:
        self.size = 0
        self._owner = np.zeros(_LEAST, dtype=np.int32)
        self._unit = np.zeros(_LEAST, dtype=np.int64)
        self._table = np.full(2 * _LEAST, _FREE, dtype=np.int32)

    @property
    def capacity(self) -> int:
        """How many pairs fit before the arrays grow."""
        return len(self._owner)

    @property
    def nbytes(self) -> int:
        """The memory it takes."""
        return self._owner.nbytes + self._unit.nbytes + self._table.nbytes

    def owner(self, slot: IntArray) -> IntArray:
        """Return whose slots these are."""
        return self._owner[slot].astype(np.int64)

    def claim(self, owner: IntArray, unit: IntArray) -> IntArray:
        """Return the slots of pairs that are all different; new ones get the next free slots."""
        self._reserve(self.size + len(unit))
        found, place = self._probe(owner, unit)
        new = np.flatnonzero(found == _FREE)
        if len(new):
            found[new] = self.size + np.arange(len(new))
            self._owner[found[new]], self._unit[found[new]] = owner[new], unit[new]
            self.size += len(new)
            self._enter(found[new], place[new])
        return found

    def keep(self, kept: BoolArray) -> None:
        """Forget every slot that is not kept; the others move up in their order."""
        chosen = np.flatnonzero(kept)
        self._owner, self._unit = self._owner[chosen], self._unit[chosen]
        self.size = len(chosen)
        self._resize(_LEAST)

    def _probe(self, owner: IntArray, unit: IntArray) -> tuple[IntArray, IntArray]:
        """Return each pair's slot or `_FREE`, and the place in the table at which the search ended."""
        last = len(self._table) - 1
        place = _hashed(owner, unit) & last
        found = np.full(len(unit), _FREE, dtype=np.int64)
        open_ = np.arange(len(unit))
        while len(open_):
            slot = self._table[place[open_]]
            is_taken = slot != _FREE
            is_same = is_taken & (self._unit[slot] == unit[open_]) & (self._owner[slot] == owner[open_])
            found[open_[is_same]] = slot[is_same]
            open_ = open_[is_taken & ~is_same]
            place[open_] = (place[open_] + 1) & last
        return found, place

    def _enter(self, slot: IntArray, place: IntArray) -> None:
        """Put new slots into the table, each at the first free place from where its search ended."""
        last = len(self._table) - 1
        while len(slot):
            is_free = self._table[place] == _FREE
            self._table[place[is_free]] = slot[is_free]
            # Of several that wrote to one place, the last one has it.
            lost = self._table[place] != slot
            slot, place = slot[lost], (place[lost] + 1) & last

    def _reserve(self, size: int) -> None:
        if size > self.capacity:
            self._resize(size)

    def _resize(self, size: int) -> None:
        """Make room for so many pairs, and enter the known ones anew."""
        capacity = _LEAST
        while capacity < max(size, self.size):
            capacity *= 2
        self._owner, self._unit = (
            np.concatenate([held[: self.size], np.zeros(capacity - self.size, dtype=held.dtype)])
            for held in (self._owner, self._unit)
        )
        self._table = np.full(2 * capacity, _FREE, dtype=np.int32)
        place = _hashed(self._owner[: self.size].astype(np.int64), self._unit[: self.size])
        self._enter(np.arange(self.size), place & (2 * capacity - 1))


def _hashed(owner: IntArray, unit: IntArray) -> IntArray:
    """Return where to begin; units are keyed hashes already, owners are mixed in."""
    mixed = unit.astype(np.uint64) ^ (owner.astype(np.uint64) * _MIX[0])
    mixed = (mixed ^ (mixed >> _MIX[2])) * _MIX[1]
    return np.asarray((mixed >> np.uint64(1)).astype(np.int64))
