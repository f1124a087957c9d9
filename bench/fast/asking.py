"""The fast evidence as it was asked before: for each run, start and arm a scan of the tables."""

from __future__ import annotations

from typing import Final

import numpy as np

from bench.fast.tables import ArmWindows, Events, Folded, Tables
from rollout.domain.records import BASELINE_SERVED, MINUTE_US, WINDOW_US, Run, Threshold
from rollout.stats import slo, starts
from rollout.stats.arrays import BoolArray
from rollout.stats.starts import Starts
from rollout.store.database import Database
from rollout.store.live_errors import ErrorCounts
from rollout.store.live_limits import SinceStarts

_LIFE_US: Final = starts.LIFE_S * 1_000_000


class Asking:
    """Answers what `Counts.errors` and `Counts.since_starts` answer, from the tables."""

    def __init__(self, database: Database) -> None:
        self._tables = Tables(database)

    def errors(self, run: Run, alive: Starts, now_us: int) -> ErrorCounts:
        """Return a run's units with a first error since each start, and its requests of the last minutes."""
        events, totals, recent = self._tables.errors(
            run, since_us=now_us - _LIFE_US, since_minute=now_us // MINUTE_US - 1
        )
        arms = np.array(events.arm, dtype=np.str_)
        since = {
            (arm, split): _first(events, (arms == arm) & (events.split == split), alive)
            for arm, split in sorted(set(zip(events.arm, events.split.tolist(), strict=True)))
        }
        return ErrorCounts(since if len(alive.index) > 1 else {}, totals, recent)

    def since_starts(
        self, threshold: Threshold, arms: tuple[str, ...], alive: Starts, now_us: int
    ) -> tuple[dict[str, SinceStarts], frozenset[int]]:
        """Return what arms' units did since each start, and which minutes were shared outages."""
        live, before = self._tables.arm_windows(threshold.identity)
        outages = _outage_minutes(live, threshold)
        found = {}
        for arm in arms:
            own, folded = live.get(arm), before.get(arm, Folded())
            windows, nano = _ended(own, folded, alive, outages, now_us)
            sums = tuple(
                self._tables.unit_sums(
                    threshold.identity,
                    arm,
                    since_us=None if index == 0 else int(begin),
                    outage_minutes=sorted(outages),
                )
                for index, begin in zip(alive.index, alive.begin, strict=True)
            )
            slow = tuple(
                0
                if threshold.has_outages
                else self._tables.slow_minutes(
                    threshold.identity, arm, since_us=None if index == 0 else int(begin)
                )
                for index, begin in zip(alive.index, alive.begin, strict=True)
            )
            has_ended = bool(folded.units) or (own is not None and bool(own.units[_past(own, now_us)].any()))
            found[arm] = SinceStarts(windows, nano, sums, slow, has_ended)
        return found, outages


def _first(events: Events, chosen: BoolArray, alive: Starts) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    first = starts.first_since(events.ts_us[chosen], events.previous_us[chosen], alive.begin[1:])
    return np.asarray(first.sum(axis=0), dtype=np.int64)


def _past(own: ArmWindows, now_us: int) -> BoolArray:
    return np.asarray((own.window + 1) * WINDOW_US <= now_us)


def _ended(
    own: ArmWindows | None, before: Folded, alive: Starts, outages: frozenset[int], now_us: int
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    units, nano = [], []
    for index, begin in zip(alive.index.tolist(), alive.begin.tolist(), strict=True):
        units.append(before.units if index == 0 else 0)
        nano.append(before.fraction_nano if index == 0 else 0)
        if own is not None:
            counted = _past(own, now_us) & ~np.isin(own.window * WINDOW_US // MINUTE_US, sorted(outages))
            counted &= (own.window * WINDOW_US >= begin) | (index == 0)
            units[-1] += int(own.units[counted].sum())
            nano[-1] += int(own.fraction_nano[counted].sum())
    return tuple(units), tuple(nano)


def _outage_minutes(live: dict[str, ArmWindows], threshold: Threshold) -> frozenset[int]:
    """Return the minutes in which baseline-served traffic itself breaks the limit."""
    totals: dict[int, list[int]] = {}
    for arm in BASELINE_SERVED if threshold.has_outages else ():
        if (found := live.get(arm)) is None:
            continue
        for window, requests, exceedances in zip(
            found.window, found.requests, found.exceedances, strict=True
        ):
            total = totals.setdefault(int(window) * WINDOW_US // MINUTE_US, [0, 0])
            total[0] += int(requests)
            total[1] += int(exceedances)
    if not totals:
        return frozenset()
    requests_, exceedances_ = zip(*totals.values(), strict=True)
    marked = slo.is_environment(requests_, exceedances_, limit=threshold.share)
    return frozenset(minute for minute, is_outage in zip(totals, marked, strict=True) if is_outage)
