"""The same question, asked of all raw files each time: by SQL."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import duckdb

from bench.evidence.lake import LIMIT_US
from bench.evidence.question import LONG, SHORT, Sums
from rollout.lake.segments import Kind
from rollout.stats.windows import SKEW_US

COUNTERS: Final = {
    "errors": "first_failed",
    "p99": f'first_failed OR "left" OR dur_us > {LIMIT_US}',
    "fallback": "attempts > 1",
}
_UNITS: Final = """
CREATE OR REPLACE TEMP TABLE units AS
SELECT unit, min(ts_us) AS enrolled FROM read_parquet($exposures)
WHERE block IS NOT NULL AND unit IS NOT NULL AND split IS NOT NULL GROUP BY unit HAVING min(arm) = max(arm)
"""
_COUNTED: Final = """
SELECT count(*), count(*) FILTER (y > 0), sum(y), sum(y * y) FROM (
  SELECT count(*) FILTER ({condition}) AS y FROM read_parquet($exposures) rows JOIN units USING (unit)
  WHERE enrolled + {closes} <= $watermark AND ts_us < enrolled + {window} GROUP BY unit
)
"""
_TOLD: Final = """
SELECT count(*), count(*) FILTER (y <> 0), sum(y), sum(y::HUGEINT * y) FROM (
  SELECT unit, {value} AS y FROM units LEFT JOIN (
    SELECT unit, min((ts_us, value_u)) AS first FROM read_parquet($outcomes) WHERE metric = '{metric}'
    GROUP BY unit, idem_key
  ) told USING (unit)
  WHERE enrolled + {closes} <= $watermark GROUP BY unit
)
"""
_IN: Final = f"first[1] >= enrolled - {SKEW_US} AND first[1] < enrolled + {LONG.window_us}"


def by_sql(folder: Path, watermark_us: int, *, memory: str = "4GB") -> Sums:
    """Ask DuckDB, over all files."""
    engine = duckdb.connect(config={"threads": 2, "memory_limit": memory})
    files = {kind.value: [str(path) for path in sorted((folder / kind).iterdir())] for kind in Kind}
    engine.execute(_UNITS, {"exposures": files["exposures"]})
    found: Sums = {}
    for name, condition in COUNTERS.items():
        sizes = {"closes": SHORT.closes_after_us, "window": SHORT.window_us}
        asked = {"exposures": files["exposures"], "watermark": watermark_us}
        found[name] = _row(engine, _COUNTED.format(condition=condition, **sizes), asked)
    values = {
        "bought": f"max(CASE WHEN {_IN} AND first[2] > 0 THEN 1 ELSE 0 END)",
        "revenue": f"coalesce(sum(first[2]) FILTER ({_IN}), 0)",
    }
    for name, value in values.items():
        asked = {"outcomes": files["outcomes"], "watermark": watermark_us}
        found[name] = _row(engine, _TOLD.format(value=value, metric=name, closes=LONG.closes_after_us), asked)
    return found


def _row(engine: duckdb.DuckDBPyConnection, statement: str, asked: dict[str, object]) -> tuple[int, ...]:
    (found,) = engine.execute(statement, asked).fetchall()
    return tuple(map(int, found))
