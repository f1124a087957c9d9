"""A real intake over a real lake and database, and segments cut from random requests."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rollout.intake.intake import Intake, Point
from rollout.lake.engine import connect
from rollout.lake.record import Recorder, write_exposures
from rollout.lake.segments import Kind
from rollout.store.counts import LARGEST_TABLE, Counts, Told
from rollout.store.database import Database
from tests.lake.histories import BEGIN_US, HASHING, Request, as_lines, splits_at
from tests.store import databases

NOW_US = BEGIN_US + 60_000_000
LOG = "0123456789abcdef" * 2


@dataclass(frozen=True)
class House:
    folder: Path
    counts: Counts
    intake: Intake


@contextmanager
def opened(
    folder: Path,
    *,
    now_us: Callable[[], int] = lambda: NOW_US,
    failing: Callable[[Collection[str]], None] = lambda _: None,
    reached: Callable[[Point], None] = lambda _: None,
    rows: int = LARGEST_TABLE,
) -> Iterator[House]:
    database = Database.writer(databases.address_of(folder))
    counts = Counts(database, rows=rows)
    try:
        intake = Intake(folder / "lake", counts, now_us=now_us, failing=failing, reached=reached)
        yield House(folder, counts, intake)
    finally:
        database.close()


@contextmanager
def built(rows: int = LARGEST_TABLE, kind: databases.Kind = databases.USUAL) -> Iterator[House]:
    with (
        tempfile.TemporaryDirectory() as name,
        databases.new_address(kind, Path(name)),
        opened(Path(name), rows=rows) as house,
    ):
        yield house


def segment(lines: bytes) -> bytes:
    """Return what a node makes of lines."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "segment.parquet"
        write_exposures(connect(), Recorder(HASHING, splits_at).read(lines), path)
        return path.read_bytes()


def told(start: int, end: int, *, node: str = "node-1", log: str = LOG, watermark_us: int = 0) -> Told:
    return Told(Kind.EXPOSURES, node, log, start, end, watermark_us, 0)


def hand_in(intake: Intake, requests: Sequence[Request], *, node: str = "node-1", cuts: int = 1) -> None:
    """Hand in requests in their order, as so many segments of one log."""
    start = 0
    size = -(-len(requests) // cuts) or 1
    for first in range(0, len(requests), size):
        lines = as_lines(requests[first : first + size])
        intake.accept(told(start, start + len(lines), node=node), segment(lines))
        start += len(lines)


@contextmanager
def opened_again(folder: Path) -> Iterator[Counts]:
    """Yield what another process reads of a house that is open."""
    database = Database.reader(databases.address_of(folder))
    try:
        yield Counts(database)
    finally:
        database.close()
