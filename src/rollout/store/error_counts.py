"""First errors of units: what the harm tests read every second, kept exact under any order of arrival."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from sqlalchemy import Connection, bindparam, text

from rollout.domain.records import ErrorEvent
from rollout.stats.arrays import IntArray
from rollout.stats.starts import NEVER
from rollout.store.firsts import Erring, Moment, merged
from rollout.store.intake_tables import ErrorEventRow, ErrorTotalRow, ErrorUnitRow
from rollout.store.sql import ERRORS, Bounds, add, batches, count_rows, leave_out, put

UNITS: Final = "error_unit"
EVENTS: Final = "error_event"
_UNITS_OF: Final = text(
    "SELECT unit, first_us, arm, split, last_us FROM error_unit WHERE run_id = :run AND unit IN :units"
).bindparams(bindparam("units", expanding=True))
_EVENTS_OF: Final = text(
    "SELECT unit, ts_us, arm, split, previous_us FROM error_event WHERE run_id = :run AND unit IN :units"
).bindparams(bindparam("units", expanding=True))


@dataclass(frozen=True, slots=True)
class FirstErrors:
    """Error events in order of time, as `rollout.stats.starts` reads them; `previous_us` may be `NEVER`."""

    ts_us: IntArray
    previous_us: IntArray
    split: IntArray
    arm: tuple[str, ...]


def count_errors(connection: Connection, run_id: int, errors: Sequence[ErrorEvent], bounds: Bounds) -> None:
    """Add errors of one run; beyond the limit they are left out, and the run says so."""
    by_unit: defaultdict[int, list[Moment]] = defaultdict(list)
    for error in errors:
        by_unit[error.unit].append(Moment(error.ts_us, error.arm, error.split))
    for units in batches(sorted(by_unit)):
        known = _known(connection, run_id, units)
        room = bounds.rows - count_rows(connection, UNITS, 0)
        fresh = [unit for unit in units if unit not in known]
        refused = set(fresh[max(room, 0) :])
        if count_rows(connection, EVENTS, 0) >= bounds.rows:
            refused = set(units)
        leave_out(connection, run_id, ERRORS, len(refused), bounds.now_us)
        now = {
            unit: merged(known.get(unit), by_unit[unit], horizon_us=bounds.horizon_us)
            for unit in units
            if unit not in refused
        }
        _write(connection, run_id, known, now)


def forget_errors(connection: Connection, *, horizon_us: int) -> None:
    """Delete the events that no living start can count."""
    gone = connection.execute(text("DELETE FROM error_event WHERE ts_us < :horizon"), {"horizon": horizon_us})
    count_rows(connection, EVENTS, -gone.rowcount)


def first_errors(connection: Connection, run_id: int, *, since_us: int) -> FirstErrors:
    """Return the error events since a time within the last hour."""
    rows = connection.execute(
        text(
            "SELECT ts_us, coalesce(previous_us, :never), split, arm FROM error_event "
            "WHERE run_id = :run AND ts_us >= :since ORDER BY ts_us, unit"
        ),
        {"run": run_id, "since": since_us, "never": NEVER},
    ).all()
    times, before, splits, arms = zip(*rows, strict=True) if rows else ((), (), (), ())
    ts_us, previous_us, split = (np.array(column, dtype=np.int64) for column in (times, before, splits))
    return FirstErrors(ts_us, previous_us, split, arms)


def error_totals(connection: Connection, run_id: int) -> dict[tuple[str, int], int]:
    """Return how many units had their first error ever in each (arm, split)."""
    rows = connection.execute(
        text("SELECT arm, split, units FROM error_total WHERE run_id = :run AND units > 0"), {"run": run_id}
    )
    return {(arm, split): units for arm, split, units in rows}


def _known(connection: Connection, run_id: int, units: Sequence[int]) -> dict[int, Erring]:
    asked = {"run": run_id, "units": list(units)}
    recent: defaultdict[int, dict[Moment, int | None]] = defaultdict(dict)
    for unit, ts_us, arm, split, previous_us in connection.execute(_EVENTS_OF, asked):
        recent[unit][Moment(ts_us, arm, split)] = previous_us
    return {
        unit: Erring(Moment(first_us, arm, split), last_us, recent.get(unit, {}))
        for unit, first_us, arm, split, last_us in connection.execute(_UNITS_OF, asked)
    }


def _write(connection: Connection, run_id: int, known: dict[int, Erring], now: dict[int, Erring]) -> None:
    units = [
        {
            "run_id": run_id,
            "unit": unit,
            "first_us": erring.first.ts_us,
            "arm": erring.first.arm,
            "split": erring.first.split,
            "last_us": erring.last_us,
        }
        for unit, erring in now.items()
    ]
    events = [
        {"run_id": run_id, "unit": unit, **moment._asdict(), "previous_us": previous_us}
        for unit, erring in now.items()
        for moment, previous_us in erring.recent.items()
    ]
    totals = Counter((erring.first.arm, erring.first.split) for erring in now.values())
    totals.subtract((known[unit].first.arm, known[unit].first.split) for unit in now if unit in known)
    moved = [
        {"run_id": run_id, "arm": arm, "split": split, "units": change}
        for (arm, split), change in totals.items()
        if change
    ]
    for statement, rows in (
        (put(ErrorUnitRow), units),
        (put(ErrorEventRow), events),
        (add(ErrorTotalRow), moved),
    ):
        if rows:
            connection.execute(statement, rows)
    held = sum(len(known[unit].recent) for unit in now if unit in known)
    count_rows(connection, UNITS, sum(unit not in known for unit in now))
    count_rows(connection, EVENTS, len(events) - held)
