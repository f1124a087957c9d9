"""Envoy's access log → exposures: one row for a request that is compared, one row for many that are not."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Final

import duckdb
import msgspec
import numpy as np

from rollout.domain.records import ELIGIBLE_LEAVES, NO_BLOCK, WINDOW_US, Run
from rollout.lake.engine import write_columns
from rollout.lake.units import UnitHash
from rollout.stats import quantiles

UNOWNED: Final = ("", "none", NO_BLOCK)
"""The experiment, arm and block of a request that no policy's route answered."""
UNKNOWN: Final = -1
"""How a missing block, split or duration stands in a column until it is written as NULL."""
TIME: Final = re.compile(r"\d{1,11}\.\d{6}")
LARGEST_DURATION_US: Final = 2**40
LARGEST_REVISION: Final = 2**31
LARGEST_CODE: Final = 1000
LARGEST_ATTEMPTS: Final = 1000
TOO_MANY_REQUESTS: Final = 429
SERVER_ERROR: Final = 500
# Envoy's response flags of an attempt that failed: connection, reset, time-out, protocol, no host.
FAILED: Final = frozenset(
    ["UF", "UO", "UR", "UC", "UT", "LR", "LH", "UH", "NC", "UPE", "URX", "UMSDR", "SI", "DT", "DF"]
)
CLIENT_GONE: Final = frozenset(("DC", "DR"))
SELECT: Final = f"""
SELECT ts_us, experiment::VARCHAR AS experiment, revision::INTEGER AS revision,
  nullif(block, {UNKNOWN})::SMALLINT AS block, arm::VARCHAR AS arm,
  CASE WHEN known THEN unit END AS unit, status::SMALLINT AS status,
  nullif(dur_us, {UNKNOWN}) AS dur_us, attempts::SMALLINT AS attempts, first_failed, "left",
  nullif(split, {UNKNOWN})::INTEGER AS split, requests
FROM columns ORDER BY experiment, arm, ts_us
"""  # noqa: S608 (constants of this module)

SplitAt = Callable[[str, int], int | None]
"""The split of an experiment that this node had acknowledged at a time; nothing while it was changing."""


class Line(msgspec.Struct, frozen=True):
    """What Envoy logs of one request; other columns may stand beside these."""

    ts: str
    unit: str | None
    rev: str | None
    route: str | None
    served: str | None
    att: int | None
    code: int | None
    flags: str | None
    det: str | None
    dur_us: int | None


@dataclass(frozen=True, slots=True)
class Seen:
    """Whose a request was, and when it began."""

    run: Run
    ts_us: int


def request_of(line: bytes) -> Seen | None:
    """Return whose request a line tells of; nothing when it is no experiment's, or no line of Envoy's."""
    try:
        found = _LINES.decode(line)
        experiment, _, _ = _parts(found.route or "")
        return Seen(Run(experiment, int(found.rev or 0)), _microseconds(found.ts)) if experiment else None
    except (msgspec.MsgspecError, ValueError):
        return None


_LINES: Final = msgspec.json.Decoder(Line)
# The columns of the exposures, in order.
Row = tuple[int, str, int, int, str, int, bool, int, int, int, bool, bool, int, int]
COLUMNS: Final[dict[str, type[np.generic]]] = {
    "ts_us": np.int64,
    "experiment": np.object_,
    "revision": np.int64,
    "block": np.int64,
    "arm": np.object_,
    "unit": np.int64,
    "known": np.bool_,
    "status": np.int64,
    "dur_us": np.int64,
    "attempts": np.int64,
    "first_failed": np.bool_,
    "left": np.bool_,
    "split": np.int64,
    "requests": np.int64,
}


@dataclass(slots=True)
class Recorded:
    """Rows that are ready to be written, and the lines that could not be understood."""

    rows: list[Row] = field(default_factory=list)
    others: Counter[Row] = field(default_factory=Counter)
    bad: list[bytes] = field(default_factory=list)


class Recorder:
    """Reads the complete lines of a log; equal lines, key and splits give equal rows."""

    def __init__(self, hashing: UnitHash, split_at: SplitAt) -> None:
        self._hashing = hashing
        self._split_at = split_at
        self._decoder = msgspec.json.Decoder(Line)

    def read(self, lines: bytes) -> Recorded:
        """Return what the lines hold; a torn line is bad, but the whole one that follows it is kept."""
        found = Recorded()
        for line in lines.removesuffix(b"\n").split(b"\n") if lines else ():
            if not self._take(line, found):
                found.bad.append(line)
                # A proxy that was killed leaves half a line, and the next one begins right behind it.
                behind = line.rfind(b'{"')
                if behind > 0:
                    self._take(line[behind:], found)
        return found

    def _take(self, line: bytes, found: Recorded) -> bool:
        try:
            row, is_kept = self._row(self._decoder.decode(line))
        except (msgspec.MsgspecError, ValueError):
            return False
        if is_kept:
            found.rows.append(row)
        else:
            found.others[_grouped(row)] += 1
        return True

    def _row(self, line: Line) -> tuple[Row, bool]:
        ts_us = _microseconds(line.ts)
        experiment, arm, block = _parts(line.route or "")
        revision = _checked("rev", int(line.rev or 0) if experiment else 0, LARGEST_REVISION)
        code = _checked("code", line.code or 0, LARGEST_CODE)
        attempts = _checked("att", line.att or 0, LARGEST_ATTEMPTS)
        duration = UNKNOWN if line.dur_us is None else _checked("dur_us", line.dur_us, LARGEST_DURATION_US)
        flags = (line.flags or "").split(",")
        left = code == 0 and not CLIENT_GONE.isdisjoint(flags)
        failed = (
            attempts > 1
            or (not left and (code == 0 or code >= SERVER_ERROR or code == TOO_MANY_REQUESTS))
            or not FAILED.isdisjoint(flags)
        )
        is_compared = block != NO_BLOCK or arm in ELIGIBLE_LEAVES
        unit = self._hashing.unit(line.unit) if is_compared and (arm != "rest" or failed) else None
        is_kept = unit is not None
        split = self._split_at(experiment, ts_us) if is_kept else None
        row = (
            *(ts_us, experiment, revision, block, arm),
            *(unit or 0, is_kept, code, duration, attempts, failed, left),
            *(UNKNOWN if split is None else split, 1),
        )
        return row, is_kept


def write_exposures(engine: duckdb.DuckDBPyConnection, recorded: Recorded, path: Path) -> int:
    """Write the rows as Parquet; returns how many."""
    others = [(*row[:-1], requests) for row, requests in recorded.others.items()]
    table = [*recorded.rows, *others]
    values = list(zip(*table, strict=True)) or [()] * len(COLUMNS)
    columns = {
        name: np.array(column, dtype=kind)
        for (name, kind), column in zip(COLUMNS.items(), values, strict=True)
    }
    write_columns(engine, columns, SELECT, path)
    return len(table)


@lru_cache(maxsize=65_536)
def _parts(route: str) -> tuple[str, str, int]:
    """Return the experiment, arm and block of a route's name."""
    match route.split("/"):
        case [experiment, arm, block] if (
            experiment and arm and block.isdecimal() and len(block) <= len("9999")
        ):
            return experiment, arm, int(block)
        case [experiment, leaf] if experiment and leaf:
            return experiment, leaf, NO_BLOCK
        case _ if route in ("", "-"):
            return UNOWNED
        case _:
            raise ValueError("route: must be experiment/arm/block or experiment/leaf")


def _grouped(row: Row) -> Row:
    """Return what requests have in common that are only counted: ten seconds, and a bucket of durations."""
    ts_us, experiment, revision, block, arm, _, _, code, duration, attempts, failed, left, _, _ = row
    bucketed = duration
    if duration != UNKNOWN:
        bucketed = int(quantiles.EDGES_US[np.searchsorted(quantiles.EDGES_US[:-1], duration)])
    window_us = ts_us // WINDOW_US * WINDOW_US
    return (
        *(window_us, experiment, revision, block, arm),
        *(0, False, code, bucketed, attempts, failed, left, UNKNOWN, 0),
    )


def _microseconds(text: str) -> int:
    if not TIME.fullmatch(text):
        raise ValueError("ts: must be seconds with six decimals")
    return int(text.replace(".", ""))


def _checked(name: str, value: int, limit: int) -> int:
    if not 0 <= value < limit:
        raise ValueError(f"{name}: must be at least 0 and below {limit}")
    return value
