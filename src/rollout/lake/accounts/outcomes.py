"""The outcomes of one metric, found by unit: sorted runs that merge as they grow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from rollout.lake.accounts.sets import distinct
from rollout.lake.outcomes import MICRO
from rollout.stats.arrays import BoolArray, IntArray

_TIMES: Final = 2
"""A run is merged into the one before it unless that one is so many times as long."""


@dataclass(frozen=True, slots=True)
class Told:
    """Outcomes of one metric, one in each row."""

    unit: IntArray
    key: IntArray
    ts_us: IntArray
    value_u: IntArray

    def __len__(self) -> int:
        """How many there are."""
        return len(self.unit)

    def chosen(self, which: IntArray | BoolArray) -> Told:
        """Return some of them, or all in another order."""
        return Told(self.unit[which], self.key[which], self.ts_us[which], self.value_u[which])

    @classmethod
    def joined(cls, parts: list[Told]) -> Told:
        """Return the rows of all parts, one after another."""
        if not parts:
            nothing = np.zeros(0, dtype=np.int64)
            return cls(nothing, nothing, nothing, nothing)
        unit, key, ts_us, value_u = (
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("unit", "key", "ts_us", "value_u")
        )
        return cls(unit, key, ts_us, value_u)


@dataclass(frozen=True, slots=True)
class Received:
    """How often an outcome came, came again, and came again with another time or value."""

    rows: int = 0
    repeated: int = 0
    """Rows beyond the first of their key."""
    conflicting: int = 0
    """Of these, contents that differ from those of the key's other rows."""
    not_binary: int = 0
    """Contents that are neither 0 nor 1; the three that follow are what one type or another cannot use."""
    not_whole: int = 0
    """No whole number, or a negative one."""
    negative: int = 0


class Outcomes:
    """What was told of one metric; of one unit and key the least (time, value) counts."""

    def __init__(self) -> None:
        self._runs: list[Told] = []
        self.received = Received()

    def add(self, new: Told) -> IntArray:
        """Take in rows, and return the units whose outcomes changed, sorted."""
        if not len(new):
            return np.zeros(0, dtype=np.int64)
        rows = len(new)
        new = _distinct(new)
        units = distinct(new.unit)
        old, _ = self.of(units)
        both = Told.joined([old, new])
        is_new = np.arange(len(both)) >= len(old)
        order = np.lexsort((is_new, both.value_u, both.ts_us, both.key, both.unit))
        both, is_new = both.chosen(order), is_new[order]
        same_key = np.zeros(len(both), dtype=np.bool_)
        same_key[1:] = (both.unit[1:] == both.unit[:-1]) & (both.key[1:] == both.key[:-1])
        same = np.zeros(len(both), dtype=np.bool_)
        same[1:] = same_key[1:] & (both.ts_us[1:] == both.ts_us[:-1])
        same[1:] &= both.value_u[1:] == both.value_u[:-1]
        keys_before = len(_first_of_keys(old)) if len(old) else 0
        fresh_keys = int((~same_key).sum()) - keys_before
        fresh = both.chosen(is_new & ~same)
        seen = self.received
        self.received = Received(
            seen.rows + rows,
            seen.repeated + rows - fresh_keys,
            seen.conflicting + len(fresh) - fresh_keys,
            seen.not_binary + int((~np.isin(fresh.value_u, (0, MICRO))).sum()),
            seen.not_whole + int(((fresh.value_u < 0) | (fresh.value_u % MICRO != 0)).sum()),
            seen.negative + int((fresh.value_u < 0).sum()),
        )
        self._put(fresh)
        return distinct(fresh.unit)

    def of(self, units: IntArray) -> tuple[Told, IntArray]:
        """Return everything told of some units, which are sorted, and whose place among them each row has."""
        parts, places = [], []
        for run in self._runs:
            first, last = np.searchsorted(run.unit, units, "left"), np.searchsorted(run.unit, units, "right")
            counts = last - first
            ends = np.cumsum(counts)
            which = np.arange(ends[-1] if len(ends) else 0) + np.repeat(first - (ends - counts), counts)
            parts.append(run.chosen(which))
            places.append(np.repeat(np.arange(len(units)), counts))
        found = Told.joined(parts)
        return found, np.concatenate(places) if places else np.zeros(0, dtype=np.int64)

    def counted(self, units: IntArray) -> tuple[Told, IntArray]:
        """Return the same, one row for each key."""
        found, place = self.of(units)
        if not self.received.conflicting:
            return found, place
        which = _first_of_keys(found)
        return found.chosen(which), place[which]

    @property
    def nbytes(self) -> int:
        """How much memory it takes."""
        return sum(4 * run.unit.nbytes for run in self._runs)

    def _put(self, run: Told) -> None:
        if not len(run):
            return
        self._runs.append(run)
        while len(self._runs) > 1 and len(self._runs[-2]) < _TIMES * len(self._runs[-1]):
            merged = Told.joined(self._runs[-2:])
            # Stable sorting finds the two sorted halves, and only merges them.
            self._runs[-2:] = [merged.chosen(np.argsort(merged.unit, kind="stable"))]


def _distinct(told: Told) -> Told:
    """Return each (unit, key, time, value) once, sorted."""
    told = told.chosen(np.lexsort((told.value_u, told.ts_us, told.key, told.unit)))
    columns = (told.unit, told.key, told.ts_us, told.value_u)
    is_first = np.ones(len(told), dtype=np.bool_)
    is_first[1:] = np.logical_or.reduce([column[1:] != column[:-1] for column in columns])
    return told.chosen(is_first)


def _first_of_keys(told: Told) -> IntArray:
    """Return which rows are the least (time, value) of their unit and key."""
    order = np.lexsort((told.value_u, told.ts_us, told.key, told.unit))
    unit, key = told.unit[order], told.key[order]
    is_first = np.ones(len(told), dtype=np.bool_)
    is_first[1:] = (unit[1:] != unit[:-1]) | (key[1:] != key[:-1])
    return order[is_first]
