"""Segments: immutable files whose names say which bytes of which log they hold, so no manifest is needed."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

UNFINISHED: Final = ".tmp"
EXPIRED: Final = ".expired"
"""Ends the name of an empty file that says: what this range held was deleted because of its age."""
_PARQUET: Final = ".parquet"
NODE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
LOG: Final = re.compile(r"[0-9a-f]{32}")
_LARGEST: Final = 10**15
_NAME: Final = re.compile(
    rf"(?P<node>{NODE.pattern})~(?P<log>{LOG.pattern})~(?P<start>\d{{15}})-(?P<end>\d{{15}})\.parquet"
)


class Kind(StrEnum):
    """The two tables of the lake; each is a folder of segments."""

    EXPOSURES = "exposures"
    OUTCOMES = "outcomes"


@dataclass(frozen=True, slots=True, order=True)
class Segment:
    """The bytes start ≤ b < end of one node's log; the log's identity is drawn anew at each rotation."""

    node: str
    log: str
    start: int
    end: int

    def __post_init__(self) -> None:
        """Refuse what could not be a file's name."""
        if not NODE.fullmatch(self.node):
            raise ValueError("node: must be 1 to 63 letters, digits and the signs . _ -")
        if not LOG.fullmatch(self.log):
            raise ValueError("log: must be 32 hexadecimal digits")
        if not 0 <= self.start <= self.end < _LARGEST:
            raise ValueError(f"start, end: must be 0 ≤ start ≤ end < 10¹⁵ (got {self.start}, {self.end})")

    @property
    def name(self) -> str:
        """Return the file's name."""
        return f"{self.node}~{self.log}~{self.start:015d}-{self.end:015d}.parquet"

    @classmethod
    def of_name(cls, name: str) -> Segment | None:
        """Return what a file's name says, or nothing when it is no segment."""
        found = _NAME.fullmatch(name)
        if found is None or int(found["start"]) > int(found["end"]):
            return None
        return cls(found["node"], found["log"], int(found["start"]), int(found["end"]))


def content_digest(body: bytes) -> str:
    """Return what stands in the header `Content-Digest` (RFC 9530) beside a segment on its way."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


def publish(unfinished: Path, target: Path) -> None:
    """Make a finished file appear under its name, for good: fsync, rename, fsync the folder."""
    sync(unfinished)
    unfinished.replace(target)
    sync(target.parent)


def sync(path: Path) -> None:
    """Wait until a file or folder is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def listed(folder: Path) -> Iterator[tuple[Segment, Path]]:
    """Yield every finished segment of a folder, in no order."""
    for path in folder.iterdir():
        segment = Segment.of_name(path.name)
        if segment is not None:
            yield segment, path


def expired(folder: Path) -> dict[tuple[str, str], Segment]:
    """Return what has expired of each (node, log): always its beginning."""
    found: dict[tuple[str, str], Segment] = {}
    for path in folder.glob(f"*{EXPIRED}"):
        segment = Segment.of_name(path.name.removesuffix(EXPIRED) + _PARQUET)
        if segment is not None:
            key = (segment.node, segment.log)
            found[key] = max(segment, found.get(key, segment), key=lambda one: one.end)
    return found


def expire(folder: Path, gone: Segment) -> None:
    """Say for good that a log's beginning has expired: from now on no reader is given it."""
    stone = folder / (gone.name.removesuffix(_PARQUET) + EXPIRED)
    stone.touch()
    sync(stone)
    sync(folder)


def covering(folder: Path) -> list[Path]:
    """Return the files to read, each byte once: a segment inside a longer one is superseded by it."""
    gone = expired(folder)
    found = sorted(listed(folder), key=lambda one: (one[0].node, one[0].log, one[0].start, -one[0].end))
    kept: list[Path] = []
    log, end = ("", ""), 0
    for segment, path in found:
        if (segment.node, segment.log) != log:
            log = (segment.node, segment.log)
            end = gone[log].end if log in gone else 0
        if segment.end > end:
            kept.append(path)
            end = segment.end
    return kept


def delete_orphans(
    folder: Path, node: str, log: str, cursor: int, *, delete: Callable[[Path], None] = Path.unlink
) -> int:
    """Delete every file of a log that ends beyond its cursor: filed, but never counted. Returns how many."""
    orphans = [
        path
        for segment, path in listed(folder)
        if (segment.node, segment.log) == (node, log) and segment.end > cursor
    ]
    for path in orphans:
        delete(path)
    if orphans:
        sync(folder)
    return len(orphans)


def delete_unfinished(folder: Path) -> None:
    """Delete what a crash left half written."""
    for path in folder.glob(f"*{UNFINISHED}"):
        path.unlink(missing_ok=True)
