"""A log that another process writes: its identity is drawn at each rotation, and kept beside it."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rollout.lake import segments

SETTLE_US: Final = 5_000_000
"""How long after a rotation the writer may still write to the old file."""


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a log; a complete one is never written again."""

    log: str
    path: Path
    is_complete: bool


class Log:
    """The current file and the rotated ones, whose names carry when and who they are."""

    def __init__(
        self,
        file: Path,
        *,
        reopen: Callable[[], None],
        draw: Callable[[], str] = lambda: secrets.token_hex(16),
        settle_us: int = SETTLE_US,
    ) -> None:
        self._file = file
        self._reopen = reopen
        self._draw = draw
        self._settle_us = settle_us
        self._identity_file = file.with_name(file.name + ".identity")
        self._rotated = re.compile(re.escape(file.name) + r"\.(?P<at>\d{16})\.(?P<log>[0-9a-f]{32})")
        file.parent.mkdir(parents=True, exist_ok=True)

    def parts(self, now_us: int) -> list[Part]:
        """Return every file that exists, the oldest first and the current one last."""
        rotated = sorted((found["at"], found["log"], path) for path, found in self._old_files())
        parts = [Part(log, path, int(at) + self._settle_us <= now_us) for at, log, path in rotated]
        if self._file.exists():
            parts.append(Part(self._identity(), self._file, is_complete=False))
        return parts

    def rotate(self, now_us: int) -> None:
        """Begin a new file; the old one is complete when the writer has had time to let go of it."""
        if self._file.exists():
            self._file.rename(self._file.with_name(f"{self._file.name}.{now_us:016d}.{self._identity()}"))
            segments.sync(self._file.parent)
            self._reopen()

    def size(self) -> int:
        """Return how many bytes the current file holds."""
        return self._file.stat().st_size if self._file.exists() else 0

    def _old_files(self) -> list[tuple[Path, re.Match[str]]]:
        found = ((path, self._rotated.fullmatch(path.name)) for path in self._file.parent.iterdir())
        return [(path, match) for path, match in found if match]

    def _identity(self) -> str:
        """Return who the current file is; a file that someone else put there is a new one."""
        inode = self._file.stat().st_ino
        known = self._read_identity()
        taken = {match["log"] for _, match in self._old_files()}
        if known is not None and known[1] == inode and known[0] not in taken:
            return known[0]
        log = self._draw()
        unfinished = self._identity_file.with_name(self._identity_file.name + segments.UNFINISHED)
        unfinished.write_text(json.dumps({"log": log, "inode": inode}))
        segments.publish(unfinished, self._identity_file)
        return log

    def _read_identity(self) -> tuple[str, int] | None:
        try:
            found = json.loads(self._identity_file.read_text())
        except FileNotFoundError:
            return None
        return found["log"], found["inode"]
