"""One limit in memory: its arms' ten seconds, which minutes were shared outages, and what a look is told."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Final

from rollout.domain.records import WINDOW_US, RatioSums, Threshold
from rollout.stats.arrays import BigIntegers
from rollout.store.changes import ArmTotal
from rollout.store.unit_rows import ALWAYS, COLUMNS, PER_MINUTE

Cell = tuple[int, int, int, int]
"""Units, the sum of their fractions in billionths, requests, exceedances."""
NOTHING: Final[Cell] = (0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class SinceStarts:
    """What an arm's units did since each start: ended windows, their fractions, and sums over units."""

    windows: tuple[int, ...]
    fraction_nano: tuple[int, ...]
    sums: tuple[RatioSums, ...]
    slow_minutes: tuple[int, ...]
    """Unit-minutes with an exceedance; a minute counts from its begin on."""
    has_ended_units: bool
    """Whether any unit's window has ended, in a shared outage or not."""


@dataclass(slots=True)
class Arm:
    """One arm against one limit."""

    cells: dict[int, Cell] = field(default_factory=dict)
    newest: int = 0
    """No window after this one has come."""
    total: ArmTotal | None = None
    owner: int | None = None
    """Its number among the unit sums, once a look has asked for it."""
    index: list[int] = field(default_factory=lambda: [-1] * COLUMNS)
    windows: list[int] = field(default_factory=lambda: [0] * COLUMNS)
    nano: list[int] = field(default_factory=lambda: [0] * COLUMNS)
    slow: dict[int, int] = field(default_factory=dict)
    """Unit-minutes with an exceedance, by minute."""
    told: tuple[bytes, int, SinceStarts] | None = None
    """What was told last: since which starts, before which window, and what; none since something came."""


@dataclass(slots=True)
class Limit:
    """One limit with its arms; `outages` are the minutes in which the baseline itself breaks it."""

    threshold: Threshold
    asked_us: int = 0
    arms: defaultdict[str, Arm] = field(default_factory=lambda: defaultdict(Arm))
    minutes: dict[int, list[int]] = field(default_factory=dict)
    outages: set[int] = field(default_factory=set)


def first_window(index: int, begin_us: int) -> int:
    """Return the first window of a start: start 0 reaches back for ever."""
    return ALWAYS if index == 0 else -(-begin_us // WINDOW_US)


def is_out(limit: Limit, window: int) -> bool:
    """Return whether a window lies in a shared outage."""
    return window // PER_MINUTE in limit.outages


def as_sums(parts: BigIntegers) -> RatioSums:
    """Return one column's sums."""
    return RatioSums(*(int(part) for part in parts))
