"""The only writer of lake and database: a segment is accepted at its cursor, filed, and counted once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from rollout.domain.records import BASELINE_SERVED, Digest
from rollout.intake.figures import Taken
from rollout.lake import segments
from rollout.lake.digest import EXPOSURES, OUTCOMES, Unreadable, check_columns, digest
from rollout.lake.engine import connect
from rollout.lake.segments import Kind, Segment
from rollout.lake.writer import Writer
from rollout.store.counts import Counts, Told
from rollout.store.losses import Lost

_COLUMNS: Final = {Kind.EXPOSURES: EXPOSURES, Kind.OUTCOMES: OUTCOMES}


class Point(StrEnum):
    """Where a crash would matter; a test kills the process at each of them."""

    WRITTEN = "written"
    FILED = "filed"
    BEFORE_COMMIT = "before commit"
    COUNTED = "counted"


@dataclass(frozen=True, slots=True)
class Filed:
    """The segment is in the lake and in the counts; the node may delete what is before the cursor."""

    cursor: int


@dataclass(frozen=True, slots=True)
class OutOfTurn:
    """The range does not start at the log's cursor: cut again from there. Nothing was changed."""

    cursor: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The body is no segment of this kind. Nothing was changed."""

    why: str


Answer = Filed | OutOfTurn | Refused


class Intake:
    """Files segments under one folder; there is one for each lake, in the process that leads.

    `failing` hears, once they are counted, whose candidates' requests have just failed. An intake of a higher
    `term` ends this one: from then on it files nothing and takes nothing back.
    """

    def __init__(  # noqa: PLR0913 (each is one thing that an intake is given)
        self,
        folder: Path,
        counts: Counts,
        *,
        now_us: Callable[[], int],
        failing: Callable[[Collection[str]], None] = lambda _: None,
        reached: Callable[[Point], None] = lambda _: None,
        term: int = 0,
    ) -> None:
        self._folder = folder
        self._failing = failing
        self._counts = counts
        self._now_us = now_us
        self._reached = reached
        self._engine = connect()
        self._turn = threading.Lock()
        self._doubtful: set[tuple[str, str, str]] = set()
        self._taken = {kind: Taken(kind) for kind in Kind}
        self._writer = Writer(folder, term)
        self._clear_up()

    def accept(self, told: Told, body: bytes) -> Answer:
        """File and count one segment; a range without bytes and body only tells a watermark.

        Raises `ValueError` for a kind, node, log or range that cannot be.
        """
        kind, segment = Kind(told.kind), Segment(told.node, told.log, told.start, told.end)
        with self._turn:
            cursor = self._counts.cursor(told.node, told.log)
            if told.start != cursor:
                self._note(Taken(kind, out_of_turn=1))
                return OutOfTurn(cursor)
            if told.end == told.start:
                return Filed(self._counts.add(told, Digest(), self._now_us()))
            self._delete_orphans(kind, segment, cursor)
            self._doubtful.add((kind, told.node, told.log))
            try:
                found, rows = self._file(kind, segment, body)
            except Unreadable as error:
                self._note(Taken(kind, refused=1))
                return Refused(str(error))
            cursor = self._counts.add(
                told, found, self._now_us(), before_commit=lambda: self._reached(Point.BEFORE_COMMIT)
            )
            self._doubtful.discard((kind, told.node, told.log))
            self._note(Taken(kind, filed=1, rows=rows, nbytes=len(body)))
            self._reached(Point.COUNTED)
            if against := {
                error.run.experiment for error in found.errors if error.arm not in BASELINE_SERVED
            }:
                self._failing(against)
            return Filed(cursor)

    def figures(self) -> tuple[Taken, ...]:
        """Return what came for each table since this intake began."""
        return tuple(self._taken.values())

    def forget_node(self, node: str) -> bool:
        """Let a node hold no watermark any longer: it drained, or a person removed it."""
        return self._counts.forget_node(node)

    def note_losses(self, node: str, lost: Iterable[Lost]) -> None:
        """Note for good what a node will never hand in."""
        self._counts.note_losses(node, lost, self._now_us())

    def _note(self, more: Taken) -> None:
        self._taken[more.kind] = self._taken[more.kind].plus(more)

    def _file(self, kind: Kind, segment: Segment, body: bytes) -> tuple[Digest, int]:
        """Return what a segment adds to the counts, and how many rows it has, once it is in the lake."""
        target = self._folder / kind / segment.name
        unfinished = self._writer.write(target.name, body)
        try:
            # Before it is published: what cannot be read never becomes part of the lake.
            rows = check_columns(self._engine, unfinished, _COLUMNS[kind])
            found = self._digest(kind, unfinished)
        except Unreadable:
            unfinished.unlink()
            raise
        self._reached(Point.WRITTEN)
        self._writer.publish(unfinished, target)
        self._reached(Point.FILED)
        return found, rows

    def _digest(self, kind: Kind, path: Path) -> Digest:
        match kind:
            case Kind.EXPOSURES:
                return digest(self._engine, path, self._counts.thresholds())
            case Kind.OUTCOMES:
                return Digest()

    def _delete_orphans(self, kind: Kind, segment: Segment, cursor: int) -> None:
        if (kind, segment.node, segment.log) in self._doubtful:
            self._take_back(self._folder / kind, segment.node, segment.log, cursor)

    def _clear_up(self) -> None:
        """Delete what a crash left behind: half-written files, and segments filed but not counted."""
        for kind in Kind:
            within = self._folder / kind
            within.mkdir(parents=True, exist_ok=True)
            segments.delete_unfinished(within)
            for node, log in {(segment.node, segment.log) for segment, _ in segments.listed(within)}:
                self._take_back(within, node, log, self._counts.cursor(node, log))

    def _take_back(self, within: Path, node: str, log: str, cursor: int) -> None:
        segments.delete_orphans(within, node, log, cursor, delete=self._writer.take_back)
