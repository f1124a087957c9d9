"""The loop in numbers: what its ticks cost, how late they are, and what waits; for whoever shows them."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import Final

BOUNDS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Where the classes of durations end; the last class has no end."""


@dataclass(frozen=True, slots=True)
class Spread:
    """How many durations fell into each class, by its end, and their sum."""

    counts: tuple[int, ...] = (0,) * (len(BOUNDS_S) + 1)
    """Not added up: each duration is in one class, the first one that it does not exceed."""
    total_s: float = 0.0

    @property
    def number(self) -> int:
        """How many there were."""
        return sum(self.counts)


@dataclass(frozen=True, slots=True)
class Figures:
    """How the loop fares; counts are since it began, the rest is now."""

    ticks: int
    """Looks that have ended, well or not."""
    failures: int
    """Those of them of which a part did not work."""
    refused: int
    """Looks that were due and found every worker busy; each is tried again."""
    ledger_failures: int
    """How often in a row the ledger could not be read to find out which runs there are."""
    seconds: Spread
    """What looks took."""
    lag: Spread
    """How long after it was due each of them began."""
    runs: int
    """How many runs are looked at in turns."""
    running: int
    """Looks under way."""
    longest_running_s: float
    """How long the oldest of them has been under way."""
    due: int
    """Runs that are due and have not begun."""
    oldest_due_s: float
    """How long the one that has waited longest has been due."""


@dataclass(slots=True)
class _Durations:
    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_S) + 1))
    total_s: float = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(BOUNDS_S, seconds)] += 1
        self.total_s += seconds

    def spread(self) -> Spread:
        return Spread(tuple(self.counts), self.total_s)


@dataclass(slots=True)
class Counted:
    """What a loop counts as it goes; whoever changes it holds the loop's turn."""

    ticks: int = 0
    failures: int = 0
    refused: int = 0
    _seconds: _Durations = field(default_factory=_Durations)
    _lag: _Durations = field(default_factory=_Durations)

    def began(self, lag_s: float) -> None:
        """Count a look that begins so long after it was due."""
        self._lag.add(max(lag_s, 0.0))

    def ended(self, seconds: float, *, is_well: bool) -> None:
        """Count a look that has ended."""
        self.ticks += 1
        self.failures += not is_well
        self._seconds.add(max(seconds, 0.0))

    def figures(
        self, running_s: list[float], due_s: list[float], *, runs: int, ledger_failures: int
    ) -> Figures:
        """Return everything that was counted, with how long looks have run and runs have been due."""
        return Figures(
            ticks=self.ticks,
            failures=self.failures,
            refused=self.refused,
            ledger_failures=ledger_failures,
            seconds=self._seconds.spread(),
            lag=self._lag.spread(),
            runs=runs,
            running=len(running_s),
            longest_running_s=max(running_s, default=0.0),
            due=len(due_s),
            oldest_due_s=max(due_s, default=0.0),
        )
