"""Outcomes on the disk before they are acknowledged: appended, and synced for many callers at once."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

LARGEST_WAITING: Final = 64 * 2**20
"""Bytes that wait for the disk; beyond it callers are asked to come back."""
# macOS has no fdatasync.
_SYNC: Final[Callable[[int], None]] = getattr(os, "fdatasync", os.fsync)


class SpoolFull(Exception):
    """More waits for the disk than fits into memory; nothing of this call was kept."""


class SpoolBroken(Exception):
    """The disk refused; what was not acknowledged may be lost, and nothing is taken until a restart."""


class Spool:
    """One file of lines that only this process appends to; `rollout.agent.log.Log` rotates it."""

    def __init__(self, file: Path, *, largest_waiting: int = LARGEST_WAITING) -> None:
        self._file = file
        self._largest_waiting = largest_waiting
        self._turn = threading.Lock()
        self._waiting: list[tuple[bytes, asyncio.Future[None]]] = []
        self._waiting_bytes = 0
        self._writing: asyncio.Task[None] | None = None
        self._is_whole = True
        file.parent.mkdir(parents=True, exist_ok=True)
        self._descriptor = _open(file)

    async def append(self, lines: bytes) -> None:
        """Return when the lines are on the disk; raises `SpoolFull` or `SpoolBroken` when they are not."""
        if self._waiting_bytes + len(lines) > self._largest_waiting:
            raise SpoolFull
        if not self._is_whole:
            raise SpoolBroken
        written = asyncio.get_running_loop().create_future()
        self._waiting.append((lines, written))
        self._waiting_bytes += len(lines)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_all())
        await written

    def reopen(self) -> None:
        """Write to a new file from now on, after the old one was renamed."""
        with self._turn:
            descriptor, self._descriptor = self._descriptor, _open(self._file)
            os.close(descriptor)

    def close(self) -> None:
        """Let go of the file."""
        with self._turn:
            self._is_whole = False
            os.close(self._descriptor)

    async def _write_all(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            content = b"".join(lines for lines, _ in batch)
            try:
                await asyncio.to_thread(self._write, content)
            except OSError:
                # After a failed sync the kernel may have dropped the pages: trying again would prove nothing.
                self._is_whole = False
            self._waiting_bytes -= len(content)
            for _, written in batch:
                if written.done():  # its caller left
                    continue
                if self._is_whole:
                    written.set_result(None)
                else:
                    written.set_exception(SpoolBroken())

    def _write(self, content: bytes) -> None:
        with self._turn:
            rest = memoryview(content)
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
            _SYNC(self._descriptor)


def _open(file: Path) -> int:
    """Open for appending; a line that a crash tore, and nobody was promised, is cut off."""
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    size = os.fstat(descriptor).st_size
    whole = _after_last_line(descriptor, size)
    if whole < size:
        os.ftruncate(descriptor, whole)
        os.fsync(descriptor)
    folder = os.open(file.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)
    return descriptor


def _after_last_line(descriptor: int, size: int) -> int:
    step = 2**16
    for first in range(max(size - step, 0), -step, -step):
        found = os.pread(descriptor, step, max(first, 0)).rfind(b"\n", 0, size - max(first, 0))
        if found >= 0:
            return max(first, 0) + found + 1
    return 0
