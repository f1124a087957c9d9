"""Which split was live when: a small file to which the publisher appends, and which the recorder reads."""

from __future__ import annotations

import os
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable
from enum import StrEnum
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from rollout.lake import segments
from rollout.lake.record import UNKNOWN
from rollout.stats.arrays import IntArray

LARGEST_BYTES: Final = 2**20
"""Beyond it the journal is rewritten when the publisher opens it."""
KEPT_ENTRIES: Final = 1000
"""The newest entries of each experiment that a rewritten journal keeps."""

SLEWED_US: Final = 100_000
"""A clock that loses less between two looks is only being put right slowly."""


class Event(StrEnum):
    """What happened to a split on this node."""

    PUBLISHED = "published"
    """Envoy may begin to use it at any moment from now on."""
    ACKNOWLEDGED = "acknowledged"
    """Envoy said that this split, and no other, is live."""


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of the journal."""

    experiment: str
    event: Event
    split: int
    ts_us: int


_DECODER: Final = msgspec.json.Decoder(Entry)
_ENCODER: Final = msgspec.json.Encoder()


class Journal:
    """The publisher's end: `published` before Envoy's file is renamed, `acknowledged` after Envoy said so.

    A publication that Envoy rejects is followed by the acknowledgement of the split that stayed.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        file.parent.mkdir(parents=True, exist_ok=True)
        entries = _entries(file)
        size = file.stat().st_size if file.exists() else 0
        if size > LARGEST_BYTES or size != len(_ENCODER.encode_lines(entries)):
            _rewrite(file, entries)

    def published(self, experiment: str, split: int, ts_us: int) -> None:
        """Note that requests from now on may meet either split."""
        self._append(Entry(experiment, Event.PUBLISHED, split, ts_us))

    def acknowledged(self, experiment: str, split: int, ts_us: int) -> None:
        """Note that requests from now on meet this split."""
        self._append(Entry(experiment, Event.ACKNOWLEDGED, split, ts_us))

    def _append(self, entry: Entry) -> None:
        with self._file.open("ab") as stream:
            stream.write(_ENCODER.encode(entry) + b"\n")
            stream.flush()
            os.fsync(stream.fileno())


class SplitHistory:
    """The recorder's end: answers from memory, and reads the file again when it has changed.

    After a clock was set back its times come again, and what is read from then on was logged by the clock as
    it is now: of times that came twice, the second answer stands.
    """

    def __init__(
        self,
        file: Path,
        *,
        now_us: Callable[[], int] = lambda: time.time_ns() // 1_000,
        elapsed_us: Callable[[], int] = lambda: time.monotonic_ns() // 1_000,
    ) -> None:
        self._file = file
        self._now_us, self._elapsed_us = now_us, elapsed_us
        self._seen: tuple[int, int, int] | None = None
        self._entries = 0
        self._set_back: dict[int, int] = {}
        """Behind how many entries a clock was set back, and to when at the earliest."""
        self._last_us = (now_us(), elapsed_us())
        self._times: dict[str, list[int]] = {}
        self._splits: dict[str, list[int]] = {}

    def refresh(self) -> None:
        """Take in what was appended, and whether the clock was set back."""
        is_right = self._watch_clock()
        try:
            found = self._file.stat()
        except FileNotFoundError:
            return
        seen = (found.st_ino, found.st_size, found.st_mtime_ns)
        if is_right and seen == self._seen:
            return
        self._seen = seen
        self._times, self._splits = {}, {}
        entries = _entries(self._file)
        for number, entry in enumerate(entries):
            self._begin_again(number)
            known = entry.split if entry.event is Event.ACKNOWLEDGED else UNKNOWN
            self._append(entry.experiment, entry.ts_us, known)
        self._begin_again(len(entries))
        self._entries = len(entries)

    def _watch_clock(self) -> bool:
        """Return whether the clock ran on; when it was set back, remember behind which entry."""
        (before_us, then_us), now = self._last_us, (self._now_us(), self._elapsed_us())
        self._last_us = now
        step_us = (now[0] - before_us) - (now[1] - then_us)
        if step_us >= -SLEWED_US:
            return True
        self._set_back[self._entries] = min(before_us + step_us, self._set_back.get(self._entries, 2**62))
        return False

    def _begin_again(self, number: int) -> None:
        """Let what stood last go on from where the clock was set back to."""
        if number in self._set_back:
            for experiment, splits in self._splits.items():
                self._append(experiment, self._set_back[number], splits[-1])

    def _append(self, experiment: str, ts_us: int, split: int) -> None:
        times, splits = self._times.setdefault(experiment, []), self._splits.setdefault(experiment, [])
        first = bisect_left(times, ts_us)
        del times[first:], splits[first:]
        times.append(ts_us)
        splits.append(split)

    def split_at(self, experiment: str, ts_us: int) -> int | None:
        """Return the split that was acknowledged at a time; nothing before the first, and during a change."""
        (split,) = self.splits_at(experiment, np.array([ts_us])).tolist()
        return None if split == UNKNOWN else split

    def splits_at(self, experiment: str, ts_us: IntArray) -> IntArray:
        """Return the same for many times, as a column: `UNKNOWN` stands for nothing."""
        places = np.searchsorted(self._times.get(experiment, []), ts_us, side="right")
        return np.array([UNKNOWN, *self._splits.get(experiment, [])], dtype=np.int64)[places]


def _entries(file: Path) -> list[Entry]:
    """Return the journal's complete lines; a torn last one was never relied upon."""
    content = file.read_bytes() if file.exists() else b""
    found = []
    for line in content[: content.rfind(b"\n") + 1].split(b"\n")[:-1]:
        try:
            found.append(_DECODER.decode(line))
        except msgspec.MsgspecError:
            continue
    return found


def _rewrite(file: Path, entries: Iterable[Entry]) -> None:
    by_experiment: dict[str, list[Entry]] = {}
    for entry in entries:
        by_experiment.setdefault(entry.experiment, []).append(entry)
    kept = [entry for own in by_experiment.values() for entry in own[-KEPT_ENTRIES:]]
    unfinished = file.with_name(file.name + segments.UNFINISHED)
    unfinished.write_bytes(_ENCODER.encode_lines(kept))
    segments.publish(unfinished, file)
