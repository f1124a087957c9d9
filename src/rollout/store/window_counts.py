"""Units' ten seconds against latency limits, of the last hour, and what they did before as totals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import Connection, text

from rollout.domain.records import BASELINE_SERVED, MINUTE_US, NANO, WINDOW_US, Side, UnitWindow
from rollout.stats.slo import is_environment
from rollout.store import window_sql as sql
from rollout.store.changes import ArmTotal, ArmWindow, Changes
from rollout.store.intake_tables import ArmTotalRow, ArmWindowRow, UnitTotalRow, UnitWindowRow
from rollout.store.sql import LATE, WINDOWS, Bounds, add, add_many, count_rows, insert_many, leave_out, stage

ROWS: Final = "unit_window"
TOTALS: Final = "unit_total"
PER_MINUTE: Final = MINUTE_US // WINDOW_US


def count_windows(
    connection: Connection,
    runs: Mapping[int, int],
    arriving: Sequence[UnitWindow],
    bounds: Bounds,
    changes: Changes,
) -> None:
    """Add what units did; what is too late or too much is left out, and its run (by threshold) says so."""
    oldest = minute_window(bounds.horizon_us)
    # A limit may have been dropped since the segment was read: its run has ended.
    known = [row for row in arriving if row[0] in runs]
    rows = [row for row in known if row[3] >= oldest]
    if len(rows) < len(known):
        late = [runs[row[0]] for row in known if row[3] < oldest]
        for run_id in set(late):
            leave_out(connection, run_id, LATE, late.count(run_id), bounds.now_us)
    if not rows:
        return
    _stage(connection)
    insert_many(connection, "arriving", rows)
    came = [ArmWindow(*row) for row in connection.execute(sql.UNITLESS)]
    connection.execute(sql.DROP_UNITLESS)
    kept = [row for row in rows if row[2] is not None]
    if count_rows(connection, ROWS, 0) + len(kept) > bounds.rows and _refuse(
        connection, runs, bounds, changes
    ):
        kept = [(*row,) for row in connection.execute(sql.KEPT)]
    came += [ArmWindow(*row) for row in connection.execute(sql.CHANGES, {"nano": NANO})]
    add_many(connection, ArmWindowRow, came)
    changes.arm_windows += came
    changes.unit_windows += kept
    count_rows(connection, ROWS, sum(one.units for one in came))
    connection.execute(add(UnitWindowRow, sql.ARRIVED))


def fold_windows(connection: Connection, runs: Mapping[int, int], bounds: Bounds, changes: Changes) -> None:
    """Turn all windows older than the horizon into totals, without the minutes of shared outages."""
    _stage(connection)
    before = minute_window(bounds.horizon_us)
    asked = {"window": before, "per_minute": PER_MINUTE}
    _note_outages(connection, asked)
    new = {threshold: units for threshold, units in connection.execute(sql.NEW_TOTALS, asked)}  # noqa: C416
    held = count_rows(connection, TOTALS, sum(new.values()))
    has_room = held <= bounds.rows
    if not has_room:
        count_rows(connection, TOTALS, -sum(new.values()))
        _leave_out(connection, runs, new, bounds, changes)
    for source in (sql.FOLD_ARMS, sql.FOLD_SLOW):
        statement = text(add(ArmTotalRow, source).text + sql.TOTAL_NOW)
        found = connection.execute(statement, {**asked, **_side(source)})
        changes.arm_totals += [ArmTotal(*row) for row in found]
    connection.execute(add(UnitTotalRow, sql.FOLD_UNITS), {**asked, "has_room": has_room})
    connection.execute(sql.DROP_ARMS, asked)
    count_rows(connection, ROWS, -connection.execute(sql.DROP_UNITS, asked).rowcount)
    changes.folded_before = before


def arm_windows(connection: Connection, threshold: int) -> list[ArmWindow]:
    """Return every arm's windows of the last hour; `rest` has traffic but no units."""
    return [ArmWindow(*row) for row in connection.execute(sql.ARM_WINDOWS, {"threshold": threshold})]


def arm_totals(connection: Connection, threshold: int) -> list[ArmTotal]:
    """Return what was before the last hour."""
    return [ArmTotal(*row) for row in connection.execute(sql.ARM_TOTALS, {"threshold": threshold})]


def units(
    connection: Connection, threshold: int, arm: str
) -> tuple[list[tuple[int, int, int]], list[UnitWindow]]:
    """Return an arm's units: what each did before the last hour (unit, requests, exceedances), and since."""
    asked = {"threshold": threshold, "arm": arm}
    before = [(unit, x, y) for unit, x, y in connection.execute(sql.UNIT_TOTALS, asked)]
    rows: list[UnitWindow] = [(*row,) for row in connection.execute(sql.UNIT_WINDOWS, asked)]
    return before, rows


def minute_window(time_us: int) -> int:
    """Return the first window of a time's minute."""
    return max(time_us, 0) // MINUTE_US * PER_MINUTE


def _side(source: str) -> dict[str, str]:
    return {"side": Side.ALL.value} if ":side" in source else {}


def _note_outages(connection: Connection, asked: Mapping[str, int]) -> None:
    """Write down which old minutes were shared outages."""
    arms = {**asked, "arms": list(BASELINE_SERVED), "side": Side.ALL.value}
    rows = connection.execute(sql.BASELINE_MINUTES, arms).all()
    if rows:
        thresholds, shares, minutes, requests, exceedances = zip(*rows, strict=True)
        marked = is_environment(requests, exceedances, limit=shares)
        found = zip(thresholds, minutes, marked, strict=True)
        insert_many(connection, "outage", [(one, minute) for one, minute, is_outage in found if is_outage])


def _refuse(connection: Connection, runs: Mapping[int, int], bounds: Bounds, changes: Changes) -> bool:
    """Drop the new rows of runs for which the table has no room, and return whether there were any.

    Known unit-windows still count in a full table.
    """
    new = {threshold: rows for threshold, rows in connection.execute(sql.COUNT_NEW)}  # noqa: C416
    room = bounds.rows - count_rows(connection, ROWS, 0)
    refused: dict[int, int] = {}
    for run_id in sorted({runs[threshold] for threshold in new}):
        own = {threshold: rows for threshold, rows in new.items() if runs[threshold] == run_id}
        if sum(own.values()) > room:
            refused |= own
        else:
            room -= sum(own.values())
    if refused:
        connection.execute(sql.DROP_NEW, {"thresholds": list(refused)})
        _leave_out(connection, runs, refused, bounds, changes)
    return bool(refused)


def _leave_out(
    connection: Connection,
    runs: Mapping[int, int],
    refused: Mapping[int, int],
    bounds: Bounds,
    changes: Changes,
) -> None:
    for threshold, rows in refused.items():
        leave_out(connection, runs[threshold], WINDOWS, rows, bounds.now_us)
        changes.has_left_out = True


def _stage(connection: Connection) -> None:
    for name, columns in sql.STAGES.items():
        stage(connection, name, columns)
