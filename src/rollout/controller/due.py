"""Which run is due, and when the next one will be: asking costs as much with a thousand runs as with one."""

from __future__ import annotations

import heapq
import itertools
import math
from dataclasses import dataclass, field
from typing import Final

HURRIED_IN_A_ROW: Final = 3
"""So many looks that evidence against a run, or a person's change, has hurried begin before another one.

However late those are that are only due, harm does not wait for them; however many are hurried, they go on.
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
    """Those that are only due, in the same form."""
    _hurried: list[tuple[float, str, int]] = field(default_factory=list)
    """Those that are due and hurried."""
    _in_a_row: int = 0
    """How many hurried ones were taken since the last one that was only due."""
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
        self._in_a_row = self._in_a_row + 1 if one.is_hurried else 0
        return one

    def drop(self, uid: str) -> None:
        """Forget a run."""
        self.runs.pop(uid)

    def first(self, now_s: float) -> str | None:
        """Return which run that is due goes first, or None when none is."""
        while self._later and self._later[0][0] <= now_s:
            found = heapq.heappop(self._later)
            if self._counts(*found[1:]):
                heapq.heappush(self._hurried if self.runs[found[1]].is_hurried else self._ready, found)
        self._tidy(self._ready)
        self._tidy(self._hurried)
        others_wait = bool(self._ready) and self._in_a_row >= HURRIED_IN_A_ROW
        heap = self._ready if others_wait or not self._hurried else self._hurried
        return heap[0][1] if heap else None

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
