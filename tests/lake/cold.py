"""The cold way: the same questions in SQL, over all files each time; a second oracle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import duckdb

from rollout.domain.records import DAY_US, NANO, RatioSums, Run
from rollout.errors import Problem, Retry
from rollout.lake import segments
from rollout.lake.digest import EXCEEDS, EXPOSURES, OUTCOMES
from rollout.lake.engine import connect, quoted
from rollout.lake.segments import Kind
from rollout.stats.windows import SKEW_US

ATTEMPTS: Final = 3


@dataclass(frozen=True, slots=True)
class Stratum:
    """Where closed units belong: their arm, the block of their bucket, and the day they were enrolled."""

    arm: str
    block: int
    day: int


@dataclass(frozen=True, slots=True)
class Successes:
    """Closed units, and how many of them had the outcome."""

    units: int
    successes: int


@dataclass(frozen=True, slots=True)
class Enrolment:
    """Distinct enrolled units by (arm, block); units seen in two analysed arms are in none of them."""

    units: dict[tuple[str, int], int]
    two_armed: int
    first_us: int | None
    """When the first of them was enrolled; nothing while there is none."""


class Trouble(StrEnum):
    """What is counted against requests; a latency limit is given in microseconds instead."""

    ERROR = "first_failed"
    FALLBACK = "attempts > 1"


@dataclass(frozen=True, slots=True)
class Closing:
    """Which units are closed: everything that could still count for them has been filed."""

    window_us: int
    grace_us: int
    watermark_us: int
    skew_us: int = SKEW_US
    since_us: int = 0
    """Requests before it belong to an older experiment of this name."""


# An analysed exposure: in a block, of a known unit, under a split that its node had acknowledged.
_ANALYSED: Final = """
WITH analysed AS (
  SELECT unit, arm, block, ts_us, dur_us, attempts, first_failed, "left" FROM exposures
  WHERE experiment = $experiment AND revision = $revision AND ts_us >= $since_us
    AND unit IS NOT NULL AND block IS NOT NULL AND split IS NOT NULL
), firsts AS (
  SELECT unit, min(arm) AS arm, min(arm) <> max(arm) AS two_armed,
    min(ts_us) AS enrolment, arg_min(block, (ts_us, block)) AS block
  FROM analysed GROUP BY unit
)"""
_CLOSED: Final = f"""{_ANALYSED}, closed AS (
  SELECT unit, arm, block, enrolment, enrolment // {DAY_US} AS day FROM firsts
  WHERE NOT two_armed AND enrolment + $window_us + $grace_us <= $watermark_us
)"""  # noqa: S608 (constants of this module)
_ENROLMENT: Final = f"""{_ANALYSED}
SELECT arm, block, two_armed, count(*), min(enrolment) FROM firsts WHERE enrolment >= $from_us
GROUP BY ALL ORDER BY ALL
"""  # noqa: S608
# One key of one unit and metric is one outcome: the least (time, value), so that rebuilds agree.
_BINARY: Final = f"""{_CLOSED}, told AS (
  SELECT unit, min((ts_us, value_u)) AS first FROM outcomes WHERE metric = $metric GROUP BY unit, idem_key
), successful AS (
  SELECT DISTINCT closed.unit FROM closed JOIN told ON told.unit = closed.unit
  WHERE told.first[1] >= closed.enrolment - $skew_us AND told.first[1] < closed.enrolment + $window_us
    AND told.first[2] > 0
)
SELECT arm, block, day, count(*), count(successful.unit)
FROM closed LEFT JOIN successful ON successful.unit = closed.unit
GROUP BY ALL ORDER BY ALL
"""  # noqa: S608
_RATIO: Final = """{closed}, totals AS (
  SELECT closed.unit, closed.arm, closed.block, closed.day,
    count(*) AS x, count(*) FILTER ({counted}) AS y
  FROM closed JOIN analysed ON analysed.unit = closed.unit
  WHERE analysed.ts_us < closed.enrolment + $window_us
  GROUP BY ALL
)
SELECT arm, block, day, count(*), count(*) FILTER (y > 0), sum(y), sum(x), sum(y * y), sum(x * y), sum(x * x),
  sum((y * {nano} + x - 1) // x)
FROM totals GROUP BY arm, block, day ORDER BY ALL
"""


class Lake:
    """Reads a folder of segments; it never writes, so any number of readers may stand beside the intake."""

    def __init__(self, folder: Path, *, threads: int = 2) -> None:
        self._folder = folder
        self._engine = connect(threads=threads)

    def enrolment(self, run: Run, *, since_us: int = 0, enrolled_from_us: int = 0) -> Enrolment:
        """Return the distinct units enrolled so far, or from a time on: the sample ratio, a step's units."""
        rows = self._ask(_ENROLMENT, {**_run(run, since_us), "from_us": enrolled_from_us})
        analysed = [(arm, block, *counted) for arm, block, two_armed, *counted in rows if not two_armed]
        return Enrolment(
            units={(arm, block): count for arm, block, count, _ in analysed},
            two_armed=sum(count for _, _, two_armed, count, _ in rows if two_armed),
            first_us=min((first for _, _, _, first in analysed), default=None),
        )

    def binary(self, run: Run, metric: str, closing: Closing) -> dict[Stratum, Successes]:
        """Return closed units, and those with an outcome above zero in their window."""
        asked = {
            **_run(run, closing.since_us),
            **_closing(closing),
            "skew_us": closing.skew_us,
            "metric": metric,
        }
        rows = self._ask(_BINARY, asked)
        return {Stratum(arm, block, day): Successes(n, hits) for arm, block, day, n, hits in rows}

    def ratio(self, run: Run, counted: Trouble | int, closing: Closing) -> dict[Stratum, RatioSums]:
        """Return sums over closed units of trouble (or of answers above a limit in µs) and of requests."""
        asked = {**_run(run, closing.since_us), **_closing(closing)}
        if isinstance(counted, Trouble):
            condition = counted.value
        else:
            condition, asked["limit_us"] = EXCEEDS, counted
        rows = self._ask(_RATIO.format(closed=_CLOSED, counted=condition, nano=NANO), asked)
        return {Stratum(arm, block, day): RatioSums(*map(int, sums)) for arm, block, day, *sums in rows}

    def _ask(self, question: str, asked: Mapping[str, object]) -> list[tuple[Any, ...]]:
        for attempt in range(ATTEMPTS):
            try:
                with self._engine.cursor() as engine:
                    _view(engine, Kind.EXPOSURES, self._folder, EXPOSURES)
                    _view(engine, Kind.OUTCOMES, self._folder, OUTCOMES)
                    return engine.execute(question, dict(asked)).fetchall()
            except (duckdb.OperationalError, duckdb.InvalidInputException) as error:
                # A file that was listed may be gone when it is read: superseded, or an orphan.
                if attempt + 1 == ATTEMPTS or not isinstance(error, duckdb.IOException):
                    what, remedy = str(error).splitlines()[0], "see its disk and files; it is asked again"
                    raise Retry(Problem("the lake", what, remedy)) from error
        raise AssertionError("the last attempt returns or raises")


def _view(engine: duckdb.DuckDBPyConnection, kind: Kind, folder: Path, columns: dict[str, str]) -> None:
    """Let a name stand for the files that cover the lake now; none is an empty table."""
    within = folder / kind
    paths = segments.covering(within) if within.is_dir() else []
    names = ", ".join(f'"{name}"' for name in columns)
    source = f"SELECT {names} FROM read_parquet([{', '.join(quoted(path) for path in paths)}])"  # noqa: S608
    empty = ", ".join(f'NULL::{kind_of} AS "{name}"' for name, kind_of in columns.items())
    engine.execute(
        f"CREATE OR REPLACE TEMP VIEW {kind} AS {source if paths else f'SELECT {empty} WHERE false'}"
    )


def _run(run: Run, since_us: int) -> dict[str, object]:
    return {"experiment": run.experiment, "revision": run.revision, "since_us": since_us}


def _closing(closing: Closing) -> dict[str, object]:
    return {
        "window_us": closing.window_us,
        "grace_us": closing.grace_us,
        "watermark_us": closing.watermark_us,
    }
