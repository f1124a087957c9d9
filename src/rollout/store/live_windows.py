"""Limits in memory: every arm's ten seconds, shared outages, and sums since each start, as rows arrive."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from rollout.domain.records import BASELINE_SERVED, WINDOW_US, RatioSums, Threshold, UnitWindow
from rollout.stats.arrays import BoolArray, IntArray
from rollout.stats.slo import is_environment
from rollout.stats.starts import Starts
from rollout.store.changes import ArmTotal, ArmWindow, Changes
from rollout.store.live_limits import NOTHING, Arm, Cell, Limit, SinceStarts, as_sums, first_window, is_out
from rollout.store.unit_rows import COLUMNS, NEVER, PER_MINUTE, Rows, column_of
from rollout.store.unit_sums import UnitSums


class LiveWindows:
    """Follows the limits that looks ask about; nothing here outlives the process."""

    def __init__(self) -> None:
        self._limits: dict[int, Limit] = {}
        self._units = UnitSums()
        self._slow: defaultdict[int, set[int]] = defaultdict(set)
        self._slow_arms: dict[int, Arm] = {}

    @property
    def nbytes(self) -> int:
        """The memory that its units take."""
        return self._units.nbytes

    def limit(self, threshold: int) -> Limit | None:
        """Return a limit that is followed."""
        return self._limits.get(threshold)

    def follow(self, threshold: Threshold, windows: Iterable[ArmWindow], totals: Iterable[ArmTotal]) -> Limit:
        """Follow a limit from now on, with what is known of its arms."""
        limit = self._limits[threshold.identity] = Limit(threshold)
        for total in totals:
            limit.arms[total.arm].total = total
        self._add_cells(windows)
        return limit

    def follow_units(
        self,
        limit: Limit,
        name: str,
        alive: Starts,
        known: tuple[Sequence[tuple[int, int, int]], Sequence[UnitWindow]],
    ) -> None:
        """Sum over an arm's units too: totals (unit, x, y) from before, and the rows that are kept."""
        totals, rows = known
        first = np.full(COLUMNS, NEVER, dtype=np.int64)
        arm = limit.arms[name]
        for index, begin in zip(alive.index.tolist(), alive.begin.tolist(), strict=True):
            column = column_of(index)
            first[column], arm.index[column] = first_window(index, begin), index
        arm.owner = self._units.open(first)
        if not limit.threshold.has_outages:
            self._slow_arms[arm.owner] = arm
        self._units.begin_with(arm.owner, *_columns(totals, 3))
        self._add_rows(rows)
        for column in range(COLUMNS):
            self._recount(limit, arm, column)
        arm.told = None

    def forget(self, older_than_us: int) -> None:
        """Forget the limits that nobody asked about since then: their runs have ended."""
        gone = [limit for limit in self._limits.values() if limit.asked_us < older_than_us]
        owners = [arm.owner for limit in gone for arm in limit.arms.values() if arm.owner is not None]
        for limit in gone:
            del self._limits[limit.threshold.identity]
        if owners:
            self._units.close(owners)
            self._slow.clear()
            for owner in owners:
                self._slow_arms.pop(owner, None)
            for arm in self._slow_arms.values():
                arm.slow, arm.told = {}, None
            self._note_slow(self._units.everything())

    def apply(self, changes: Changes) -> None:
        """Follow what one transaction changed."""
        self._add_cells(changes.arm_windows)
        if changes.unit_windows:
            self._add_rows(changes.unit_windows)
        if changes.folded_before is not None:
            self._fold(changes.folded_before, changes.arm_totals)

    def since(self, limit: Limit, name: str, alive: Starts, now_us: int) -> SinceStarts:
        """Return what an arm's units did since each living start; the arm's units must be followed.

        While nothing comes, no window ends and no start begins, it is the same object as before.
        """
        arm, begun, newest = limit.arms[name], alive.begin.tobytes(), now_us // WINDOW_US
        if arm.told is None or arm.told[:2] != (begun, newest):
            arm.told = (begun, newest, self._told(limit, name, alive, now_us))
        return arm.told[2]

    def _told(self, limit: Limit, name: str, alive: Starts, now_us: int) -> SinceStarts:
        arm = limit.arms[name]
        owner = arm.owner
        if owner is None:
            raise ValueError(f"{limit.threshold.metric}: the units of {name} are not followed")
        running = self._running(arm, now_us // WINDOW_US)
        found: list[tuple[int, int, RatioSums, int]] = []
        for index, begin in zip(alive.index.tolist(), alive.begin.tolist(), strict=True):
            column, first = column_of(index), first_window(index, begin)
            if arm.index[column] != index or self._units.first(owner, column) != first:
                self._units.start(owner, column, first, limit.outages)
                arm.index[column] = index
                self._recount(limit, arm, column)
            open_ = [cell for window, cell in running if window >= first and not is_out(limit, window)]
            before = arm.total if index == 0 else None
            found.append(
                (
                    arm.windows[column] - sum(cell[0] for cell in open_) + (before.units if before else 0),
                    arm.nano[column]
                    - sum(cell[1] for cell in open_)
                    + (before.fraction_nano if before else 0),
                    as_sums(self._units.sums(owner)[column]),
                    sum(units for minute, units in arm.slow.items() if minute * PER_MINUTE >= first)
                    + (before.slow_minutes if before else 0),
                )
            )
        windows, nano, sums, slow = zip(*found, strict=True)
        ended = any(cell[0] for window, cell in arm.cells.items() if (window + 1) * WINDOW_US <= now_us)
        return SinceStarts(windows, nano, sums, slow, ended or bool(arm.total and arm.total.units))

    @staticmethod
    def _running(arm: Arm, oldest: int) -> list[tuple[int, Cell]]:
        """Return the windows that have not ended; the newest ones are few."""
        if arm.newest - oldest > COLUMNS * PER_MINUTE:
            return [(window, cell) for window, cell in arm.cells.items() if window >= oldest]
        return [(w, arm.cells[w]) for w in range(oldest, arm.newest + 1) if w in arm.cells]

    def _add_cells(self, windows: Iterable[ArmWindow]) -> None:
        """Add what came to arms' windows, and note which minutes have become outages or are none any more."""
        touched: set[tuple[int, int]] = set()
        for threshold, name, window, *values in windows:
            limit = self._limits.get(threshold)
            if limit is None:
                continue
            arm, (units, nano, requests, exceedances) = limit.arms[name], values
            arm.told = None
            old, arm.newest = arm.cells.get(window, NOTHING), max(arm.newest, window)
            arm.cells[window] = (old[0] + units, old[1] + nano, old[2] + requests, old[3] + exceedances)
            if name in BASELINE_SERVED and limit.threshold.has_outages:
                minute = limit.minutes.setdefault(window // PER_MINUTE, [0, 0])
                minute[0] += requests
                minute[1] += exceedances
                touched.add((threshold, window // PER_MINUTE))
            if arm.owner is not None and not is_out(limit, window):
                self._shift(arm, window, units, nano)
        if touched:
            self._judge_minutes(sorted(touched))

    def _judge_minutes(self, touched: Sequence[tuple[int, int]]) -> None:
        pairs = [(self._limits[threshold], minute) for threshold, minute in touched]
        requests, exceedances = zip(*(limit.minutes[minute] for limit, minute in pairs), strict=True)
        shares = [limit.threshold.share for limit, _ in pairs]
        marked = is_environment(requests, exceedances, limit=np.array(shares))
        for (limit, minute), is_outage in zip(pairs, marked.tolist(), strict=True):
            if is_outage != (minute in limit.outages):
                self._flip(limit, minute, is_outage=is_outage)

    def _flip(self, limit: Limit, minute: int, *, is_outage: bool) -> None:
        """Leave a minute out of every arm's sums, or count it after all."""
        sign = -1 if is_outage else 1
        windows = range(minute * PER_MINUTE, (minute + 1) * PER_MINUTE)
        owned = [arm for arm in limit.arms.values() if arm.owner is not None]
        for arm in owned:
            arm.told = None
            for window in windows:
                cell = arm.cells.get(window, NOTHING)
                self._shift(arm, window, sign * cell[0], sign * cell[1])
        if owned:
            rows = self._units.within(windows)
            own = self._units.of_owner(rows, [arm.owner for arm in owned if arm.owner is not None])
            self._units.count(rows.chosen(own), sign=sign)
        (limit.outages.add if is_outage else limit.outages.discard)(minute)

    def _shift(self, arm: Arm, window: int, units: int, nano: int) -> None:
        if arm.owner is None:
            return
        for column in range(COLUMNS):
            if window >= self._units.first(arm.owner, column):
                arm.windows[column] += units
                arm.nano[column] += nano

    def _recount(self, limit: Limit, arm: Arm, column: int) -> None:
        """Add an arm's windows up anew, when a column begins with another start."""
        first = self._units.first(arm.owner or 0, column)
        counted = [c for w, c in arm.cells.items() if w >= first and not is_out(limit, w)]
        arm.windows[column] = sum(cell[0] for cell in counted)
        arm.nano[column] = sum(cell[1] for cell in counted)

    def _add_rows(self, rows: Sequence[UnitWindow]) -> None:
        """Keep the rows of followed arms, and count those outside outages."""
        owned, owners = [], []
        for row in rows:
            limit = self._limits.get(row[0])
            arm = None if limit is None else limit.arms.get(row[1])
            if arm is not None and arm.owner is not None:
                arm.told = None
                owned.append(row)
                owners.append(arm.owner)
        if not owned:
            return
        owner = np.array(owners, dtype=np.int64)
        unit, window, x, y = _columns([row[2:] for row in owned], 4)
        found = self._units.add(owner, unit, (window, x, y))
        self._units.count(found.chosen(~self._excluded(found)))
        self._note_slow(found)

    def _excluded(self, rows: Rows) -> BoolArray:
        """Return which rows lie in an outage of their own limit."""
        minutes = rows.window // PER_MINUTE
        out = np.zeros(len(minutes), dtype=np.bool_)
        present = set(np.unique(minutes).tolist())
        for limit in self._limits.values():
            if hit := limit.outages & present:
                owners = [arm.owner for arm in limit.arms.values() if arm.owner is not None]
                out |= self._units.of_owner(rows, owners) & np.isin(minutes, list(hit))
        return out

    def _note_slow(self, rows: Rows) -> None:
        """Note which units exceeded a limit in which minute, where that is asked for."""
        if not self._slow_arms or not rows.y.any():
            return
        own = rows.chosen((rows.y > 0) & self._units.of_owner(rows, self._slow_arms))
        owners = self._units.owner(own)
        for slot, minute, owner in zip(
            own.slot.tolist(), (own.window // PER_MINUTE).tolist(), owners.tolist(), strict=True
        ):
            if slot not in self._slow[minute]:
                self._slow[minute].add(slot)
                arm = self._slow_arms[owner]
                arm.slow[minute] = arm.slow.get(minute, 0) + 1

    def _fold(self, before: int, totals: Iterable[ArmTotal]) -> None:
        """Drop what has become totals; start 0 goes on with them."""
        for limit in self._limits.values():
            for arm in limit.arms.values():
                arm.told = None
                for window in [one for one in arm.cells if one < before]:
                    units, nano, *_ = arm.cells.pop(window)
                    if not is_out(limit, window):
                        self._shift(arm, window, -units, -nano)
                arm.slow = {minute: n for minute, n in arm.slow.items() if minute * PER_MINUTE >= before}
            for minute in [one for one in limit.minutes if one * PER_MINUTE < before]:
                del limit.minutes[minute]
                limit.outages.discard(minute)
        for total in totals:
            if known := self._limits.get(total.threshold):
                known.arms[total.arm].total = total
        for minute in [one for one in self._slow if one * PER_MINUTE < before]:
            del self._slow[minute]
        self._units.forget_before(before)


def _columns(rows: Sequence[Sequence[object]], count: int) -> list[IntArray]:
    table = np.array(rows, dtype=np.int64).reshape(len(rows), count)
    return [table[:, column] for column in range(count)]
