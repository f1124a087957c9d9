"""How far the intake has acknowledged each log of this node, and what stood there: a small durable file."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection
from pathlib import Path
from typing import Final

import msgspec

from rollout.lake import segments

SEALED_BYTES: Final = 1024
"""Enough for a whole line, whose time and unit no other line shares."""
_NOTHING: Final = ""


class Mark(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is remembered of one log: hashes of its first line and its last sent bytes know it again."""

    offset: int = 0
    size: int = 0
    head: str = _NOTHING
    tail: str = _NOTHING


class Offsets:
    """Losing the file loses nothing: the intake answers with its own cursor."""

    def __init__(self, file: Path) -> None:
        self._file = file
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._known = msgspec.json.decode(file.read_bytes(), type=dict[str, Mark])
        except (FileNotFoundError, msgspec.MsgspecError):
            self._known = {}
        self._on_disk = dict(self._known)

    def of(self, log: str) -> int:
        """Return the first byte of a log that is not acknowledged."""
        return self.mark(log).offset

    def mark(self, log: str) -> Mark:
        """Return what is remembered of a log; nothing of an unknown one."""
        return self._known.get(log, Mark())

    @property
    def logs(self) -> tuple[str, ...]:
        """Return every log that is remembered."""
        return tuple(self._known)

    def acknowledged(self, log: str, offset: int, path: Path | None = None) -> None:
        """Note what the intake said, and what the file holds there."""
        size = max(self.mark(log).size, offset)
        tail = _NOTHING if path is None else tail_before(path, offset)
        self._put(log, Mark(offset, size, self.mark(log).head, tail))

    def seen(self, log: str, size: int, head: str, *, is_final: bool) -> None:
        """Note how large a file is and how it begins; of one that grows no more this outlives the process."""
        mark = self.mark(log)
        now = msgspec.structs.replace(mark, size=max(size, mark.size), head=mark.head or head)
        if now != Mark():
            self._known[log] = now
        if is_final and self._on_disk.get(log) != self._known.get(log):
            self._write()

    def keep_only(self, logs: Collection[str]) -> None:
        """Forget logs that are deleted."""
        kept = {log: mark for log, mark in self._known.items() if log in logs}
        if kept != self._known:
            self._known = kept
            self._write()

    def _put(self, log: str, mark: Mark) -> None:
        self._known[log] = mark
        if self._on_disk.get(log) != mark:
            self._write()

    def _write(self) -> None:
        unfinished = self._file.with_name(self._file.name + segments.UNFINISHED)
        unfinished.write_bytes(msgspec.json.encode(self._known))
        segments.publish(unfinished, self._file)
        self._on_disk = dict(self._known)


def tail_before(path: Path, offset: int) -> str:
    """Return the hash of the bytes before an offset; nothing when the file is shorter."""
    length = min(SEALED_BYTES, offset)
    with path.open("rb") as stream:
        if length == 0 or os.fstat(stream.fileno()).st_size < offset:
            return _NOTHING
        stream.seek(offset - length)
        return _hash(stream.read(length))


def first_line(path: Path) -> str:
    """Return the hash of a file's first line, or of the beginning of a long one; nothing while it grows."""
    with path.open("rb") as stream:
        line = stream.readline(SEALED_BYTES)
    return _hash(line) if line.endswith(b"\n") or len(line) == SEALED_BYTES else _NOTHING


def _hash(content: bytes) -> str:
    # Lines hold raw ids, so only their hash may outlive them.
    return hashlib.blake2b(content, digest_size=16).hexdigest()
