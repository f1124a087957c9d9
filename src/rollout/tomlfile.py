"""A private file in TOML that may change while we run: bounded, and read again when it has changed."""

from __future__ import annotations

import os
import stat
import time
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

import structlog

from rollout.errors import Problem, WrongSettings

LARGEST_BYTES: Final = 256 * 1024
SETTLES_AFTER_NS: Final = 2_000_000_000
"""As coarse as times of files are anywhere: what was changed later than this may change again unseen."""
_LOG = structlog.get_logger(part="files")
Sense = TypeVar("Sense")
Stamp = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Kind:
    """How a file is spoken of: what it is a file of, and how one line of it is written."""

    of: str
    example: str


def read(file: Path, kind: Kind) -> dict[str, Any]:
    """Return what a file says; raises `WrongSettings` without repeating anything of it."""
    try:
        content = _content(file)
        if content is None or len(content) > LARGEST_BYTES:
            what = "not a regular file" if content is None else f"larger than {LARGEST_BYTES // 1024} KiB"
            raise WrongSettings(Problem(str(file), what, f"name the file of {kind.of}"))
        return tomllib.loads(content.decode())
    except OSError as error:
        what = (error.strerror or str(error)).lower()
        raise WrongSettings(Problem(str(file), what, "name a file that can be read")) from None
    except (ValueError, RecursionError):
        # The parser's own words may repeat what stands in the file.
        raise WrongSettings(Problem(str(file), "not TOML", kind.example)) from None


class Reread(Generic[Sense]):
    """What a file means now: read again when it has changed, and the last good sense while it is wrong."""

    def __init__(
        self,
        file: Path | None,
        understand: Callable[[Path], Sense],
        *,
        nothing: Sense,
        forgets: bool,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        """Raise `WrongSettings` when there is a file that cannot be understood now.

        `nothing` is meant without a file, and where it `forgets`, also when the file has gone.
        """
        self._file, self._understand, self._now_ns = file, understand, now_ns
        self._nothing, self._forgets = nothing, forgets
        self._said = ""
        # One value, so that of two threads that read at once neither leaves its stamp on the other's sense.
        self._known: tuple[Stamp | None, Sense] = (None, nothing)
        if file is not None:
            self._known = _stamp(file, now_ns()), understand(file)

    def now(self) -> Sense:
        """Return what the file means now."""
        before, sense = self._known
        if self._file is None:
            return sense
        stamp = _stamp(self._file, self._now_ns())
        if stamp is not None and stamp == before:
            return sense
        try:
            sense, self._said = self._understand(self._file), ""
        except WrongSettings as error:
            forgets = self._forgets and _is_gone(self._file)
            sense = self._nothing if forgets else sense
            self._say(str(error), "nothing of it holds" if forgets else "what it said before holds")
        self._known = stamp, sense
        return sense

    def _say(self, reason: str, so: str) -> None:
        """Log once what is wrong, however often it is found."""
        if reason != self._said:
            self._said = reason
            _LOG.error(f"a file cannot be used any more; {so}", reason=reason)


def _content(file: Path) -> bytes | None:
    """Return what a file holds, and one byte at most beyond what it may; nothing where it is no file.

    What waits for somebody to write, such as a pipe, is not waited for.
    """
    with open(file, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as stream:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            return None
        return stream.read(LARGEST_BYTES + 1)


def _stamp(file: Path, now_ns: int) -> Stamp | None:
    """Return what differs once the file has changed; nothing as long as that cannot be told."""
    try:
        found = file.stat()
    except OSError:
        return None
    if abs(now_ns - max(found.st_mtime_ns, found.st_ctime_ns)) < SETTLES_AFTER_NS:
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size


def _is_gone(file: Path) -> bool:
    try:
        file.stat()
    except OSError as error:
        return isinstance(error, FileNotFoundError | NotADirectoryError)
    return False
