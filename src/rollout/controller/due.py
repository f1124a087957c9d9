"""Which run is due, and when the next one will be: asking costs as much with a thousand runs as with one."""

from __future__ import annotations

import heapq
import itertools
import math
from dataclasses import dataclass, field
from typing import Final

HEAD_START_S: Final = 5.0
"""By how much a look at a run goes before others when evidence against it, or a person's change, has come.

No more: many such runs would else keep the rest from ever being looked at.
"""


@dataclass(slots=True)
class Due:
    """When a run is next looked at, and what is known of its last look."""

    at_s: float
    version: int
    name: str
    soonest_s: float = 0.0
    """When new evidence may bring the next look forward to."""
    failures: int = 0
    is_busy: bool = False
    is_urgent: bool = False
    """Whether evidence came while the present look was under way."""
    said: str = ""
    began_s: float = 0.0
    """When the present look began."""
    refused_s: float | None = None
    """Since when it has been due and found no room."""
    is_hurried: bool = False
    """Whether evidence against it, or what somebody recorded, waits to be looked at."""
    place: int = 0
    """The number of its place in the queue; what stands under another number counts no more."""

    @property
    def since_s(self) -> float:
        """Since when it has been due: being put off because no worker is free does not count anew."""
        return self.at_s if self.refused_s is None else self.refused_s


@dataclass(slots=True)
class Queue:
    """All runs, and in what order they come; whoever uses it holds the loop's turn."""

    runs: dict[str, Due] = field(default_factory=dict)
    _busy: dict[str, Due] = field(default_factory=dict)
    _later: list[tuple[float, str, int]] = field(default_factory=list)
    """(when it is due, run, number of its place)"""
    _ready: list[tuple[float, str, int]] = field(default_factory=list)
    """Those that are due: (rank, run, number of its place)"""
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def put(self, uid: str) -> None:
        """Give a run that is not busy its place: it is new, or when it is due has changed."""
        one = self.runs[uid]
        one.place = next(self._numbers)
        self._busy.pop(uid, None)
        heapq.heappush(self._later, (one.at_s, uid, one.place))

    def take(self, uid: str) -> Due:
        """Return a run that is busy from now on: it has no place until it is put back."""
        one = self.runs[uid]
        one.place, self._busy[uid] = 0, one
        return one

    def drop(self, uid: str) -> None:
        """Forget a run."""
        self.runs.pop(uid)

    def first(self, now_s: float) -> str | None:
        """Return which run that is due goes first, or None when none is."""
        while self._later and self._later[0][0] <= now_s:
            _, uid, place = heapq.heappop(self._later)
            if self._counts(uid, place):
                one = self.runs[uid]
                heapq.heappush(self._ready, (rank_s(one.at_s, is_hurried=one.is_hurried), uid, place))
        self._tidy(self._ready)
        return self._ready[0][1] if self._ready else None

    def next_s(self) -> float:
        """Return when a run that is not due yet will be."""
        self._tidy(self._later)
        return self._later[0][0] if self._later else math.inf

    def young(self, since_s: float) -> int:
        """Return how many looks have begun since then."""
        return sum(one.began_s > since_s for one in self._busy.values())

    def _tidy(self, heap: list[tuple[float, str, int]]) -> None:
        """Take from the front of a heap what counts no more."""
        while heap and not self._counts(*heap[0][1:]):
            heapq.heappop(heap)

    def _counts(self, uid: str, place: int) -> bool:
        one = self.runs.get(uid)
        return one is not None and one.place == place


def rank_s(due_s: float, *, is_hurried: bool) -> float:
    """Return by what looks that are due are ordered: the least begins first."""
    return due_s - HEAD_START_S if is_hurried else due_s
