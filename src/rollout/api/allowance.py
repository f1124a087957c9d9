"""How much each application may report: a bucket that fills with time and may be overdrawn once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PER_S: Final = 20_000.0
BURST: Final = 200_000.0
MOST_REMEMBERED: Final = 1_000
"""Applications whose level is remembered; a file of applications holds fewer."""


@dataclass(frozen=True, slots=True)
class Reporting:
    """Who may report outcomes beside the house itself, and how many each."""

    tokens_file: Path | None = None
    per_s: float = PER_S
    burst: float = BURST


@dataclass(slots=True)
class _Level:
    left: float
    at_s: float


class Allowance:
    """One bucket for each application.

    A request comes in while its application's bucket is not empty, and is charged when it is counted: so a
    batch may be larger than what is left, and the next one waits for longer.
    """

    def __init__(self, per_s: float, burst: float, *, now_s: Callable[[], float]) -> None:
        self._per_s, self._burst, self._now_s = per_s, burst, now_s
        self._levels: OrderedDict[str, _Level] = OrderedDict()

    def wait_s(self, application: str) -> float:
        """Return how long until this application may come in; 0 when it may now."""
        left = self._level(application).left
        return 0.0 if left > 0 else (1.0 - left) / self._per_s

    def charge(self, application: str, outcomes: int) -> None:
        """Take a request's outcomes from the bucket; one without any costs one."""
        self._level(application).left -= max(outcomes, 1)

    def _level(self, application: str) -> _Level:
        now_s = self._now_s()
        level = self._levels.setdefault(application, _Level(self._burst, now_s))
        self._levels.move_to_end(application)
        if len(self._levels) > MOST_REMEMBERED:
            self._levels.popitem(last=False)
        level.left = min(level.left + (now_s - level.at_s) * self._per_s, self._burst)
        level.at_s = now_s
        return level
