"""Whether the lake holds every byte that nodes handed in: what was counted and is in no file is a gap."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rollout.domain.quality import Gap
from rollout.lake import segments
from rollout.lake.segments import Segment

ASKED_EVERY_US: Final = 10_000_000
"""A folder is listed no more often than this, however many runs ask."""


@dataclass(frozen=True, slots=True)
class Filed:
    """How far a node's log was counted, and when the last of it was."""

    kind: str
    node: str
    log: str
    end: int
    at_us: int


@dataclass(frozen=True, slots=True)
class Missing:
    """A gap, and until when at the latest what it held was handed in."""

    gap: Gap
    until_us: int


class Completeness:
    """Compares what was counted with the files that are there; one answer serves every run for a while."""

    def __init__(self, folder: Path, filed: Callable[[], Sequence[Filed]]) -> None:
        self._folder, self._filed = folder, filed
        self._turn = threading.Lock()
        self._asked_us: int | None = None
        self._missing: tuple[Missing, ...] = ()

    def gaps(self, since_us: int, now_us: int) -> tuple[Gap, ...]:
        """Return the gaps that may hold records from after a time."""
        with self._turn:
            if self._asked_us is None or not 0 <= now_us - self._asked_us < ASKED_EVERY_US:
                # What is counted is asked before what is there: a file is published before it is counted.
                self._missing = tuple(missing(self._folder, self._filed()))
                self._asked_us = now_us
            return tuple(one.gap for one in self._missing if one.until_us >= since_us)


def missing(folder: Path, filed: Sequence[Filed]) -> Iterator[Missing]:
    """Yield every range of a counted log that is in no file and has not expired."""
    by_kind = defaultdict(list)
    for one in filed:
        by_kind[one.kind].append(one)
    for kind, logs in sorted(by_kind.items()):
        within = folder / kind
        gone = segments.expired(within) if within.is_dir() else {}
        found = defaultdict(list)
        for segment, path in segments.listed(within) if within.is_dir() else ():
            found[segment.node, segment.log].append((segment, path))
        for one in logs:
            key = (one.node, one.log)
            yield from _of_log(one, gone[key].end if key in gone else 0, found[key])


def _of_log(one: Filed, end: int, files: list[tuple[Segment, Path]]) -> Iterator[Missing]:
    for segment, path in sorted(files):
        if segment.start > end:
            yield Missing(Gap(one.kind, one.node, one.log, end, segment.start), _filed_us(path, one))
        end = max(end, segment.end)
    if end < one.end:
        yield Missing(Gap(one.kind, one.node, one.log, end, one.end), one.at_us)


def _filed_us(path: Path, one: Filed) -> int:
    """Return when a file was written, which is after what lies before it; one that is gone says nothing."""
    try:
        return path.stat().st_mtime_ns // 1_000
    except FileNotFoundError:
        return one.at_us
