"""Outcomes on the disk before they are acknowledged: appended, and synced for many callers at once."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from rollout import logs

LARGEST_WAITING: Final = 64 * 2**20
"""Bytes that wait for the disk; beyond it callers are asked to come back."""
PAUSE_S: Final = 1.0
"""How long a disk that refused is left alone."""
# macOS has no fdatasync.
SYNC: Final[Callable[[int], None]] = getattr(os, "fdatasync", os.fsync)
_NO_ROOM: Final = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))
_log = logs.get("spool")


class SpoolFull(Exception):
    """More waits for the disk than fits into memory; nothing of this call was kept."""


class SpoolBroken(Exception):
    """The disk refused; what was not acknowledged may be lost. After `wait_s` it is tried again."""

    def __init__(self, wait_s: float) -> None:
        super().__init__(wait_s)
        self.wait_s = wait_s


class Spool:
    """One file of lines that only this process appends to; `rollout.agent.log.Log` rotates it.

    When there is no room, the same file is tried again later: what is in it stays, and a line that was cut
    off is ended. After any other failure the kernel may have dropped what it had not written, and a later
    success would prove nothing: the file is spoiled, and nothing is acknowledged until `reopen` begins
    another one.
    """

    def __init__(
        self,
        file: Path,
        *,
        largest_waiting: int = LARGEST_WAITING,
        sync: Callable[[int], None] = SYNC,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._file = file
        self._largest_waiting = largest_waiting
        self._sync, self._now_s = sync, now_s
        self._turn = threading.Lock()
        self._waiting: list[tuple[bytes, asyncio.Future[None]]] = []
        self._waiting_bytes = 0
        self._writing: asyncio.Task[None] | None = None
        self._is_closed = self._is_spoiled = self._is_torn = False
        self._closed_until_s: float | None = None
        file.parent.mkdir(parents=True, exist_ok=True)
        self._descriptor: int | None = _open(file)

    @property
    def is_spoiled(self) -> bool:
        """Whether the file must be given another name, and a new one begun."""
        return self._is_spoiled

    @property
    def waiting_bytes(self) -> int:
        """How much waits for the disk."""
        return self._waiting_bytes

    @property
    def nbytes(self) -> int:
        """How much its files hold, those included that were rotated and are not taken away yet."""
        return sum(_size(path) for path in self._file.parent.glob(f"{self._file.name}*"))

    async def append(self, lines: bytes) -> None:
        """Return when the lines are on the disk; raises `SpoolFull` or `SpoolBroken` when they are not."""
        if self._waiting_bytes + len(lines) > self._largest_waiting:
            raise SpoolFull
        self._refuse_while_closed()
        written = asyncio.get_running_loop().create_future()
        self._waiting.append((lines, written))
        self._waiting_bytes += len(lines)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_all())
        await written

    def reopen(self) -> None:
        """Write to a new file from now on, after the old one was renamed."""
        with self._turn:
            if not self._is_closed:
                self._let_go()
                self._is_spoiled = self._is_torn = False
                # At once, not at the next outcome: without a current file no watermark moves.
                with suppress(OSError):  # there is no room for it: the next write tries again, and says so
                    self._descriptor = _open(self._file)

    def close(self) -> None:
        """Let go of the file."""
        with self._turn:
            self._is_closed = True
            self._let_go()

    def _refuse_while_closed(self) -> None:
        """Raise `SpoolBroken` while the disk is not tried."""
        wait_s = 0.0 if self._closed_until_s is None else self._closed_until_s - self._now_s()
        if self._is_closed or self._is_spoiled or wait_s > 0:
            raise SpoolBroken(max(wait_s, PAUSE_S))

    def _let_go(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    async def _write_all(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            content = b"".join(lines for lines, _ in batch)
            refusal: SpoolBroken | None = None
            try:
                self._refuse_while_closed()
                await asyncio.to_thread(self._write, content)
            except SpoolBroken as error:
                refusal = error
            except OSError as error:
                refusal = self._broke(error)
            else:
                self._is_whole_again()
            self._waiting_bytes -= len(content)
            for _, written in batch:
                if written.done():  # its caller left
                    continue
                if refusal is None:
                    written.set_result(None)
                else:
                    written.set_exception(SpoolBroken(refusal.wait_s))

    def _broke(self, error: OSError) -> SpoolBroken:
        if self._closed_until_s is None:
            _log.error(
                "outcomes cannot be written; they are refused", file=str(self._file), reason=str(error)
            )
        self._closed_until_s = self._now_s() + PAUSE_S
        return SpoolBroken(PAUSE_S)

    def _is_whole_again(self) -> None:
        if self._closed_until_s is not None:
            self._closed_until_s = None
            _log.warning("outcomes are written again", file=str(self._file))

    def _write(self, content: bytes) -> None:
        with self._turn:
            if self._descriptor is None:
                self._descriptor = _open(self._file)
            rest = memoryview(b"\n" + content if self._is_torn else content)
            try:
                while rest:
                    count = os.write(self._descriptor, rest)
                    self._is_torn = rest[count - 1] != ord("\n")
                    rest = rest[count:]
            except OSError as error:
                self._is_spoiled = error.errno not in _NO_ROOM
                raise
            try:
                self._sync(self._descriptor)
            except OSError:
                self._is_spoiled = True
                raise


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # it has just been sent
        return 0


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
