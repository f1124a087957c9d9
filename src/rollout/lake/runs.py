"""Which runs a lake holds, and one run's records cut into hours, for those who have nothing but a folder."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb

from rollout.domain.records import Run
from rollout.lake import segments
from rollout.lake.digest import EXPOSURES, OUTCOMES
from rollout.lake.engine import quoted
from rollout.lake.segments import Kind

HOUR_US: Final = 3_600_000_000
_COLUMNS: Final = {Kind.EXPOSURES: EXPOSURES, Kind.OUTCOMES: OUTCOMES}


@dataclass(frozen=True, slots=True)
class Recorded:
    """A run as its analysed requests show it."""

    run: Run
    first_us: int
    last_us: int
    block: int
    """The highest block that got a request, and when the first one came."""
    block_from_us: int


def recorded(engine: duckdb.DuckDBPyConnection, folder: Path, experiment: str) -> tuple[Recorded, ...]:
    """Return every revision of an experiment that has analysed requests, the oldest first."""
    paths = _paths(folder, Kind.EXPOSURES)
    if not paths:
        return ()
    asked = f"""
    WITH seen AS (
      SELECT revision, block, ts_us FROM read_parquet([{_listed(paths)}])
      WHERE experiment = $experiment AND unit IS NOT NULL AND block IS NOT NULL AND split IS NOT NULL
    ), newest AS (SELECT revision, max(block) AS block FROM seen GROUP BY revision)
    SELECT revision, min(ts_us), max(ts_us), any_value(newest.block),
      min(ts_us) FILTER (seen.block = newest.block)
    FROM seen JOIN newest USING (revision) GROUP BY revision ORDER BY revision
    """  # noqa: S608 (paths of the lake, as literals)
    rows = engine.execute(asked, {"experiment": experiment}).fetchall()
    return tuple(Recorded(Run(experiment, revision), *numbers) for revision, *numbers in rows)


@dataclass(frozen=True, slots=True)
class RunRecords:
    """What a folder holds of one run: its requests, and the outcomes of its metrics."""

    engine: duckdb.DuckDBPyConnection
    folder: Path
    run: Run
    metrics: Collection[str]

    def newest_us(self) -> int | None:
        """Return the newest time of them."""
        found: list[int | None] = []
        for kind in Kind:
            if paths := _paths(self.folder, kind):
                select = f"SELECT max(ts_us) FROM read_parquet([{_listed(paths)}]) WHERE {self._own(kind)}"  # noqa: S608
                found += self.engine.execute(select, self._asked(kind)).fetchone() or ()
        return max((one for one in found if one is not None), default=None)

    def hours(self, *, until_us: int, into: Path) -> Iterator[tuple[Kind, int, int, bytes]]:
        """Yield (kind, end of the hour, how many there are, a segment) in the order of time, up to a time."""
        self.engine.execute(f"SET temp_directory = {quoted(into)}")
        for kind in Kind:
            paths, columns = _paths(self.folder, kind), _COLUMNS[kind]
            source = f"read_parquet([{_listed(paths)}])" if paths else f"({_nothing(columns)})"
            self.engine.execute(
                f"CREATE OR REPLACE TEMP TABLE own_{kind} AS SELECT {_names(columns)} FROM {source} "  # noqa: S608
                f"WHERE {self._own(kind)} AND ts_us < $until",
                {**self._asked(kind), "until": until_us},
            )
        found = self.engine.execute(
            f"SELECT ts_us // {HOUR_US}, 'exposures' FROM own_exposures "  # noqa: S608 (constants)
            f"UNION SELECT ts_us // {HOUR_US}, 'outcomes' FROM own_outcomes ORDER BY 1, 2"
        ).fetchall()
        target = into / "hour.parquet"
        for hour, kind in found:
            select = f"SELECT * FROM own_{kind} WHERE ts_us // {HOUR_US} = {hour} ORDER BY ts_us"  # noqa: S608
            self.engine.execute(f"COPY ({select}) TO {quoted(target)} (FORMAT parquet)")
            yield Kind(kind), min((hour + 1) * HOUR_US, until_us), len(found), target.read_bytes()

    def _own(self, kind: Kind) -> str:
        if kind is Kind.EXPOSURES:
            return "experiment = $experiment AND revision = $revision"
        named = ", ".join("'" + one.replace("'", "''") + "'" for one in sorted(self.metrics))
        return f"metric IN ({named})" if named else "false"

    def _asked(self, kind: Kind) -> dict[str, object]:
        if kind is Kind.OUTCOMES:
            return {}
        return {"experiment": self.run.experiment, "revision": self.run.revision}


def _paths(folder: Path, kind: Kind) -> list[Path]:
    return segments.covering(folder / kind) if (folder / kind).is_dir() else []


def _listed(paths: list[Path]) -> str:
    return ", ".join(quoted(path) for path in paths)


def _names(columns: dict[str, str]) -> str:
    return ", ".join(f'"{name}"' for name in columns)


def _nothing(columns: dict[str, str]) -> str:
    empty = ", ".join(f'NULL::{kind} AS "{name}"' for name, kind in columns.items())
    return f"SELECT {empty} WHERE false"
