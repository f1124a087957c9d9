"""A notifier in memory, which keeps the contract of the real one."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from rollout.domain.news import Letter
from rollout.ports import Delivered


@dataclass
class MemoryNotifier:
    """Takes letters, or does with them what a test wants."""

    known: frozenset[str] = frozenset({"good", "bad"})
    bad: frozenset[str] = frozenset({"bad"})
    hanging: frozenset[str] = frozenset()
    released: threading.Event = field(default_factory=threading.Event)
    sent: list[tuple[str, Letter]] = field(default_factory=list)
    fails: Exception | None = None

    def names(self) -> frozenset[str]:
        return self.known

    def send(self, receiver: str, letter: Letter) -> Delivered:
        if self.fails is not None:
            raise self.fails
        if receiver not in self.known:
            return Delivered(is_taken=False, why=f"nobody is called '{receiver}'")
        if receiver in self.bad:
            return Delivered(is_taken=False, why="it answered 500")
        if receiver in self.hanging:
            self.released.wait(30.0)
        self.sent.append((receiver, letter))
        return Delivered(is_taken=True)

    def stop(self) -> None:
        self.released.set()
