"""Whether a lake is whole: every byte that was counted stands in one file that can be read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final, TypeAlias

import duckdb

from rollout.lake import segments
from rollout.lake.compact import LOCK
from rollout.lake.digest import EXPOSURES, OUTCOMES, Unreadable, check_columns
from rollout.lake.engine import quoted
from rollout.lake.segments import Kind, Segment

FRESH_S: Final = 300.0
"""What is unfinished for a shorter time may still be written."""
_COLUMNS: Final = {Kind.EXPOSURES: EXPOSURES, Kind.OUTCOMES: OUTCOMES}
_ROWS: Final = {Kind.EXPOSURES: "sum(requests)", Kind.OUTCOMES: "count(*)"}
Cursors: TypeAlias = Mapping[tuple[str, str, str], int]


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that a person should look at."""

    where: str
    what: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Table:
    """One table of a lake on the disk, and how it is asked."""

    engine: duckdb.DuckDBPyConnection
    kind: Kind
    within: Path

    def agree(self, parts: Sequence[Segment], whole: Segment) -> bool:
        """Return whether files hold as many requests or outcomes as what was merged from them."""
        try:
            return self._rows(parts) == self._rows([whole])
        except duckdb.Error:
            return True  # unreadable, which is said already, or deleted meanwhile, which only follows a merge

    def _rows(self, files: Sequence[Segment]) -> int:
        listed = ", ".join(quoted(self.within / one.name) for one in files)
        asked = f"SELECT coalesce({_ROWS[self.kind]}, 0)::BIGINT FROM read_parquet([{listed}])"  # noqa: S608
        return int(self.engine.execute(asked).fetchall()[0][0])


def check(
    engine: duckdb.DuckDBPyConnection,
    folder: Path,
    cursors: Callable[[], Cursors] | None,
    *,
    now_s: float,
    on_read: Callable[[int, int], object] = lambda _done, _all: None,
) -> list[Fault]:
    """Return every fault; without `cursors` nothing is known of what the database has counted."""
    faults: list[Fault] = []
    tables = [Table(engine, kind, folder / kind) for kind in Kind if (folder / kind).is_dir()]
    found = {table.kind: sorted(one for one, _ in segments.listed(table.within)) for table in tables}
    if not tables:
        faults.append(Fault(str(folder), "there is no lake here", "name the folder of `rollout up`: --data"))
    files = sum(map(len, found.values()))
    read = 0
    for table in tables:
        faults += _strangers(table.within, now_s)
        for segment in found[table.kind]:
            faults += filter(None, [_unreadable(table, segment)])
            read += 1
            on_read(read, files)
        gone = segments.expired(table.within)
        for owner, own in groupby(found[table.kind], key=lambda one: (one.node, one.log)):
            faults += _ranges(table, list(own), gone.get(owner))
    if cursors is not None:
        # After the listing: what was listed is counted by now, or never was.
        faults += _uncounted(folder, found, cursors())
    return faults


def _strangers(within: Path, now_s: float) -> Iterator[Fault]:
    for path in sorted(within.iterdir()):
        name = path.name.removesuffix(segments.EXPIRED) + (
            ".parquet" if path.name.endswith(segments.EXPIRED) else ""
        )
        if Segment.of_name(name) is not None or path.name == LOCK:
            continue
        if not path.name.endswith(segments.UNFINISHED):
            yield Fault(str(path), "its name is not that of a segment", "move it elsewhere")
        elif now_s - path.stat().st_mtime > FRESH_S:
            remedy = "a restart of the control plane deletes it"
            yield Fault(str(path), "a crash left it half written", remedy)


def _unreadable(table: Table, segment: Segment) -> Fault | None:
    path = table.within / segment.name
    try:
        check_columns(table.engine, path, _COLUMNS[table.kind])
    except Unreadable as error:
        if not path.exists():
            return None  # superseded, and deleted while we looked
        remedy = "restore it from a backup; until then questions that need it fail, and nothing moves up"
        return Fault(str(path), f"it cannot be read: {error}", remedy)
    return None


def _ranges(table: Table, files: list[Segment], gone: Segment | None) -> Iterator[Fault]:
    """Yield gaps and overlaps of one log, and merged files that do not hold what they supersede."""
    covers: list[Segment] = []
    for segment in sorted(files, key=lambda one: (one.start, -one.end)):
        if gone is not None and segment.end <= gone.end:
            continue
        end = covers[-1].end if covers else (gone.end if gone is not None else 0)
        where = str(table.within / segment.name)
        if covers and segment.end <= end:
            continue
        if segment.start > end:
            remedy = "restore them from a backup: answers lack what was in them"
            yield Fault(where, f"the bytes {end:,} to {segment.start:,} of its log are in no file", remedy)
        elif segment.start < end:
            remedy = "keep one of the two: their rows are counted twice"
            yield Fault(where, f"it overlaps {covers[-1].name if covers else 'what has expired'}", remedy)
        covers.append(segment)
    for cover in covers:
        inside = [one for one in files if one != cover and cover.start <= one.start and one.end <= cover.end]
        tiles = list(_tiles(inside, cover))
        if tiles and not table.agree(tiles, cover):
            remedy = "delete the longer file: what it was merged from is still there"
            yield Fault(str(table.within / cover.name), "it does not hold what it supersedes", remedy)


def _tiles(inside: Sequence[Segment], cover: Segment) -> Iterator[Segment]:
    """Yield the files that make up a longer one exactly, or none."""
    end, chosen = cover.start, []
    for segment in sorted(inside, key=lambda one: (one.start, -one.end)):
        if segment.start == end:
            chosen.append(segment)
            end = segment.end
    yield from chosen if end == cover.end else ()


def _uncounted(
    folder: Path, found: Mapping[Kind, Sequence[Segment]], cursors: Mapping[tuple[str, str, str], int]
) -> Iterator[Fault]:
    ends: dict[tuple[str, str, str], int] = {}
    for kind, files in found.items():
        for segment in files:
            key = (kind.value, segment.node, segment.log)
            ends[key] = max(ends.get(key, 0), segment.end)
            if segment.end > cursors.get(key, 0):
                remedy = "a restart of the control plane deletes it, and the node sends it again"
                yield Fault(str(folder / kind / segment.name), "it was filed but never counted", remedy)
        for (node, log), stone in segments.expired(folder / kind).items():
            ends[kind.value, node, log] = max(ends.get((kind.value, node, log), 0), stone.end)
    for (kind_name, node, log), cursor in sorted(cursors.items()):
        end = ends.get((kind_name, node, log), 0)
        if end < cursor:
            remedy = "restore them from a backup: answers of the slow loop lack them"
            what = f"the bytes {end:,} to {cursor:,} are counted, but in no file"
            yield Fault(str(folder / kind_name / f"{node}~{log}~*"), what, remedy)
