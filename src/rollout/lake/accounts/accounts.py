"""One run's units: when each was enrolled, what it did in its windows, and the sums of those that are closed.

A batch costs what it holds and whom it touches, whatever came before; any order of arrival ends in the same
rows and sums.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np

from rollout.domain.records import DAY_US, NANO
from rollout.lake.accounts.asked import Asked, Counter, Told
from rollout.lake.accounts.columns import (
    ARM,
    BLOCK,
    ENROLLED,
    IS_TWO_ARMED,
    UNIT,
    by_window,
    columns_of,
    counter_column,
    folded,
    requests_column,
    told_column,
)
from rollout.lake.accounts.enrolment import SLICE_US, Calendar, Slices
from rollout.lake.accounts.exposures import Exposures, Visits
from rollout.lake.accounts.index import NOWHERE, Index
from rollout.lake.accounts.outcomes import Outcomes
from rollout.lake.accounts.sets import distinct
from rollout.lake.accounts.table import Table
from rollout.lake.accounts.totals import ClosedSums, Rows, Totals
from rollout.stats import windows
from rollout.stats.arrays import BoolArray, IntArray
from rollout.stats.windows import SKEW_US

LONGEST_US: Final = 2 * 366 * DAY_US
Again: TypeAlias = Callable[[IntArray, int, int], Exposures]
"""Reads the requests of some units between two moments again, also those of the batch."""


@dataclass(slots=True)
class _Closing:
    """One metric's closed units: their sums, how many told anything, and who was the last to close."""

    metric: Counter | Told
    totals: Totals
    rates: Slices
    until_us: int
    """Units that were enrolled later are open."""

    def rate(self, enrolled_us: IntArray, has_any: BoolArray, sign: int) -> None:
        """Note how many units told anything, whatever their arm."""
        column = np.zeros(len(enrolled_us), dtype=np.int64)
        self.rates.change(enrolled_us, column, sign)
        self.rates.change(enrolled_us[has_any], column[has_any] + 1, sign)


class Accounts:
    """Every unit of one run."""

    def __init__(self, asked: Asked, *, from_us: int = 0) -> None:
        self.asked = asked
        self.from_us = max(asked.since_us, from_us)
        """Requests before it are an older run's, or were summed up before they expired."""
        self.two_armed = 0
        self.misdated = 0
        """Requests from after every run's end: they are left out, for tables by time must have one."""
        self._table = Table(columns_of(asked))
        self._index, self._calendar = Index(), Calendar()
        self._enrolled = Slices(asked.since_us, len(asked.blocks) * asked.arms)
        shape = {"blocks": len(asked.blocks), "arms": asked.arms}
        self._closings = {
            one.name: _Closing(
                one, Totals(**shape, columns=one.columns), Slices(asked.since_us, 2), asked.since_us - 1
            )
            for one in asked.everything
        }
        largest = max(asked.blocks, default=0)
        self._block_index = np.full(largest + 2, NOWHERE, dtype=np.int64)
        self._block_index[list(asked.blocks)] = np.arange(len(asked.blocks))

    @property
    def nbytes(self) -> int:
        """How much memory it takes."""
        return self._table.nbytes + self._index.nbytes + self._calendar.nbytes

    @property
    def units(self) -> int:
        """How many units are known."""
        return self._table.length

    def take(
        self, batch: Exposures, retold: IntArray, outcomes: Mapping[str, Outcomes], again: Again
    ) -> None:
        """Take in requests, and look again at the outcomes of units that are `retold`, which are sorted."""
        self.misdated += int((batch.ts_us >= self.asked.since_us + LONGEST_US).sum())
        visits = Visits.of(self._own(batch))
        rows = self._index.rows(visits.unit)
        is_known = rows != NOWHERE
        heard = self._index.rows(retold)
        heard = heard[heard != NOWHERE]
        touched = distinct(rows[is_known], heard)
        if not len(touched) and is_known.all():
            return
        self._change(touched, -1)
        rows[~is_known] = self._enrol(visits, ~is_known)
        is_moved = self._meet(visits, rows, is_known)
        self._count(visits, rows, ~is_moved)
        self._recount(rows[is_moved], again)
        is_new = ~is_known | is_moved
        self._calendar.enter(rows[is_new], visits.first_us[is_new])
        self._retell(distinct(heard, rows[is_new]), outcomes)
        self._change(distinct(touched, rows[~is_known]), +1)

    def enrolled(self, from_us: int | None = None) -> IntArray:
        """Return the distinct units enrolled since a moment, [block, arm]; in two arms they are in none."""
        shape = (len(self.asked.blocks), self.asked.arms)
        if from_us is None or from_us <= self.asked.since_us:
            return self._enrolled.after(self.asked.since_us - SLICE_US).reshape(shape)
        found = self._enrolled.after(from_us)
        rows = self._calendar.of(from_us // SLICE_US)
        enrolled_us = self._table[ENROLLED][rows]
        is_in = (enrolled_us >= from_us) & (enrolled_us // SLICE_US == from_us // SLICE_US)
        rows = rows[is_in & (self._table[IS_TWO_ARMED][rows] == 0)]
        return (found + np.bincount(self._place(rows), minlength=len(found))).reshape(shape)

    def first_us(self) -> int | None:
        """Return when the first unit was enrolled that is in one arm."""
        number = self._enrolled.first()
        if number is None:
            return None
        rows = self._calendar.of(number)
        enrolled_us = self._table[ENROLLED][rows]
        is_in = (enrolled_us // SLICE_US == number) & (self._table[IS_TWO_ARMED][rows] == 0)
        return int(enrolled_us[is_in].min())

    def closed(self, name: str, watermark_us: int) -> ClosedSums:
        """Return one metric's sums over the units that are closed at a watermark, which may also fall."""
        closing = self._closings[name]
        before_us, now_us = closing.until_us, watermark_us - closing.metric.window.closes_after_us
        if now_us != before_us:
            rows = self._between(min(before_us, now_us), max(before_us, now_us))
            self._sum(closing, rows, 1 if now_us > before_us else -1)
            closing.until_us = now_us
        return closing.totals.closed()

    def closed_until(self, name: str) -> int:
        """Return the watermark at which a metric's closed units were last asked for."""
        return self._closings[name].until_us + self._closings[name].metric.window.closes_after_us

    def rates(self, name: str) -> tuple[int, IntArray]:
        """Return closed units, and those with anything told, by ten minutes; and the first's number."""
        return self._closings[name].rates.table()

    def rows(self) -> dict[str, IntArray]:
        """Return everything that is known of every unit, in the order of their numbers."""
        order = np.argsort(self._table[UNIT])
        return {name: self._table[name][order] for name in self._table.names}

    def put(self, rows: Mapping[str, IntArray], outcomes: Mapping[str, Outcomes]) -> None:
        """Take in units that were summed up before, none of which is known yet, sorted by their numbers."""
        own = self._table.grow(len(rows[UNIT]))
        for name in self._table.names:
            if name in rows:
                self._table[name][own] = rows[name]
        self._index.put(rows[UNIT], own)
        self._calendar.enter(own, rows[ENROLLED])
        self._retell(own, outcomes)
        self._change(own, +1)

    def _own(self, batch: Exposures) -> Exposures:
        """Return what belongs to this run, with its blocks by their place."""
        last = len(self._block_index) - 1
        block = self._block_index[np.clip(batch.block, -1, last)]
        is_own = (block != NOWHERE) & (batch.arm < self.asked.arms) & (batch.ts_us >= self.from_us)
        is_own &= batch.ts_us < self.asked.since_us + LONGEST_US
        found = batch.chosen(is_own)
        found.block[:] = block[is_own]
        return found

    def _enrol(self, visits: Visits, are_new: BoolArray) -> IntArray:
        rows = self._table.grow(int(are_new.sum()))
        for name, values in (
            (UNIT, visits.unit),
            (ENROLLED, visits.first_us),
            (ARM, visits.low_arm),
            (BLOCK, visits.block),
            (IS_TWO_ARMED, visits.low_arm != visits.high_arm),
        ):
            self._table[name][rows] = values[are_new]
        self._index.put(visits.unit[are_new], rows)
        return rows

    def _meet(self, visits: Visits, rows: IntArray, are_known: BoolArray) -> BoolArray:
        """Note other arms and earlier first requests of known units; return who was enrolled earlier."""
        known, arm, enrolled_us = rows[are_known], self._table[ARM], self._table[ENROLLED]
        low, high = visits.low_arm[are_known], visits.high_arm[are_known]
        self._table[IS_TWO_ARMED][known] |= (low != arm[known]) | (high != arm[known])
        arm[known] = np.minimum(arm[known], low)
        first_us, block = visits.first_us[are_known], visits.block[are_known]
        is_earlier = first_us < enrolled_us[known]
        is_earlier |= (first_us == enrolled_us[known]) & (block < self._table[BLOCK][known])
        earlier = known[is_earlier]
        enrolled_us[earlier], self._table[BLOCK][earlier] = first_us[is_earlier], block[is_earlier]
        moved = np.zeros(len(rows), dtype=np.bool_)
        moved[np.flatnonzero(are_known)[is_earlier]] = True
        return moved

    def _count(self, visits: Visits, rows: IntArray, which: BoolArray) -> None:
        """Add the batch's requests to the windows of some of its units."""
        are_counted = np.repeat(which, visits.number)
        owner = np.repeat(rows, visits.number)[are_counted]
        self._add(visits.requests.chosen(are_counted), owner)

    def _add(self, requests: Exposures, owner: IntArray) -> None:
        since_us = requests.ts_us - self._table[ENROLLED][owner]
        for window_us, counters in by_window(self.asked.counters).items():
            is_in = (since_us >= 0) & (since_us < window_us)
            np.add.at(self._table[requests_column(window_us)], owner[is_in], 1)
            for name, counter in {counter_column(one): one for one in counters}.items():
                np.add.at(self._table[name], owner[is_in & requests.troubled(counter)], 1)

    def _recount(self, rows: IntArray, again: Again) -> None:
        """Count anew for units whose windows began earlier than was known."""
        windows_us = by_window(self.asked.counters)
        if not len(rows) or not windows_us:
            return
        for name in (*map(requests_column, windows_us), *map(counter_column, self.asked.counters)):
            self._table[name][rows] = 0
        enrolled_us, units = self._table[ENROLLED][rows], self._table[UNIT][rows]
        until_us = int(enrolled_us.max()) + max(windows_us)
        found = self._own(again(np.sort(units), int(enrolled_us.min()), until_us))
        self._add(found, self._index.rows(found.unit))

    def _retell(self, rows: IntArray, outcomes: Mapping[str, Outcomes]) -> None:
        """Sum up the outcomes of some units anew."""
        rows = rows[np.argsort(self._table[UNIT][rows])]
        units, enrolled_us = self._table[UNIT][rows], self._table[ENROLLED][rows]
        for metric in self.asked.told:
            column = self._table[told_column(metric)]
            for place, source in enumerate(metric.sources):
                told, owner = outcomes[source].counted(units)
                is_in = windows.in_window(told.ts_us, enrolled_us[owner], window_us=metric.window.window_us)
                column[rows, place] = folded(metric, told.value_u[is_in], owner[is_in], len(rows))
                if place == 0 and metric.before_us is not None:
                    since_us = told.ts_us - enrolled_us[owner]
                    is_before = (since_us >= -metric.before_us) & (since_us < -SKEW_US)
                    column[rows, -1] = folded(metric, told.value_u[is_before], owner[is_before], len(rows))

    def _change(self, rows: IntArray, sign: int) -> None:
        """Enter units into every sum that they belong to now, or take them out before they change."""
        is_two_armed = self._table[IS_TWO_ARMED][rows] != 0
        self.two_armed += sign * int(is_two_armed.sum())
        rows = rows[~is_two_armed]
        enrolled_us = self._table[ENROLLED][rows]
        self._enrolled.change(enrolled_us, self._place(rows), sign)
        for closing in self._closings.values():
            self._sum(closing, rows[enrolled_us <= closing.until_us], sign)

    def _sum(self, closing: _Closing, rows: IntArray, sign: int) -> None:
        """Add closed units to a metric's sums, or take them out."""
        metric = closing.metric
        rows = rows[self._table[IS_TWO_ARMED][rows] == 0]
        enrolled_us = self._table[ENROLLED][rows]
        fraction: IntArray | None = None
        if isinstance(metric, Counter):
            x = self._table[requests_column(metric.window.window_us)][rows]
            y = self._table[counter_column(metric)][rows]
            values, fraction = np.column_stack([y, x]), (y * NANO + x - 1) // np.maximum(x, 1)
        else:
            values = self._table[told_column(metric)][rows]
            closing.rate(enrolled_us, values[:, 0] != 0, sign)
        found = Rows(enrolled_us // DAY_US, self._place(rows), values, fraction)
        closing.totals.change(found, sign)

    def _place(self, rows: IntArray) -> IntArray:
        return self._table[BLOCK][rows].astype(np.int64) * self.asked.arms + self._table[ARM][rows]

    def _between(self, after_us: int, until_us: int) -> IntArray:
        """Return who was enrolled after one moment, and not after another."""
        rows = self._calendar.between((after_us + 1) // SLICE_US, until_us // SLICE_US)
        enrolled_us = self._table[ENROLLED][rows]
        return rows[(enrolled_us > after_us) & (enrolled_us <= until_us)]
