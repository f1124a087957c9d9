"""Whose accounts are wanted: asking about one of a thousand runs costs as much as about the only one."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from rollout.domain.records import Run
from rollout.lake.accounts.asked import Asked

FORGET_US: Final = 600_000_000
"""After so long the accounts of a run that nobody asks about are given up."""
Key: TypeAlias = tuple[Run, int]


@dataclass(frozen=True, slots=True)
class Changes:
    """Whose accounts are no longer wanted as they are, and what is to be read from the beginning."""

    gone: frozenset[Key]
    opened: tuple[Asked, ...]
    from_us: int
    """The earliest time of an outcome that can matter to anybody."""


@dataclass(slots=True)
class Wanted:
    """What was asked lately; whoever asked last comes last, whatever the clock said."""

    _asked: dict[Key, tuple[Asked, int]] = field(default_factory=dict)
    _unread: set[Key] = field(default_factory=set)
    """Asked for the first time, or otherwise than before, since changes were taken."""
    _from_us: int | None = None
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def add(self, asked: Asked, now_us: int) -> Key:
        """Note what is asked now, and return under which key its accounts are found."""
        key = (asked.run, asked.since_us)
        with self._turn:
            before = self._asked.pop(key, None)
            self._asked[key] = (asked, now_us)
            if before is None or (before[0] is not asked and before[0] != asked):
                self._unread.add(key)
                is_more = before is None and self._from_us is not None
                self._from_us = min(self._from_us or 0, asked.outcomes_from_us) if is_more else None
        return key

    def changes(self, now_us: int) -> Changes:
        """Return what has changed since this was asked last; who cannot carry all of it out calls `again`."""
        with self._turn:
            old = self._forget(now_us)
            unread, self._unread = self._unread, set()
            opened = tuple(one for key, (one, _) in self._asked.items() if key in unread) if unread else ()
            return Changes(frozenset(old | unread), opened, self._earliest_us())

    def again(self) -> None:
        """Have everything that is wanted read from the beginning."""
        with self._turn:
            self._unread = {*self._asked}

    def _forget(self, now_us: int) -> set[Key]:
        """Give up what was asked too long ago, or by a clock that was far ahead; return what."""
        old = set[Key]()
        for key, (_, at_us) in self._asked.items():
            if abs(now_us - at_us) < FORGET_US:
                break
            old.add(key)
        for key in old:
            del self._asked[key]
            self._from_us = None
        return old

    def _earliest_us(self) -> int:
        if self._from_us is None and self._asked:
            self._from_us = min(one.outcomes_from_us for one, _ in self._asked.values())
        return self._from_us or 0
