"""What anybody can read in the lake: one experiment's requests and outcomes as columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np

from rollout.lake import segments
from rollout.lake.engine import connect
from rollout.lake.outcomes import MICRO
from rollout.lake.segments import Kind
from rollout.stats.arrays import BoolArray, FloatArray, IntArray

_ARMS: Final = ["control", "candidate1", "rest"]
CONTROL, CANDIDATE, REST = range(3)
_EXPOSURES: Final = """
SELECT list_position($names, experiment) - 1 AS replicate, list_position($arms, arm) - 1 AS arm,
  coalesce(block, 0) AS block, coalesce(unit, 0) AS unit, unit IS NOT NULL AS known, ts_us - $begin AS at_us,
  first_failed AS failed, coalesce(dur_us, 0) AS dur_us, requests
FROM read_parquet($paths) ORDER BY replicate, at_us
"""
_OUTCOMES: Final = """
SELECT list_position($names, metric) - 1 AS replicate, unit, ts_us - $begin AS at_us, value_u
FROM read_parquet($paths) ORDER BY replicate, at_us
"""
_Columns = dict[str, np.ndarray[tuple[int], np.dtype[np.generic]]]


@dataclass(frozen=True)
class Sight:
    """Rows of the lake in order of time; of requests that are only counted there is a sum, and no unit."""

    arm: IntArray
    block: IntArray
    unit: IntArray
    known: BoolArray
    at_us: IntArray
    failed: BoolArray
    dur_us: IntArray
    requests: IntArray
    goal_unit: IntArray
    goal_at_us: IntArray
    goal_value: FloatArray

    @cached_property
    def enrolled(self) -> Enrolled:
        """Everybody in an arm, at their first request there."""
        rows = np.flatnonzero(self.known & (self.arm != REST))
        unit, first = np.unique(self.unit[rows], return_index=True)
        rows = rows[first]
        return Enrolled(unit, self.arm[rows], self.block[rows], self.at_us[rows])

    def owner(self, unit: IntArray) -> IntArray:
        """Return the place of each unit among the enrolled, or -1 for somebody who is not."""
        known = self.enrolled.unit
        place = np.minimum(np.searchsorted(known, unit), max(len(known) - 1, 0))
        return np.where(known[place] == unit, place, -1) if len(known) else np.full(len(unit), -1)


@dataclass(frozen=True)
class Enrolled:
    """Units in the order of their numbers."""

    unit: IntArray
    arm: IntArray
    block: IntArray
    at_us: IntArray


def read(lake: Path, names: Sequence[str], begin_us: int) -> tuple[Sight, ...]:
    """Return what stands in a lake of each experiment; its goal is called as it is."""
    asked = {"names": list(names), "begin": begin_us}
    requests = _rows(lake, Kind.EXPOSURES, _EXPOSURES, {**asked, "arms": _ARMS})
    outcomes = _rows(lake, Kind.OUTCOMES, _OUTCOMES, asked)
    return tuple(
        Sight(
            arm=_whole(requests, "arm", part),
            block=_whole(requests, "block", part),
            unit=_whole(requests, "unit", part),
            known=requests["known"][part].astype(np.bool_),
            at_us=_whole(requests, "at_us", part),
            failed=requests["failed"][part].astype(np.bool_),
            dur_us=_whole(requests, "dur_us", part),
            requests=_whole(requests, "requests", part),
            goal_unit=_whole(outcomes, "unit", goals),
            goal_at_us=_whole(outcomes, "at_us", goals),
            goal_value=_whole(outcomes, "value_u", goals) / MICRO,
        )
        for part, goals in zip(_parts(requests, len(names)), _parts(outcomes, len(names)), strict=True)
    )


def _parts(columns: _Columns, replicates: int) -> list[slice]:
    """Return where each replicate's rows stand."""
    bounds = np.searchsorted(columns["replicate"].astype(np.int64), np.arange(replicates + 1)).tolist()
    return [slice(first, last) for first, last in pairwise(bounds)]


def _whole(columns: _Columns, name: str, part: slice) -> IntArray:
    return columns[name][part].astype(np.int64)


def _rows(lake: Path, kind: Kind, question: str, asked: dict[str, object]) -> _Columns:
    paths = [str(path) for path in segments.covering(lake / kind)] if (lake / kind).is_dir() else []
    if not paths:
        names = ("replicate", "unit", "at_us", "value_u")
        return {name: np.zeros(0, dtype=np.int64) for name in names}
    return dict(connect().execute(question, {**asked, "paths": paths}).fetchnumpy())
