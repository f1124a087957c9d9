"""Who carries ticks out: as many threads as allowed, so that a slow run keeps no other one waiting."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final, Protocol

LIMIT: Final = 32


class Workers(Protocol):
    """Where a tick is carried out."""

    def begin(self, name: str, task: Callable[[], None]) -> bool:
        """Begin a task, and return whether there was room for it."""

    def finish(self, within_s: float) -> bool:
        """Wait for the tasks that run, and return whether all have ended in time."""


class Threads:
    """A thread for each task; one that never ends takes its place, and ends with the process."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._busy = 0
        self._changed = threading.Condition()

    def begin(self, name: str, task: Callable[[], None]) -> bool:
        """Begin a task in a thread of its own, unless as many as allowed run."""
        with self._changed:
            if self._busy >= self._limit:
                return False
            self._busy += 1
        # A tick may be cut off anywhere, so a thread that hangs need not keep the process alive.
        threading.Thread(target=self._carry_out, args=(task,), name=name, daemon=True).start()
        return True

    def finish(self, within_s: float) -> bool:
        """Wait for the tasks that run, and return whether all have ended in time."""
        with self._changed:
            return self._changed.wait_for(lambda: self._busy == 0, within_s)

    def _carry_out(self, task: Callable[[], None]) -> None:
        try:
            task()
        finally:
            with self._changed:
                self._busy -= 1
                self._changed.notify_all()
