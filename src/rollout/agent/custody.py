"""What became of a log's files: what others did to them, and the limit on what waits for the intake."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from rollout import logs
from rollout.agent.log import Log, Part
from rollout.agent.losses import ANYBODY, Loss, Losses
from rollout.agent.offsets import Offsets, first_line, tail_before
from rollout.lake.keeping import Keeping
from rollout.lake.lines import request_of

LEAST_FREE: Final = 256 * 2**20
WORTH_DROPPING: Final = 2**20
"""A current log that is smaller makes no room: the disk was filled by others."""
TOLD_EVERY_US: Final = 10_000_000
_log = logs.get("recorder")


def disk_of(folder: Path) -> tuple[int, int]:
    """Return how many bytes this process may still write to a folder's disk, and how many it has."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize


@dataclass(frozen=True, slots=True)
class Room:
    """How much may wait for the intake, and how much of the disk is left free: never over a twentieth."""

    largest_unsent: int = Keeping().largest_unsent
    least_free: int = LEAST_FREE
    worth_dropping: int = WORTH_DROPPING
    disk: Callable[[Path], tuple[int, int]] = field(default=disk_of)

    def is_short(self, unsent: int, folder: Path) -> bool:
        """Return whether something has to go."""
        free, whole = self.disk(folder)
        return unsent > self.largest_unsent or free < min(self.least_free, whole // 20)


class Custody:
    """Watches over the files of one log; whatever of them cannot be sent any more is counted and said."""

    def __init__(self, kind: str, log: Log, offsets: Offsets, losses: Losses, *, chunk: int) -> None:
        self._kind, self._log, self._offsets, self._losses, self._chunk = kind, log, offsets, losses, chunk
        self._looked_us = 0
        self._damaged: set[str] = set()
        self._told_us = -TOLD_EVERY_US

    def parts(self, now_us: int) -> list[Part]:
        """Return the files that may be read from where their offsets are."""
        self._losses.settle()
        gone = self._log.heal(now_us)
        for part in self._log.parts():
            self._look_at(part, now_us)
        parts = self._log.parts()
        here = {part.log for part in parts}
        for log in {*self._offsets.logs, *filter(None, [gone])} - here:
            self._miss(log, now_us, is_gone=log == gone)
        self._offsets.keep_only(here)
        self._looked_us = now_us
        return [part for part in parts if part.log not in self._damaged]

    def holds(self, part: Part) -> bool:
        """Return whether a file is still what it was when it was looked at; asked after it was read."""
        mark = self._offsets.mark(part.log)
        head, tail = first_line(part.path), tail_before(part.path, mark.offset)
        return part.size >= mark.offset and mark.head in {"", head} and mark.tail in {"", tail}

    def unsent(self) -> int:
        """Return how many bytes wait for the intake."""
        return sum(max(part.size - self._offsets.of(part.log), 0) for part in self._log.parts())

    def make_room(self, room: Room, now_us: int) -> None:
        """Drop the newest files that wait, until the rest fits: the proxy goes on, what is older stays."""
        parts = self._log.parts()
        if any(not part.is_current and not part.is_complete for part in parts):
            return  # the newest is about to be dropped
        for part in reversed(parts):
            if not room.is_short(self.unsent(), self._log.folder):
                return
            if part.is_complete:
                self._drop(part, parts)
            elif part.size >= room.worth_dropping:
                # It can be dropped once the writer has let go of it.
                self._log.rotate(now_us)
                return
        self._say_when_exhausted(room, now_us)

    def _drop(self, part: Part, parts: Iterable[Part]) -> None:
        """Delete a file whose rest will not be sent; its losses are noted before, for a crash in between."""
        losses = _count(part, self._offsets.of(part.log), self._kind, self._chunk)
        if losses:
            self._losses.note(losses, why="too much waits for the intake, or the disk is nearly full")
        self._offsets.keep_only({one.log for one in parts} - {part.log})
        part.path.unlink()
        self._losses.settle()

    def _look_at(self, part: Part, now_us: int) -> None:
        """Notice a file that is not what it was: shorter than what was sent of it, or with other content."""
        mark, size = self._offsets.mark(part.log), part.size
        if part.log in self._damaged:
            if part.is_complete:
                part.path.unlink()
            return
        head = first_line(part.path)
        if self.holds(part):
            self._offsets.seen(part.log, size, head, is_final=not part.is_current)
            return
        self._lose(mark.size - mark.offset, now_us, f"{part.path.name} was truncated or replaced")
        if size == 0 or head not in {"", mark.head}:
            self._log.renew(part)
            self._damaged.add(part.log)  # so that it is not missed
            return
        # What is left of it was sent already, and nobody can say where what is new begins.
        self._damaged.add(part.log)
        if part.is_current:
            self._log.rotate(now_us)

    def _miss(self, log: str, now_us: int, *, is_gone: bool) -> None:
        mark = self._offsets.mark(log)
        unsent = mark.size - mark.offset
        if log not in self._damaged and (is_gone or unsent > 0):
            self._lose(unsent, now_us, f"the log {log} was deleted")
        self._damaged.discard(log)

    def _lose(self, unsent: int, now_us: int, why: str) -> None:
        since_us = min(self._looked_us or now_us, now_us)
        loss = Loss(self._kind, ANYBODY, 0, rows=0, bytes=max(unsent, 0), from_us=since_us, to_us=now_us)
        self._losses.note([loss], why=why)

    def _say_when_exhausted(self, room: Room, now_us: int) -> None:
        """Note that the writer itself may have had no room; what it could not write nobody can count."""
        if room.disk(self._log.folder)[0] > 0 or abs(now_us - self._told_us) < TOLD_EVERY_US:
            return
        self._told_us = now_us
        self._lose(0, now_us, "the disk is full, through others")


def _count(part: Part, offset: int, kind: str, chunk: int) -> list[Loss]:
    """Return what is lost with the rest of a file, run by run."""
    sums: dict[tuple[str, int], Loss] = {}
    with part.path.open("rb") as stream:
        stream.seek(offset)
        while lines := stream.readlines(chunk):
            for line in lines:
                if (seen := request_of(line)) is not None:
                    key = (seen.run.experiment, seen.run.revision)
                    loss = Loss(kind, *key, rows=1, bytes=len(line), from_us=seen.ts_us, to_us=seen.ts_us)
                    sums[key] = sums[key].with_more(loss) if key in sums else loss
    return list(sums.values())
