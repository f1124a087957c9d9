"""A log that another process writes: its identity is drawn at each rotation, and kept beside it."""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
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
    is_current: bool
    is_complete: bool

    @property
    def size(self) -> int:
        """Return how many bytes it holds; none when somebody has just taken it away."""
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0


@dataclass(frozen=True, slots=True)
class _Known:
    """What is kept beside the current file: who it is, and what a process that begins anew cannot see."""

    log: str
    inode: int
    strangers: tuple[int, ...] | None = None
    """The inodes of files that bore our name's beginning then; an older program did not keep them."""
    is_gone: bool = False
    """Whether it was missed, and nothing has been given an identity since."""


class Log:
    """The current file and the rotated ones, whose names carry when and who they are."""

    def __init__(  # noqa: PLR0913 (time and chance are arguments, with defaults)
        self,
        file: Path,
        *,
        reopen: Callable[[], None],
        draw: Callable[[], str] = lambda: secrets.token_hex(16),
        settle_us: int = SETTLE_US,
        elapsed_us: Callable[[], int] = lambda: time.monotonic_ns() // 1_000,
        is_spoiled: Callable[[], bool] = lambda: False,
    ) -> None:
        self._file = file
        self._reopen = reopen
        self._draw = draw
        self._settle_us = settle_us
        self._elapsed_us = elapsed_us
        self._is_spoiled = is_spoiled
        self._identity_file = file.with_name(file.name + ".identity")
        self._rotated = re.compile(re.escape(file.name) + r"\.(?P<at>\d{16})\.(?P<log>[0-9a-f]{32})")
        self._settling_since_us: dict[str, int] = {}
        file.parent.mkdir(parents=True, exist_ok=True)
        known = self._read_identity()
        self._gone = known.log if known is not None and known.is_gone else None
        inodes = self._inodes() if known is None else known.strangers
        self._strangers_before = None if inodes is None else frozenset(inodes)

    @property
    def folder(self) -> Path:
        """Where its files stand."""
        return self._file.parent

    def parts(self) -> list[Part]:
        """Return every file that exists, the oldest first and the current one last."""
        old = sorted((found["at"], found["log"], path) for path, found in self._old_files())
        begun = self._file.exists()
        # Measured by a clock that nobody sets, and only once the writer has begun another file.
        now_us = self._elapsed_us()
        since = {log: self._settling_since_us.get(log, now_us) for _, log, _ in old} if begun else {}
        self._settling_since_us = since
        parts = [
            Part(log, path, is_current=False, is_complete=begun and since[log] + self._settle_us <= now_us)
            for _, log, path in old
        ]
        if begun:
            parts.append(Part(self._identity(), self._file, is_current=True, is_complete=False))
        return parts

    def rotate(self, now_us: int) -> None:
        """Begin a new file; the old one is complete when the writer has had time to let go of it."""
        if self._file.exists():
            self._set_aside(self._file, self._identity(), now_us)
            self._remember(self._read_identity())
            self._reopen()

    def renew(self, part: Part) -> None:
        """Take what now stands in a file for a new log: its content was replaced."""
        if part.is_current:
            self._draw_identity(self._file.stat().st_ino)
        else:
            part.path.rename(part.path.with_name(part.path.name.replace(part.log, self._draw())))
            segments.sync(self._file.parent)

    def heal(self, now_us: int) -> str | None:
        """Mend what somebody did to the current file; returns who it was if it is gone, once.

        One that was renamed in its folder is taken for rotated. A writer without a file is told to begin one,
        and one that gave its file up begins another.
        """
        if self._is_spoiled():
            self.rotate(now_us)
        known, begun = self._read_identity(), self._file.exists()
        if known is None or (begun and self._file.stat().st_ino == known.inode):
            if known is None:
                self._set_strays_aside(now_us)
            self._remember(known)
            return None
        gone = None
        if known.log == self._gone or known.log in self._taken():
            self._set_strays_aside(now_us)
        elif renamed := self._renamed(known.inode):
            self._set_aside(renamed, known.log, now_us)
            self._remember(known)
        else:
            gone = self._gone = known.log
            self._remember(known)
        if not begun:
            self._reopen()
        return gone

    def size(self) -> int:
        """Return how many bytes the current file holds."""
        return self._file.stat().st_size if self._file.exists() else 0

    def _set_aside(self, path: Path, log: str, now_us: int) -> None:
        # After a clock was set back, the newest still has the last name.
        newest = max((int(found["at"]) for _, found in self._old_files()), default=0)
        path.rename(self._file.with_name(f"{self._file.name}.{max(now_us, newest + 1):016d}.{log}"))
        segments.sync(self._file.parent)

    def _old_files(self) -> list[tuple[Path, re.Match[str]]]:
        found = ((path, self._rotated.fullmatch(path.name)) for path in self._file.parent.iterdir())
        return [(path, match) for path, match in found if match]

    def _taken(self) -> set[str]:
        return {match["log"] for _, match in self._old_files()}

    def _renamed(self, inode: int) -> Path | None:
        """Return the file that was the current one; its inode may be another's by now, so names count."""
        return next((path for path in self._strangers() if path.stat().st_ino == inode), None)

    def _set_strays_aside(self, now_us: int) -> None:
        """Take in what was begun since, and renamed before it had an identity."""
        for stray in self._strays():
            self._set_aside(stray, self._draw(), now_us)

    def _remember(self, known: _Known | None) -> None:
        """Note, for a later process too, which files are none of ours, and whether ours is gone."""
        inodes = self._inodes()
        self._strangers_before = frozenset(inodes)
        if known is None:
            return
        now = _Known(known.log, known.inode, inodes, is_gone=known.log == self._gone)
        if now != known:
            with suppress(OSError):  # a full disk: it is tried again at the next look, which goes on
                self._write_identity(now)

    def _inodes(self) -> tuple[int, ...]:
        return tuple(sorted(path.stat().st_ino for path in self._strangers()))

    def _strays(self) -> list[Path]:
        """Return the files that somebody named since the last one that had an identity was there."""
        before = self._strangers_before
        return [] if before is None else [one for one in self._strangers() if one.stat().st_ino not in before]

    def _strangers(self) -> list[Path]:
        """Return the files whose names begin like the current one's, and that we did not name."""
        ours = {self._identity_file.name, self._identity_file.name + segments.UNFINISHED, self._file.name}
        ours |= {path.name for path, _ in self._old_files()}
        found = self._file.parent.glob(self._file.name + "*")
        return [path for path in found if path.name not in ours and path.is_file()]

    def _identity(self) -> str:
        """Return who the current file is; a file that someone else put there is a new one."""
        inode = self._file.stat().st_ino
        known = self._read_identity()
        # A new file is often given the inode of one that was just deleted.
        if known is not None and known.inode == inode and known.log not in {*self._taken(), self._gone}:
            return known.log
        return self._draw_identity(inode)

    def _draw_identity(self, inode: int) -> str:
        log = self._draw()
        self._write_identity(_Known(log, inode, self._inodes()))
        return log

    def _write_identity(self, known: _Known) -> None:
        unfinished = self._identity_file.with_name(self._identity_file.name + segments.UNFINISHED)
        unfinished.write_text(json.dumps(asdict(known)))
        segments.publish(unfinished, self._identity_file)

    def _read_identity(self) -> _Known | None:
        try:
            found = json.loads(self._identity_file.read_text())
        except FileNotFoundError:
            return None
        strangers = found.get("strangers")
        return _Known(
            found["log"],
            found["inode"],
            None if strangers is None else tuple(strangers),
            is_gone=found.get("is_gone", False),
        )
