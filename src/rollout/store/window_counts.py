"""Units' ten seconds against latency limits: exact sums for the violation tests, bounded to the last hour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from sqlalchemy import Connection, Row

from rollout.domain.records import (
    BASELINE_SERVED,
    MINUTE_US,
    NANO,
    WINDOW_US,
    RatioSums,
    Threshold,
    UnitWindow,
)
from rollout.stats.arrays import IntArray
from rollout.stats.slo import is_environment
from rollout.store import window_sql as sql
from rollout.store.intake_tables import ArmTotalRow, ArmWindowRow, UnitTotalRow, UnitWindowRow
from rollout.store.sql import LATE, WINDOWS, Bounds, add, count_rows, leave_out

ROWS: Final = "unit_window"
PER_MINUTE: Final = MINUTE_US // WINDOW_US


@dataclass(frozen=True, slots=True)
class ArmWindows:
    """An arm's ten-second windows of the last hour, in order; window w begins at w × 10 s."""

    window: IntArray
    units: IntArray
    fraction_nano: IntArray
    requests: IntArray
    exceedances: IntArray


@dataclass(frozen=True, slots=True)
class Folded:
    """An arm's unit-windows from the beginning to the last hour; those in shared outages are left out."""

    units: int = 0
    fraction_nano: int = 0
    outage_units: int = 0


def count_windows(
    connection: Connection, run_id: int, arriving: Sequence[UnitWindow], bounds: Bounds
) -> None:
    """Add what one run's units did; what is too late or too much is left out, and the run says so."""
    _stage(connection)
    oldest = _minute_window(bounds.horizon_us)
    rows = [
        {
            "threshold_id": one.threshold,
            "arm": one.arm,
            "unit": one.unit,
            "time_window": one.window,
            "requests": one.requests,
            "exceedances": one.exceedances,
        }
        for one in arriving
        if one.window >= oldest
    ]
    leave_out(connection, run_id, LATE, len(arriving) - len(rows), bounds.now_us)
    if rows:
        connection.execute(sql.ARRIVE, rows)
        connection.execute(add(ArmWindowRow, sql.UNITLESS))
        connection.execute(sql.DROP_UNITLESS)
        _make_room(connection, run_id, bounds)
        connection.execute(add(ArmWindowRow, sql.CHANGES), {"nano": NANO})
        connection.execute(add(UnitWindowRow, sql.ARRIVED))


def fold_windows(
    connection: Connection, run_id: int, thresholds: Sequence[Threshold], bounds: Bounds
) -> None:
    """Turn a run's windows older than the horizon into totals, without the minutes of shared outages."""
    for threshold in thresholds:
        _stage(connection)
        has_room = int(connection.execute(sql.COUNT_TOTALS).scalar_one()) < bounds.rows
        leave_out(connection, run_id, WINDOWS, int(not has_room), bounds.now_us)
        asked = {
            "threshold": threshold.identity,
            "window": _minute_window(bounds.horizon_us),
            "per_minute": PER_MINUTE,
        }
        outages = [{"minute": minute} for minute in _outages(connection, threshold, asked)]
        if outages:
            connection.execute(sql.NOTE_OUTAGE, outages)
        connection.execute(add(ArmTotalRow, sql.FOLD_ARMS), asked)
        connection.execute(add(UnitTotalRow, sql.FOLD_UNITS), {**asked, "has_room": has_room})
        connection.execute(sql.DROP_ARMS, asked)
        count_rows(connection, ROWS, -connection.execute(sql.DROP_UNITS, asked).rowcount)


def arm_windows(connection: Connection, threshold: int) -> dict[str, ArmWindows]:
    """Return every arm's windows of the last hour; `rest` has traffic but no units."""
    rows = connection.execute(sql.ARM_WINDOWS, {"threshold": threshold}).all()
    found: dict[str, list[Row[tuple[object, ...]]]] = {}
    for row in rows:
        found.setdefault(row[0], []).append(row)
    return {
        arm: ArmWindows(*(np.array([row[place] for row in own], dtype=np.int64) for place in range(1, 6)))
        for arm, own in found.items()
    }


def folded(connection: Connection, threshold: int) -> dict[str, Folded]:
    """Return what was before the last hour."""
    rows = connection.execute(sql.FOLDED, {"threshold": threshold})
    return {arm: Folded(*sums) for arm, *sums in rows}


def unit_sums(
    connection: Connection, threshold: int, arm: str, *, since_us: int | None, outage_minutes: Sequence[int]
) -> RatioSums:
    """Return sums over an arm's units since a time within the last hour, or since the beginning (`None`).

    A window counts from its begin on; the minutes of shared outages are left out.
    """
    asked = {
        "threshold": threshold,
        "arm": arm,
        "since": 0 if since_us is None else -(-since_us // WINDOW_US),
        "outages": [*outage_minutes, -1],
        "from_the_beginning": since_us is None,
        "per_minute": PER_MINUTE,
        "nano": NANO,
    }
    return RatioSums(*map(int, connection.execute(sql.UNIT_SUMS, asked).one()))


def _outages(connection: Connection, threshold: Threshold, asked: Mapping[str, int]) -> list[int]:
    arms = {**asked, "arms": list(BASELINE_SERVED)}
    rows = connection.execute(sql.BASELINE_MINUTES, arms).all()
    if not rows:
        return []
    minutes, requests, exceedances = zip(*rows, strict=True)
    marked = is_environment(requests, exceedances, limit=threshold.share)
    return [int(minute) for minute, is_outage in zip(minutes, marked, strict=True) if is_outage]


def _make_room(connection: Connection, run_id: int, bounds: Bounds) -> None:
    """Note the new rows; when the table is full they are dropped, and known unit-windows still count."""
    new = int(connection.execute(sql.COUNT_NEW).scalar_one())
    if count_rows(connection, ROWS, new) > bounds.rows:
        connection.execute(sql.DROP_NEW)
        count_rows(connection, ROWS, -new)
        leave_out(connection, run_id, WINDOWS, new, bounds.now_us)


def _stage(connection: Connection) -> None:
    for statement in sql.STAGE:
        connection.execute(statement)


def _minute_window(time_us: int) -> int:
    return max(time_us, 0) // MINUTE_US * PER_MINUTE
