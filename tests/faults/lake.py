"""What a house's lake holds, asked by DuckDB in the files that cover it now."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import duckdb

from rollout.lake import segments
from rollout.lake.engine import connect
from rollout.lake.segments import Kind
from rollout.lake.units import UnitHash
from tests.faults.checking import Filed, OutcomeRow, Row

TRIES = 5
_OWN = """
SELECT unit, ts_us, arm, status, attempts FROM read_parquet($paths)
WHERE experiment = $experiment AND unit IN (SELECT unnest($units))
"""
_TALLIED = """
SELECT coalesce(sum(requests), 0) FROM read_parquet($paths) WHERE experiment = $experiment AND unit IS NULL
"""
_REQUESTS = """
SELECT coalesce(sum(requests), 0) FROM read_parquet($paths) WHERE experiment = $experiment
"""
_OUTCOMES = """
SELECT unit, metric, ts_us, value_u, idem_key FROM read_parquet($paths) WHERE unit IN (SELECT unnest($units))
"""


def filed(lake: Path, experiment: str, units: Collection[int], tallied_before: int) -> Filed:
    """Return what is in the lake of these units, and of all who have no rows of their own."""
    own = _ask(lake / Kind.EXPOSURES, _OWN, experiment=experiment, units=list(units))
    tallied = _ask(lake / Kind.EXPOSURES, _TALLIED, experiment=experiment)
    outcomes = _ask(lake / Kind.OUTCOMES, _OUTCOMES, units=list(units))
    return Filed(
        [Row(*row) for row in own],
        sum(int(requests) for (requests,) in tallied) - tallied_before,
        [OutcomeRow(*row) for row in outcomes],
    )


def requests(lake: Path, experiment: str) -> int:
    """Return how many requests of an experiment the lake holds, with rows of their own or without."""
    return sum(int(found) for (found,) in _ask(lake / Kind.EXPOSURES, _REQUESTS, experiment=experiment))


def hashing(secret: Path) -> UnitHash:
    """Return the hash of a house's units."""
    return UnitHash(bytes.fromhex(secret.read_text().strip()))


def _ask(folder: Path, question: str, **asked: object) -> list[tuple[Any, ...]]:
    for attempt in range(TRIES):
        paths = [str(path) for path in segments.covering(folder)] if folder.is_dir() else []
        if not paths:
            return []
        engine = connect()
        try:
            return engine.execute(question, {"paths": paths, **asked}).fetchall()
        except duckdb.IOException:  # merged and deleted between the listing and the question
            if attempt + 1 == TRIES:
                raise
        finally:
            engine.close()
    raise AssertionError("the last try returns or raises")
