"""One segment's counts: what the fast loop needs to know of it, computed once, when it is filed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import duckdb

from rollout.domain.assignment import CONTROL
from rollout.domain.records import (
    ELIGIBLE_LEAVES,
    MINUTE_US,
    NO_BLOCK,
    WINDOW_US,
    Digest,
    ErrorEvent,
    Run,
    Side,
    Tally,
    Threshold,
    UnitWindow,
)
from rollout.stats import quantiles

EXPOSURES: Final = {
    "ts_us": "BIGINT",
    "experiment": "VARCHAR",
    "revision": "INTEGER",
    "block": "SMALLINT",
    "arm": "VARCHAR",
    "unit": "BIGINT",
    "status": "SMALLINT",
    "dur_us": "BIGINT",
    "attempts": "SMALLINT",
    "first_failed": "BOOLEAN",
    "left": "BOOLEAN",
    "split": "INTEGER",
    "requests": "BIGINT",
}
OUTCOMES: Final = {
    "unit": "BIGINT",
    "metric": "VARCHAR",
    "ts_us": "BIGINT",
    "value_u": "BIGINT",
    "idem_key": "BIGINT",
}
EXCEEDS: Final = 'first_failed OR "left" OR dur_us IS NULL OR dur_us > $limit_us'
"""A failed attempt and a client that did not wait are slow answers too."""
_EXCEEDS_ITS: Final = EXCEEDS.replace("$limit_us", "limit_us")
_COMPARED: Final = "(unit IS NOT NULL AND split IS NOT NULL AND block IS NOT NULL)"
_LEAVES: Final = ", ".join(f"'{leaf}'" for leaf in ELIGIBLE_LEAVES)
_TALLIES: Final = f"""
WITH buckets AS (SELECT unnest($edges::BIGINT[]) AS edge, unnest(range({quantiles.BUCKETS})) AS bucket),
placed AS (
  SELECT rows.*, coalesce(buckets.bucket, {quantiles.BUCKETS - 1}) AS bucket
  FROM (SELECT *, coalesce(dur_us, 0) AS length FROM segment) rows
  ASOF LEFT JOIN buckets ON rows.length <= buckets.edge
)
SELECT experiment, revision, coalesce(block, {NO_BLOCK}), arm, ts_us // {MINUTE_US} AS minute,
  CASE WHEN dur_us IS NULL THEN NULL ELSE bucket END AS bucket,
  sum(requests)::BIGINT, coalesce(sum(requests) FILTER (first_failed), 0)::BIGINT,
  coalesce(sum(requests) FILTER ("left"), 0)::BIGINT,
  coalesce(sum(requests) FILTER (attempts > 1), 0)::BIGINT
FROM placed GROUP BY ALL ORDER BY ALL
"""  # noqa: S608 (constants of this module)
_ERRORS: Final = f"""
SELECT DISTINCT experiment, revision, unit, ts_us, arm, split FROM segment
WHERE first_failed AND unit IS NOT NULL AND split IS NOT NULL AND (block IS NOT NULL OR arm IN ({_LEAVES}))
ORDER BY ALL
"""  # noqa: S608
# Rows of `rest` are either failures or sums, so their units are no sample: they count only as traffic.
_WINDOWS: Final = f"""
WITH asked AS (
  SELECT unnest($ids) AS id, unnest($experiments) AS experiment, unnest($revisions) AS revision,
    unnest($limits) AS limit_us, unnest($sides) AS side
), counted AS (
  SELECT id, ts_us // {WINDOW_US} AS time_window, requests, ({_EXCEEDS_ITS}) AS exceeds,
    CASE WHEN side = '{Side.ALL}' THEN arm ELSE arm || '/' || block END AS place,
    CASE WHEN arm <> 'rest' THEN unit END AS owner
  FROM segment JOIN asked USING (experiment, revision)
  WHERE CASE
    WHEN side = '{Side.CONTROL}' THEN arm = '{CONTROL}' AND {_COMPARED}
    WHEN side = '{Side.CANDIDATES}' THEN arm <> '{CONTROL}' AND {_COMPARED}
    ELSE arm = 'rest' OR {_COMPARED} OR (unit IS NOT NULL AND split IS NOT NULL AND arm IN ({_LEAVES}))
  END
)
SELECT id, place, owner, time_window, sum(requests)::BIGINT,
  coalesce(sum(requests) FILTER (exceeds), 0)::BIGINT
FROM counted GROUP BY ALL ORDER BY id, time_window, place, owner
"""  # noqa: S608


_Cell = tuple[str, int, int, str, int]
_ZERO: Final = (0, 0, 0, 0)


class Unreadable(Exception):
    """A file that is no segment of this kind."""


def check_columns(engine: duckdb.DuckDBPyConnection, path: Path, expected: dict[str, str]) -> int:
    """Return how many rows a file has; raise `Unreadable` unless it is Parquet with exactly these columns."""
    try:
        described = engine.execute("DESCRIBE SELECT * FROM read_parquet($path)", {"path": [str(path)]})
        found = {name: kind for name, kind, *_ in described.fetchall()}
        counted = engine.execute(
            "SELECT count(*), count(COLUMNS(*)) FROM read_parquet($path)", {"path": [str(path)]}
        ).fetchall()
    except duckdb.Error as error:
        raise Unreadable(str(error).splitlines()[0]) from None
    if found != expected:
        raise Unreadable(f"columns: must be {expected} (got {found})")
    return int(counted[0][0])


def digest(engine: duckdb.DuckDBPyConnection, path: Path, thresholds: Sequence[Threshold]) -> Digest:
    """Return what a segment of exposures, whose columns were checked, adds to the counts."""
    engine.execute(
        "CREATE OR REPLACE TEMP TABLE segment AS SELECT * FROM read_parquet($path)", {"path": [str(path)]}
    )
    try:
        return Digest(_tallies(engine), _errors(engine), _windows(engine, thresholds))
    finally:
        engine.execute("DROP TABLE segment")


def _tallies(engine: duckdb.DuckDBPyConnection) -> tuple[Tally, ...]:
    counts: dict[_Cell, list[int]] = {}
    durations: dict[_Cell, list[tuple[int, int]]] = {}
    asked = {"edges": quantiles.EDGES_US.tolist()}
    for experiment, revision, block, arm, minute, bucket, *sums in engine.execute(_TALLIES, asked).fetchall():
        cell = (experiment, revision, block, arm, minute)
        counts[cell] = [sum(pair) for pair in zip(counts.get(cell, _ZERO), sums, strict=True)]
        if bucket is not None:
            durations.setdefault(cell, []).append((bucket, sums[0]))
    return tuple(
        Tally(
            Run(cell[0], cell[1]),
            *cell[2:],
            requests,
            errors,
            left,
            fallbacks,
            tuple(durations.get(cell, ())),
        )
        for cell, (requests, errors, left, fallbacks) in counts.items()
    )


def _errors(engine: duckdb.DuckDBPyConnection) -> tuple[ErrorEvent, ...]:
    return tuple(
        ErrorEvent(Run(experiment, revision), unit, ts_us, arm, split)
        for experiment, revision, unit, ts_us, arm, split in engine.execute(_ERRORS).fetchall()
    )


def _windows(engine: duckdb.DuckDBPyConnection, thresholds: Sequence[Threshold]) -> tuple[UnitWindow, ...]:
    """Return what units did against all limits, in one question whose rows go on as they are."""
    if not thresholds:
        return ()
    asked = {
        "ids": [one.identity for one in thresholds],
        "experiments": [one.run.experiment for one in thresholds],
        "revisions": [one.run.revision for one in thresholds],
        "limits": [one.limit_us for one in thresholds],
        "sides": [one.side.value for one in thresholds],
    }
    return tuple(engine.execute(_WINDOWS, asked).fetchall())
