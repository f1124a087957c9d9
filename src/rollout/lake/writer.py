"""One writer of a lake: what it files and takes back passes through a folder that its successor removes."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from rollout.errors import Problem, Retry
from rollout.lake import segments

_NAME: Final = re.compile(r"writer-(\d{1,15})")


class Writer:
    """The writer of a term; one of a lower term, however late it wakes, changes nothing any more.

    A file system has no transactions that could check a term. But a file can be moved only from and into a
    folder that is there: who comes to write first removes the folders of those before, in one step each.
    """

    def __init__(self, lake: Path, term: int) -> None:
        self._own = lake / f"writer-{term}"
        self._own.mkdir(parents=True, exist_ok=True, mode=0o700)
        found = dict(_writers(lake))
        if max(found) > term:
            shutil.rmtree(self._own, ignore_errors=True)
            raise _superseded(lake)
        for number, folder in found.items():
            if number < term:
                with suppress(FileNotFoundError):  # who had it begins at this moment too, and was refused
                    folder.rename(self._own / folder.name)
        for left in self._own.iterdir():
            shutil.rmtree(left) if left.is_dir() else left.unlink()

    def unfinished(self, name: str) -> Path:
        """Return where a file of that name is written before it is published."""
        return self._own / (name + segments.UNFINISHED)

    def write(self, name: str, content: bytes) -> Path:
        """Write a file that is not published yet."""
        path = self.unfinished(name)
        try:
            path.write_bytes(content)
        except FileNotFoundError:
            raise _superseded(self._own.parent) from None
        return path

    def publish(self, unfinished: Path, target: Path) -> None:
        """Make a finished file appear in the lake, for good; raises `Retry` when another one writes now."""
        try:
            segments.publish(unfinished, target)
        except FileNotFoundError:
            raise _superseded(self._own.parent) from None

    def take_back(self, path: Path) -> None:
        """Delete a file of the lake; raises `Retry` when another one writes now."""
        taken = self._own / path.name
        try:
            path.rename(taken)
        except FileNotFoundError:
            if not self._own.is_dir():
                raise _superseded(self._own.parent) from None
            return
        taken.unlink(missing_ok=True)


def _writers(lake: Path) -> Iterator[tuple[int, Path]]:
    for path in lake.iterdir():
        found = _NAME.fullmatch(path.name)
        if found is not None:
            yield int(found[1]), path


def _superseded(lake: Path) -> Retry:
    what = "another control plane writes to it now"
    return Retry(Problem(str(lake), what, "ask the one that leads; nothing was filed here"))
