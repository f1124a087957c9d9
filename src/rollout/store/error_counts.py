"""First errors of units: what the harm tests read every second, kept exact under any order of arrival."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from sqlalchemy import Connection, bindparam, text

from rollout.domain.records import ErrorEvent
from rollout.stats.starts import NEVER
from rollout.store.changes import Changes, ErrorChange
from rollout.store.firsts import Erring, Moment, merged
from rollout.store.intake_tables import ErrorEventRow, ErrorTotalRow, ErrorUnitRow
from rollout.store.sql import ERRORS, Bounds, add_many, batches, count_rows, leave_out, put_many

UNITS: Final = "error_unit"
EVENTS: Final = "error_event"
_UNITS_OF: Final = text(
    "SELECT unit, first_us, arm, split, last_us FROM error_unit WHERE run_id = :run AND unit IN :units"
).bindparams(bindparam("units", expanding=True))
_EVENTS_OF: Final = text(
    "SELECT unit, ts_us, arm, split, previous_us FROM error_event WHERE run_id = :run AND unit IN :units"
).bindparams(bindparam("units", expanding=True))


def count_errors(
    connection: Connection, run_id: int, errors: Sequence[ErrorEvent], bounds: Bounds, changes: Changes
) -> None:
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
        changes.has_left_out |= bool(refused)
        now = {
            unit: merged(known.get(unit), by_unit[unit], horizon_us=bounds.horizon_us)
            for unit in units
            if unit not in refused
        }
        _write(connection, run_id, known, now, changes)


def forget_errors(connection: Connection, *, horizon_us: int) -> None:
    """Delete the events that no living start can count."""
    gone = connection.execute(text("DELETE FROM error_event WHERE ts_us < :horizon"), {"horizon": horizon_us})
    count_rows(connection, EVENTS, -gone.rowcount)


def error_events(connection: Connection, run_id: int, *, since_us: int) -> list[tuple[str, int, int, int]]:
    """Return (arm, split, time, time of the unit's error before) of the errors since a time."""
    rows = connection.execute(
        text(
            "SELECT arm, split, ts_us, coalesce(previous_us, :never) FROM error_event "
            "WHERE run_id = :run AND ts_us >= :since ORDER BY ts_us, unit"
        ),
        {"run": run_id, "since": since_us, "never": NEVER},
    )
    return [(arm, split, ts_us, previous_us) for arm, split, ts_us, previous_us in rows]


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


def _write(
    connection: Connection, run_id: int, known: dict[int, Erring], now: dict[int, Erring], changes: Changes
) -> None:
    units = [
        (run_id, unit, erring.first.ts_us, erring.first.arm, erring.first.split, erring.last_us)
        for unit, erring in now.items()
    ]
    events = [
        (run_id, unit, moment.ts_us, moment.arm, moment.split, previous_us)
        for unit, erring in now.items()
        for moment, previous_us in erring.recent.items()
    ]
    totals = Counter((erring.first.arm, erring.first.split) for erring in now.values())
    totals.subtract((known[unit].first.arm, known[unit].first.split) for unit in now if unit in known)
    moved = [(run_id, arm, split, change) for (arm, split), change in totals.items() if change]
    put_many(connection, ErrorUnitRow, units)
    put_many(connection, ErrorEventRow, events)
    add_many(connection, ErrorTotalRow, moved)
    held = sum(len(known[unit].recent) for unit in now if unit in known)
    count_rows(connection, UNITS, sum(unit not in known for unit in now))
    count_rows(connection, EVENTS, len(events) - held)
    changes.first_errors += moved
    for unit, erring in now.items():
        before = known[unit].recent if unit in known else {}
        changes.errors += _changes(run_id, before, -1)
        changes.errors += _changes(run_id, erring.recent, 1)


def _changes(run_id: int, recent: Mapping[Moment, int | None], change: int) -> Iterator[ErrorChange]:
    for moment, previous_us in recent.items():
        before_us = NEVER if previous_us is None else previous_us
        yield ErrorChange(run_id, moment.arm, moment.split, moment.ts_us, before_us, change)
