"""A log becomes segments: complete lines are cut, converted, handed in, and deleted when acknowledged."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, Protocol, assert_never

from rollout import logs
from rollout.agent.custody import Custody, Room
from rollout.agent.log import Log, Part
from rollout.agent.losses import Loss, Losses
from rollout.agent.offsets import Offsets
from rollout.agent.uplink import Unreachable, Uplink
from rollout.intake.intake import Filed, OutOfTurn, Refused
from rollout.lake.segments import Kind
from rollout.store.counts import Told

LARGEST_CUT: Final = 8 * 2**20
LARGEST_FILE: Final = 64 * 2**20
LARGEST_QUARANTINE: Final = 2**20
RECUTS: Final = 3
"""How often one step takes the intake's word for where to cut."""
LONGEST_PAUSE_S: Final = 5.0
LAST_STEP_S: Final = 5.0
"""How long a recorder that is stopped goes on handing in; the rest is there at the next start."""
_log = logs.get("recorder")


class Point(StrEnum):
    """Where a crash would matter; a test kills the process at each of them."""

    CUT = "cut"
    SENT = "sent"
    NOTED = "noted"
    FORGOTTEN = "forgotten"
    DELETED = "deleted"


class Converter(Protocol):
    """Turns complete lines into a segment's content."""

    def __call__(self, lines: bytes) -> tuple[bytes, list[bytes]]:
        """Return the Parquet bytes, and the lines that could not be understood."""
        ...


@dataclass(frozen=True, slots=True)
class Stream:
    """What is recorded: its kind, under which node, from which log, and how late a line may come.

    A line stands in the log at most `lag_us` after what it tells began: the longest request and a flush.
    While that is not known, nothing is said of how far the log reaches.
    """

    kind: str
    node: str
    log: Log
    convert: Converter
    lag_us: Callable[[], int | None]
    folder: Path


@dataclass(frozen=True, slots=True)
class Cut:
    """A range of a log, its complete lines, and whether nothing complete is behind it."""

    start: int
    lines: bytes
    is_last: bool

    @property
    def end(self) -> int:
        """Return the first byte after it."""
        return self.start + len(self.lines)


class Recorder:
    """Hands in one stream; a step may be repeated, or cut off anywhere, without loss or double.

    `room` limits what waits for the intake, by default that of exposures alone: outcomes are promised.
    """

    def __init__(  # noqa: PLR0913 (each is one thing that a test changes)
        self,
        stream: Stream,
        uplink: Uplink,
        *,
        now_us: Callable[[], int],
        reached: Callable[[Point], None] = lambda _: None,
        largest_cut: int = LARGEST_CUT,
        room: Room | None = None,
        losses: Losses | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._stream = stream
        self._uplink = uplink
        self._now_us = now_us
        self._reached = reached
        self._largest_cut = largest_cut
        self._room = room or (Room() if stream.kind == Kind.EXPOSURES else None)
        self._chance = chance
        self._offsets = Offsets(stream.folder / f"{stream.kind}.offsets")
        self._quarantine = stream.folder / f"{stream.kind}.quarantine"
        self.losses = losses or Losses(stream.folder / f"{stream.kind}.losses")
        """What of this stream will never reach the lake."""
        self._told: tuple[Loss, ...] = ()
        self._custody = Custody(stream.kind, stream.log, self._offsets, self.losses, chunk=largest_cut)

    def step(self, until: Callable[[], bool] = lambda: False) -> bool:
        """Hand in everything that is complete now; false when the intake cannot be reached or refuses.

        `until` is asked between cuts, and ends the step: what is left is for the next one.
        """
        now_us = self._now_us()
        parts = self._custody.parts(now_us)
        try:
            self._tell_losses()
            # The first that fails ends the step: a watermark holds only when everything older is filed.
            return all(self._drain(part, now_us, until) for part in parts)
        except Unreachable as error:
            _log.warning("the intake cannot be reached; the log keeps what it holds", reason=str(error))
            return False
        finally:
            if self._room is not None:
                self._custody.make_room(self._room, now_us)

    def _tell_losses(self) -> None:
        """Say what is lost before anything more is promised: of the rest alone nothing may be concluded."""
        lost = self.losses.all()
        if lost != self._told:
            self._uplink.tell_losses(self._stream.node, lost)
            self._told = lost

    def unsent_bytes(self) -> int:
        """Return how much of the log waits for the intake."""
        return self._custody.unsent()

    def run(self, stop: threading.Event, *, interval_s: float = 0.5) -> None:
        """Step until told to stop, rotating the log when it is large; then once more, within a limit.

        What fails is tried again, later each time, so that all nodes do not come back together.
        """
        pause_s = interval_s
        while not stop.wait(pause_s):
            is_fine = self._try(stop.is_set)
            pause_s = interval_s if is_fine else self._later(pause_s)
            with suppress(OSError):
                if self._stream.log.size() > LARGEST_FILE:
                    self._stream.log.rotate(self._now_us())
        deadline_s = time.monotonic() + LAST_STEP_S
        self._try(lambda: time.monotonic() > deadline_s)

    def _try(self, until: Callable[[], bool]) -> bool:
        try:
            return self.step(until)
        except Exception as error:  # noqa: BLE001 (it outlives a full disk, and a file that somebody took away)
            _log.warning(
                "a step of recording failed; it is tried again", kind=self._stream.kind, why=str(error)
            )
            return False

    def _later(self, pause_s: float) -> float:
        return min(2 * pause_s, LONGEST_PAUSE_S) * (0.5 + 0.5 * self._chance())

    def _drain(self, part: Part, now_us: int, until: Callable[[], bool]) -> bool:
        recuts = 0
        while not until():
            cut = self._cut(part)
            if not self._custody.holds(part):
                return False  # somebody changed it since it was looked at: the next step does that again
            covers_now = part.is_current and cut.is_last
            if not cut.lines and not covers_now:
                break
            lag_us = self._stream.lag_us() if covers_now else None
            answer = self._hand_in(part, cut, 0 if lag_us is None else now_us - lag_us)
            match answer:
                case Filed(cursor):
                    self._note(part, cursor)
                case OutOfTurn(cursor):
                    recuts += 1
                    if recuts > RECUTS:
                        return False
                    self._note(part, cursor)
                    continue
                case Refused(why):
                    _log.error("the intake refuses a segment", log=part.log, start=cut.start, reason=why)
                    return False
                case _:
                    assert_never(answer)
            if cut.is_last:
                break
        else:
            return False
        if part.is_complete and self._offsets.of(part.log) >= part.path.stat().st_size:
            # Forgotten first: a file that is remembered and gone would look like one that somebody took away.
            self._offsets.keep_only({*self._offsets.logs} - {part.log})
            self._reached(Point.FORGOTTEN)
            part.path.unlink()
            self._reached(Point.DELETED)
        return True

    def _cut(self, part: Part) -> Cut:
        start = self._offsets.of(part.log)
        with part.path.open("rb") as stream:
            stream.seek(start)
            content = stream.read(self._largest_cut + 1)
        more = len(content) > self._largest_cut
        content = content[: self._largest_cut]
        lines = content[: content.rfind(b"\n") + 1]
        # A line without an end in a finished file is torn; one longer than a cut is no line of ours.
        if (more and not lines) or (part.is_complete and not more):
            lines = content
        return Cut(start, lines, is_last=not more)

    def _hand_in(self, part: Part, cut: Cut, watermark_us: int) -> Filed | OutOfTurn | Refused:
        content, bad = self._stream.convert(cut.lines) if cut.lines else (b"", [])
        self._reached(Point.CUT)
        told = Told(
            *(self._stream.kind, self._stream.node, part.log, cut.start, cut.end),
            *(max(watermark_us, 0), len(bad)),
        )
        answer = self._uplink.send(told, content)
        self._reached(Point.SENT)
        if bad and isinstance(answer, Filed):
            self._set_aside(bad)
        return answer

    def _note(self, part: Part, cursor: int) -> None:
        self._offsets.acknowledged(part.log, cursor, part.path)
        self._reached(Point.NOTED)

    def _set_aside(self, bad: list[bytes]) -> None:
        """Keep bad lines for a person to look at, up to a limit; they hold raw ids, so they stay here."""
        _log.warning("lines could not be understood", lines=len(bad), file=str(self._quarantine))
        with self._quarantine.open("ab") as stream:
            room = LARGEST_QUARANTINE - stream.tell()
            stream.write(b"".join(line + b"\n" for line in bad)[: max(room, 0)])
