"""Which split was live when: a small file to which the publisher appends, and which the recorder reads."""

from __future__ import annotations

import os
from collections.abc import Iterable
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
    """The recorder's end: answers from memory, and reads the file again when it has changed."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._seen: tuple[int, int, int] | None = None
        self._times: dict[str, list[int]] = {}
        self._splits: dict[str, list[int]] = {}

    def refresh(self) -> None:
        """Take in what was appended."""
        try:
            found = self._file.stat()
        except FileNotFoundError:
            return
        seen = (found.st_ino, found.st_size, found.st_mtime_ns)
        if seen == self._seen:
            return
        self._seen = seen
        self._times, self._splits = {}, {}
        for entry in _entries(self._file):
            times = self._times.setdefault(entry.experiment, [])
            # The order of the lines is what happened; a clock set back must not change it.
            times.append(max(entry.ts_us, times[-1] if times else entry.ts_us))
            known = entry.split if entry.event is Event.ACKNOWLEDGED else UNKNOWN
            self._splits.setdefault(entry.experiment, []).append(known)

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
