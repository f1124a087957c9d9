"""Envoy's access log → exposures: one row for a request that is compared, one row for many that are not.

Column by column, because a row of Python objects for each request costs more than all the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Generic, TypeVar

import duckdb
import numpy as np
from numpy.typing import NDArray

from rollout.domain.records import ELIGIBLE_LEAVES, NO_BLOCK, WINDOW_US
from rollout.lake import lines as envoy
from rollout.lake.engine import write_columns
from rollout.lake.lines import UNREADABLE, Line, Route
from rollout.lake.units import UnitHash
from rollout.stats import quantiles
from rollout.stats.arrays import IntArray

REST: Final = "rest"
"""The leaf whose rows are kept only when they failed."""
UNKNOWN: Final = -1
"""How a missing block, split or duration stands in a column until it is written as NULL."""
LARGEST_CACHE: Final = 65_536
TOO_MANY_REQUESTS: Final = 429
SERVER_ERROR: Final = 500
# Envoy's response flags of an attempt that failed: connection, reset, time-out, protocol, no host.
FAILED: Final = frozenset(
    ["UF", "UO", "UR", "UC", "UT", "LR", "LH", "UH", "NC", "UPE", "URX", "UMSDR", "SI", "DT", "DF"]
)
CLIENT_GONE: Final = frozenset(("DC", "DR"))
_HAS_FAILED, _HAS_LEFT = 1, 2
_ALIKE: Final = ("ts_us", "route", "revision", "status", "dur_us", "attempts", "first_failed", "left")
"""What requests have in common that are only counted."""
# In the log's order, which is nearly that of time: sorting costs half as much again, and saves nothing.
SELECT: Final = f"""
SELECT ts_us, experiment::VARCHAR AS experiment, revision::INTEGER AS revision,
  nullif(block, {NO_BLOCK})::SMALLINT AS block, arm::VARCHAR AS arm,
  CASE WHEN known THEN unit END AS unit, status::SMALLINT AS status,
  nullif(dur_us, {UNKNOWN}) AS dur_us, attempts::SMALLINT AS attempts, first_failed, "left",
  nullif(split, {UNKNOWN})::INTEGER AS split, requests
FROM columns JOIN routes USING (route)
"""  # noqa: S608 (constants of this module)

Columns = dict[str, NDArray[np.generic]]
SplitsAt = Callable[[str, IntArray], IntArray]
"""The split of an experiment that this node had acknowledged at each time; `UNKNOWN` during a change."""
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Recorded:
    """A row for each request that is compared, and for many that are counted; routes; and the bad lines."""

    columns: Columns
    routes: Columns
    bad: list[bytes]


class _Numbered(dict[str | None, int], Generic[Value]):
    """Numbers texts as they come, and keeps what each means; few texts fill a log."""

    def __init__(self, meaning: Callable[[str | None], Value]) -> None:
        super().__init__()
        self.values_by_number: list[Value] = []
        self._meaning = meaning

    def __missing__(self, text: str | None) -> int:
        number = self[text] = len(self.values_by_number)
        self.values_by_number.append(self._meaning(text))
        return number

    def numbers(self, texts: Sequence[str | None]) -> IntArray:
        """Return each text's number."""
        if len(self) > LARGEST_CACHE:
            self.clear()
            self.values_by_number.clear()
        return np.fromiter(map(self.__getitem__, texts), dtype=np.int64, count=len(texts))


class Recorder:
    """Reads the complete lines of a log; equal lines, key and splits give equal rows."""

    def __init__(self, hashing: UnitHash, splits_at: SplitsAt) -> None:
        self._hashing = hashing
        self._splits_at = splits_at
        self._routes = _Numbered(envoy.route_of)
        self._revisions = _Numbered(envoy.revision_of)
        self._flags = _Numbered(_flags)

    def read(self, lines: bytes) -> Recorded:
        """Return what the lines hold; a torn line is bad, but the whole one that follows it is kept."""
        found = envoy.read(lines)
        route = self._routes.numbers([line.route for line in found.lines])
        routes = _route_columns(self._routes.values_by_number)
        revision = _looked_up(self._revisions, [line.rev for line in found.lines])
        revision = np.where(routes["is_owned"][route], revision, 0)
        ts_us = envoy.times_us([line.ts for line in found.lines])
        are_good = routes["is_ours"][route] & (ts_us != UNREADABLE) & (revision != UNREADABLE)
        if not are_good.all():
            found.keep_only(are_good.tolist())
            route, revision, ts_us = route[are_good], revision[are_good], ts_us[are_good]
        columns = self._columns(found.lines, route, routes)
        columns |= {"route": route, "revision": revision, "ts_us": ts_us}
        columns["split"] = self._splits(columns, routes)
        columns["requests"] = np.ones(len(ts_us), dtype=np.int64)
        return Recorded(_grouped(columns), routes, found.bad)

    def _columns(self, found: list[Line], route: IntArray, routes: Columns) -> Columns:
        status = _integers(line.code or 0 for line in found)
        attempts = _integers(line.att or 0 for line in found)
        dur_us = _integers(UNKNOWN if line.dur_us is None else line.dur_us for line in found)
        flags = _looked_up(self._flags, [line.flags for line in found])
        is_left = (status == 0) & (flags & _HAS_LEFT > 0)
        is_bad_answer = (status == 0) | (status >= SERVER_ERROR) | (status == TOO_MANY_REQUESTS)
        has_failed = (attempts > 1) | (~is_left & is_bad_answer) | (flags & _HAS_FAILED > 0)
        asked = routes["is_asked"][route] | (routes["is_rest"][route] & has_failed)
        units, are_known = self._hashing.units([found[row].unit for row in np.flatnonzero(asked).tolist()])
        unit, known = np.zeros(len(found), dtype=np.int64), np.zeros(len(found), dtype=np.bool_)
        unit[asked], known[asked] = units, are_known
        return {
            "unit": unit,
            "known": known,
            "status": status,
            "dur_us": np.where(known, dur_us, _bucketed(dur_us)),
            "attempts": attempts,
            "first_failed": has_failed,
            "left": is_left,
        }

    def _splits(self, columns: Columns, routes: Columns) -> IntArray:
        known, route, ts_us = columns["known"], columns["route"], columns["ts_us"].astype(np.int64)
        owner = routes["experiment"][route]
        split = np.full(len(route), UNKNOWN, dtype=np.int64)
        for experiment in set(owner[known].tolist()):
            here = known & (owner == experiment)
            split[here] = self._splits_at(experiment, ts_us[here])
        return split


def write_exposures(engine: duckdb.DuckDBPyConnection, recorded: Recorded, path: Path) -> None:
    """Write the rows as Parquet."""
    write_columns(engine, {"columns": recorded.columns, "routes": recorded.routes}, SELECT, path)


def _integers(values: Iterable[int]) -> IntArray:
    return np.fromiter(values, dtype=np.int64)


def _looked_up(known: _Numbered[int], texts: Sequence[str | None]) -> IntArray:
    numbers = known.numbers(texts)
    return np.array(known.values_by_number, dtype=np.int64)[numbers]


def _flags(text: str | None) -> int:
    """Return what Envoy's flags say of the first attempt, and of the client."""
    flags = (text or "").split(",")
    failed, left = not FAILED.isdisjoint(flags), not CLIENT_GONE.isdisjoint(flags)
    return _HAS_FAILED * failed + _HAS_LEFT * left


def _route_columns(found: Sequence[Route | None]) -> Columns:
    routes = [envoy.UNOWNED if route is None else route for route in found]
    arms = [arm for _, arm, _ in routes]
    return {
        "route": np.arange(len(routes), dtype=np.int64),
        "experiment": np.array([experiment for experiment, _, _ in routes], dtype=np.object_),
        "arm": np.array(arms, dtype=np.object_),
        "block": np.array([block for _, _, block in routes], dtype=np.int64),
        "is_ours": np.array([route is not None for route in found], dtype=np.bool_),
        "is_owned": np.array([experiment != "" for experiment, _, _ in routes], dtype=np.bool_),
        "is_asked": np.array(
            [block != NO_BLOCK or (arm in ELIGIBLE_LEAVES and arm != REST) for _, arm, block in routes],
            dtype=np.bool_,
        ),
        "is_rest": np.array([block == NO_BLOCK and arm == REST for _, arm, block in routes], dtype=np.bool_),
    }


def _grouped(columns: Columns) -> Columns:
    """Return the rows with one for all that are only counted and have the same of everything, for 10 s."""
    counted = np.flatnonzero(np.logical_not(columns["known"]))
    if not len(counted):
        return columns
    columns["ts_us"][counted] = columns["ts_us"][counted].astype(np.int64) // WINDOW_US * WINDOW_US
    alike = np.stack([columns[name][counted].astype(np.int64) for name in _ALIKE])
    order = np.lexsort(alike)
    begins = np.flatnonzero((np.diff(alike[:, order], axis=1, prepend=-1) != 0).any(axis=0))
    columns["requests"][counted[order[begins]]] = np.diff(begins, append=len(counted))
    kept = np.sort(np.concatenate([np.flatnonzero(columns["known"]), counted[order[begins]]]))
    return {name: column[kept] for name, column in columns.items()}


def _bucketed(dur_us: IntArray) -> IntArray:
    """Return the largest duration of each one's bucket: requests that are only counted share it."""
    edges = quantiles.EDGES_US[np.searchsorted(quantiles.EDGES_US[:-1], dur_us)]
    return np.where(dur_us == UNKNOWN, UNKNOWN, edges)
