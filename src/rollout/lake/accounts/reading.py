"""Rows of segments as columns: the analysed requests of some runs, and the outcomes of some metrics."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Final

import duckdb
import numpy as np
from numpy.typing import NDArray

from rollout.domain.assignment import CANDIDATE, CONTROL
from rollout.domain.records import Run
from rollout.lake.accounts.exposures import NOTHING, Exposures
from rollout.lake.accounts.outcomes import Told
from rollout.stats.arrays import IntArray

ROWS_AT_ONCE: Final = 1_000_000
"""How many rows are held in memory between the files and the accounts."""
FOR_EVER_US: Final = 2**62
_BEGINNING: Final = -(2**62)
_ANALYSED: Final = f"""
SELECT asked.number, unit, ts_us, block::BIGINT AS block,
  CASE arm WHEN '{CONTROL}' THEN 0 ELSE substr(arm, {len(CANDIDATE) + 1})::BIGINT END AS arm,
  first_failed AS failed, attempts > 1 AS fell_back,
  CASE WHEN first_failed OR "left" OR dur_us IS NULL THEN {FOR_EVER_US} ELSE dur_us END AS slow_us
FROM read_parquet($paths) rows JOIN asked
  ON asked.experiment = rows.experiment AND asked.revision = rows.revision
WHERE ts_us >= $from_us AND ts_us < $until_us
  AND unit IS NOT NULL AND block IS NOT NULL AND split IS NOT NULL
  AND (arm = '{CONTROL}' OR regexp_full_match(arm, '{CANDIDATE}[0-9]'))
"""  # noqa: S608 (constants of this module)
_TOLD: Final = """
SELECT asked.number, unit, idem_key, ts_us, value_u FROM read_parquet($paths) rows JOIN asked USING (metric)
WHERE ts_us >= $from_us
"""
_SPANS: Final = """
SELECT stats_min_value::BIGINT AS least, row_group_num_rows::BIGINT AS number
FROM parquet_metadata($paths) WHERE path_in_schema = 'ts_us' AND stats_min_value IS NOT NULL
"""
Columns = dict[str, NDArray[np.generic]]


class Reading:
    """Reads files with one engine, in one thread at a time."""

    def __init__(self, engine: duckdb.DuckDBPyConnection) -> None:
        self._engine = engine

    def exposures(
        self,
        paths: Sequence[Path],
        runs: Sequence[Run],
        *,
        from_us: int = _BEGINNING,
        until_us: int = FOR_EVER_US,
    ) -> Iterator[list[Exposures]]:
        """Yield the analysed requests of each run, span after span of time, so that each fits into memory."""
        if not paths or not runs:
            return
        for begin_us, end_us in self._spans(paths, from_us):
            if begin_us < until_us:
                yield self.between(paths, runs, begin_us, min(end_us, until_us))

    def between(
        self,
        paths: Sequence[Path],
        runs: Sequence[Run],
        from_us: int,
        until_us: int,
        units: IntArray | None = None,
    ) -> list[Exposures]:
        """Return the analysed requests of each run between two moments, of all units or of some."""
        if not paths:
            return [NOTHING for _ in runs]
        named = {
            "number": np.arange(len(runs)),
            "experiment": np.array([run.experiment for run in runs], dtype=np.object_),
            "revision": np.array([run.revision for run in runs], dtype=np.int64),
        }
        asked = {"paths": [str(path) for path in paths], "from_us": from_us, "until_us": until_us}
        with self._named(asked=named, wanted={"unit": units} if units is not None else {}):
            some = "" if units is None else " AND unit IN (SELECT unit FROM wanted)"
            found = self._engine.execute(_ANALYSED + some, asked).fetchnumpy()
        return [_exposures(found, which) for which in _parted(found["number"], len(runs))]

    def outcomes(self, paths: Sequence[Path], metrics: Sequence[str], *, from_us: int) -> dict[str, Told]:
        """Return what was told of each metric since a moment."""
        if not paths or not metrics:
            return {}
        named = {"number": np.arange(len(metrics)), "metric": np.array(metrics, dtype=np.object_)}
        asked = {"paths": [str(path) for path in paths], "from_us": from_us}
        with self._named(asked=named):
            found = self._engine.execute(_TOLD, asked).fetchnumpy()
        columns = [_whole(found[name]) for name in ("unit", "idem_key", "ts_us", "value_u")]
        return {
            metric: Told(*(column[which] for column in columns))
            for metric, which in zip(metrics, _parted(found["number"], len(metrics)), strict=True)
        }

    def _spans(self, paths: Sequence[Path], from_us: int) -> list[tuple[int, int]]:
        """Return moments between which lie about as many rows as are held at once."""
        rows = self._engine.execute(_SPANS, {"paths": [str(path) for path in paths]}).fetchnumpy()
        least, number = (_whole(column) for column in rows.values())
        order = np.argsort(least, kind="stable")
        so_far = np.cumsum(number[order])
        cuts = np.searchsorted(
            so_far, np.arange(ROWS_AT_ONCE, so_far[-1] if len(so_far) else 0, ROWS_AT_ONCE)
        )
        inner = np.unique(least[order][np.minimum(cuts + 1, len(order) - 1)]).tolist() if len(cuts) else []
        return [*pairwise([from_us, *(at_us for at_us in inner if at_us > from_us), FOR_EVER_US])]

    @contextmanager
    def _named(self, **tables: Columns) -> Iterator[None]:
        """Let the engine read arrays of ours by these names."""
        given = {name: columns for name, columns in tables.items() if columns}
        for name, columns in given.items():
            self._engine.register(name, columns)
        try:
            yield
        finally:
            for name in given:
                self._engine.unregister(name)


def _parted(number: NDArray[np.generic], parts: int) -> list[IntArray]:
    """Return which rows have each number."""
    numbers = _whole(number)
    order = np.argsort(numbers, kind="stable")
    return np.split(order, np.searchsorted(numbers[order], np.arange(1, parts)))


def _exposures(found: Columns, which: IntArray) -> Exposures:
    unit, ts_us, arm, block, slow_us = (
        _whole(found[name])[which] for name in ("unit", "ts_us", "arm", "block", "slow_us")
    )
    failed, fell_back = (np.asarray(found[name], dtype=np.bool_)[which] for name in ("failed", "fell_back"))
    return Exposures(unit, ts_us, arm, block, failed, fell_back, slow_us)


def _whole(column: NDArray[np.generic]) -> IntArray:
    return np.asarray(column, dtype=np.int64)
