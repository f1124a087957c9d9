"""What ended runs have counted in detail is dropped: bounded tables are for those that run."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from sqlalchemy import Connection, text

from rollout.domain.records import Run
from rollout.store.error_counts import EVENTS, UNITS
from rollout.store.sql import count_rows
from rollout.store.window_counts import ROWS, TOTALS

BATCH: Final = 20_000
"""Rows of one transaction: the intake waits for no more."""
_WITH_DETAILS: Final = text("""SELECT id, experiment, revision FROM run
WHERE id IN (SELECT run_id FROM threshold UNION SELECT run_id FROM error_total)
  AND NOT EXISTS (SELECT 1 FROM tally WHERE run_id = run.id AND minute >= :since) ORDER BY id""")
_OF_RUN: Final = "run_id = :run"
_OF_LIMITS: Final = "threshold_id IN (SELECT id FROM threshold WHERE run_id = :run)"
_LARGE: Final = (
    (UNITS, "run_id, unit", _OF_RUN),
    (EVENTS, "run_id, unit, ts_us", _OF_RUN),
    (ROWS, "threshold_id, time_window, arm, unit", _OF_LIMITS),
    (TOTALS, "threshold_id, arm, unit", _OF_LIMITS),
)
_SMALL: Final = (
    *(("arm_window", _OF_LIMITS), ("arm_total", _OF_LIMITS)),
    *(("error_total", _OF_RUN), ("threshold", _OF_RUN)),
)


def ended(connection: Connection, needed: Collection[Run], *, since_minute: int) -> list[int]:
    """Return the runs with details that nobody needs and of which nothing has come since a minute."""
    rows = connection.execute(_WITH_DETAILS, {"since": since_minute})
    return [number for number, experiment, revision in rows if Run(experiment, revision) not in needed]


def retire(connection: Connection, run_id: int) -> bool:
    """Drop one batch of a run's details, and return whether that was all; its minutes stay for display."""
    for table, keys, condition in _LARGE:
        some = f"SELECT {keys} FROM {table} WHERE {condition} LIMIT {BATCH}"  # noqa: S608 (our own names)
        statement = f"DELETE FROM {table} WHERE ({keys}) IN ({some})"  # noqa: S608
        dropped = connection.execute(text(statement), {"run": run_id}).rowcount
        count_rows(connection, table, -dropped)
        if dropped:
            return False
    for table, condition in _SMALL:
        connection.execute(text(f"DELETE FROM {table} WHERE {condition}"), {"run": run_id})  # noqa: S608
    return True
