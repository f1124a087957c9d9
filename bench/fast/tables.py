"""The counts asked of the tables themselves: a scan for each question, as a peer and as an oracle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from sqlalchemy import Connection, bindparam, text

from rollout.domain.records import MINUTE_US, NANO, WINDOW_US, RatioSums, Run
from rollout.stats.arrays import IntArray
from rollout.store import error_counts, tallies, window_counts
from rollout.store.database import Database
from rollout.store.runs import known_id

_UNIT_SUMS: Final = text("""WITH parts AS (
  SELECT unit, requests, exceedances FROM unit_window
  WHERE threshold_id = :threshold AND arm = :arm AND time_window >= :since
    AND time_window / :per_minute NOT IN :outages
  UNION ALL
  SELECT unit, requests, exceedances FROM unit_total
  WHERE threshold_id = :threshold AND arm = :arm AND :from_the_beginning
), units AS (
  SELECT CAST(sum(requests) AS BIGINT) AS x, CAST(sum(exceedances) AS BIGINT) AS y FROM parts GROUP BY unit)
SELECT count(*), count(CASE WHEN y > 0 THEN 1 END), coalesce(sum(y), 0), coalesce(sum(x), 0),
  coalesce(sum(y * y), 0), coalesce(sum(x * y), 0), coalesce(sum(x * x), 0),
  coalesce(sum((y * :nano + x - 1) / x), 0)
FROM units""").bindparams(bindparam("outages", expanding=True))


_SLOW_MINUTES: Final = text("""SELECT (
  SELECT count(*) FROM (
    SELECT DISTINCT unit, time_window / :per_minute AS minute FROM unit_window
    WHERE threshold_id = :threshold AND arm = :arm AND exceedances > 0
      AND time_window / :per_minute * :per_minute >= :since) live
) + coalesce((
  SELECT slow_minutes FROM arm_total
  WHERE threshold_id = :threshold AND arm = :arm AND :from_the_beginning), 0)""")


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
    """An arm's unit-windows from the beginning to the last hour."""

    units: int = 0
    fraction_nano: int = 0


@dataclass(frozen=True, slots=True)
class Events:
    """Error events in order of time."""

    ts_us: IntArray
    previous_us: IntArray
    split: IntArray
    arm: tuple[str, ...]


class Tables:
    """Each method is one question, in a view of its own."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def errors(
        self, run: Run, *, since_us: int, since_minute: int
    ) -> tuple[Events, dict[tuple[str, int], int], dict[str, tuple[int, int]]]:
        """Return error events, first errors ever, and (requests, errors) of the last minutes by arm."""
        with self._database.read() as connection:
            number = known_id(connection, run)
            rows = error_counts.error_events(connection, number, since_us=since_us)
        with self._database.read() as connection:
            totals = error_counts.error_totals(connection, number)
        recent: dict[str, tuple[int, int]] = {}
        with self._database.read() as connection:
            for tally in tallies.tallies(connection, number, run, since_minute=since_minute):
                requests, errors = recent.get(tally.arm, (0, 0))
                recent[tally.arm] = (requests + tally.requests, errors + tally.errors)
        arms, splits, times, before = zip(*rows, strict=True) if rows else ((), (), (), ())
        ts_us, previous_us, split = (np.array(column, dtype=np.int64) for column in (times, before, splits))
        return Events(ts_us, previous_us, split, arms), totals, recent

    def arm_windows(self, threshold: int) -> tuple[dict[str, ArmWindows], dict[str, Folded]]:
        """Return every arm's windows of the last hour, and what was before."""
        with self._database.read() as connection:
            windows = window_counts.arm_windows(connection, threshold)
            totals = window_counts.arm_totals(connection, threshold)
        found: dict[str, list[tuple[int, ...]]] = {}
        for one in windows:
            found.setdefault(one.arm, []).append(one[2:])
        live = {
            arm: ArmWindows(*(np.array(column, dtype=np.int64) for column in zip(*rows, strict=True)))
            for arm, rows in found.items()
        }
        return live, {one.arm: Folded(one.units, one.fraction_nano) for one in totals}

    def unit_sums(
        self, threshold: int, arm: str, *, since_us: int | None, outage_minutes: Sequence[int]
    ) -> RatioSums:
        """Return sums over an arm's units since a time within the last hour, or since the beginning."""
        with self._database.read() as connection:
            return _unit_sums(connection, threshold, arm, since_us, outage_minutes)

    def slow_minutes(self, threshold: int, arm: str, *, since_us: int | None) -> int:
        """Return the unit-minutes with an exceedance since a time, or since the beginning."""
        asked = {
            "threshold": threshold,
            "arm": arm,
            "since": 0 if since_us is None else -(-since_us // WINDOW_US),
            "from_the_beginning": since_us is None,
            "per_minute": MINUTE_US // WINDOW_US,
        }
        with self._database.read() as connection:
            return int(connection.execute(_SLOW_MINUTES, asked).scalar_one())


def _unit_sums(
    connection: Connection, threshold: int, arm: str, since_us: int | None, outages: Sequence[int]
) -> RatioSums:
    asked = {
        "threshold": threshold,
        "arm": arm,
        "since": 0 if since_us is None else -(-since_us // WINDOW_US),
        "outages": [*outages, -1],
        "from_the_beginning": since_us is None,
        "per_minute": MINUTE_US // WINDOW_US,
        "nano": NANO,
    }
    return RatioSums(*map(int, connection.execute(_UNIT_SUMS, asked).one()))
