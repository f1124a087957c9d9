"""A small disk of a house's own, which can be filled to the last byte."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

BALLAST: Final = "ballast"
LIMIT_S: Final = 30.0
TRIES: Final = 100


class NoDisk(Exception):
    """Only root may mount one."""


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[None]:
    """Mount a disk of this size at a new folder until the block ends."""
    folder.mkdir(mode=0o700)
    options = f"size={megabytes}m,mode=0700,uid={os.geteuid()},gid={os.getegid()}"
    _run("mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder))
    try:
        yield
    finally:
        _run("umount", "--lazy", str(folder))


@contextmanager
def filled(folder: Path) -> Iterator[None]:
    """Leave no byte free on a folder's disk until the block ends, although others delete and write there."""
    ballast = folder / BALLAST
    try:
        with ballast.open("wb") as stream:
            for _ in range(TRIES):
                free = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
                if free == 0:
                    break
                with suppress(OSError):  # somebody else took some of it
                    os.posix_fallocate(stream.fileno(), stream.seek(0, os.SEEK_END), free)
        yield
    finally:
        ballast.unlink()


def _run(*command: str) -> None:
    """Run a command as root."""
    asked = command if os.geteuid() == 0 else ("sudo", "-n", *command)
    try:
        done = subprocess.run(asked, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    except OSError as error:
        raise NoDisk(f"only root may mount one: {error}") from None
    if done.returncode != 0:
        raise NoDisk(f"only root may mount one: {done.stderr.strip()}")
