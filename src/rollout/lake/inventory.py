"""What a lake holds: files, rows, bytes and times, by table, experiment or metric, node and day."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb

from rollout.domain.records import DAY_US
from rollout.lake import segments
from rollout.lake.digest import Unreadable
from rollout.lake.engine import quoted
from rollout.lake.segments import Kind, Segment

FILES_AT_ONCE: Final = 500
_OWNER: Final = {Kind.EXPOSURES: "experiment", Kind.OUTCOMES: "metric"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the list; several may share a file, and its bytes by their rows."""

    kind: Kind
    owner: str
    """An experiment, or a metric; empty for requests that no policy's route answered."""
    node: str
    day: int
    files: int
    rows: int
    bytes: int
    first_us: int
    last_us: int


@dataclass(slots=True)
class _Sum:
    files: int = 0
    rows: int = 0
    bytes: float = 0.0
    first_us: int = 2**62
    last_us: int = 0


def inventory(engine: duckdb.DuckDBPyConnection, folder: Path) -> list[Entry]:
    """Return what is there, by table, node, owner and day, in that order; raises `Unreadable`."""
    found: defaultdict[tuple[Kind, str, str, int], _Sum] = defaultdict(_Sum)
    for kind in Kind:
        paths = segments.covering(folder / kind) if (folder / kind).is_dir() else []
        for first in range(0, len(paths), FILES_AT_ONCE):
            _add(engine, kind, paths[first : first + FILES_AT_ONCE], found)
    return [
        Entry(
            *(kind, owner, node, day, own.files, own.rows),
            *(round(own.bytes), own.first_us, own.last_us),
        )
        for (kind, node, owner, day), own in sorted(found.items())
    ]


def _add(
    engine: duckdb.DuckDBPyConnection,
    kind: Kind,
    paths: list[Path],
    found: defaultdict[tuple[Kind, str, str, int], _Sum],
) -> None:
    listed = ", ".join(quoted(path) for path in paths)
    asked = (
        f"SELECT filename, {_OWNER[kind]}, ts_us // {DAY_US}, count(*), min(ts_us), max(ts_us) "  # noqa: S608 (our own paths)
        f"FROM read_parquet([{listed}], filename = true) GROUP BY ALL ORDER BY ALL"
    )
    try:
        parts = engine.execute(asked).fetchall()
    except duckdb.Error as error:
        raise Unreadable(str(error).splitlines()[0]) from None
    rows_of_file: Counter[str] = Counter()
    for name, _, _, rows, _, _ in parts:
        rows_of_file[name] += rows
    for name, owner, day, rows, first_us, last_us in parts:
        path = Path(name)
        segment = Segment.of_name(path.name)
        if segment is None:
            continue
        own = found[kind, segment.node, owner, day]
        own.files += 1
        own.rows += rows
        own.bytes += path.stat().st_size * rows / rows_of_file[name]
        own.first_us, own.last_us = min(own.first_us, first_us), max(own.last_us, last_us)
