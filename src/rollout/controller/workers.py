"""Who carries ticks out: as many threads as allowed, so that a slow run keeps no other one waiting."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

LIMIT: Final = 32
IDLE_S: Final = 5.0
"""How long a thread waits for the next task before it ends: to begin one costs as much as a short look."""


class Workers(Protocol):
    """Where a tick is carried out."""

    def begin(self, name: str, task: Callable[[], None]) -> bool:
        """Begin a task, and return whether there was room for it."""

    def finish(self, within_s: float) -> bool:
        """Wait for the tasks that run, and return whether all have ended in time."""


class Threads:
    """A thread for each task that runs; one that never ends takes its place, and ends with the process."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._turn = threading.Lock()
        self._given, self._ended = threading.Condition(self._turn), threading.Condition(self._turn)
        self._busy = 0
        self._idle = 0
        """Threads that wait, without those that were given what stands in `_tasks`."""
        self._tasks: deque[tuple[str, Callable[[], None]]] = deque()
        self._is_over = False

    def begin(self, name: str, task: Callable[[], None]) -> bool:
        """Begin a task, in a thread that waits or in a new one, unless as many as allowed run."""
        with self._turn:
            if self._busy >= self._limit:
                return False
            self._busy += 1
            if self._idle:
                self._idle -= 1
                self._tasks.append((name, task))
                self._given.notify()
                return True
        # A tick may be cut off anywhere, so a thread that hangs need not keep the process alive.
        threading.Thread(target=self._live, args=(name, task), daemon=True).start()
        return True

    def finish(self, within_s: float) -> bool:
        """Wait for the tasks that run, and return whether all have ended in time."""
        with self._turn:
            self._is_over = True
            self._given.notify_all()
            return self._ended.wait_for(lambda: self._busy == 0, within_s)

    def _live(self, name: str, task: Callable[[], None]) -> None:
        """Carry out a task, and those that come soon after it."""
        mine: tuple[str, Callable[[], None]] | None = (name, task)
        while mine is not None:
            threading.current_thread().name = mine[0]
            try:
                mine[1]()
            finally:
                with self._turn:
                    self._busy -= 1
                    self._ended.notify_all()
            mine = self._next()

    def _next(self) -> tuple[str, Callable[[], None]] | None:
        with self._turn:
            self._idle += 1
            self._given.wait_for(lambda: self._tasks or self._is_over, IDLE_S)
            if self._tasks:
                return self._tasks.popleft()
            self._idle -= 1
            return None
