"""What requests leave behind: what one segment adds to the counts, and what the counts then say."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias

MINUTE_US: Final = 60_000_000
DAY_US: Final = 86_400_000_000
WINDOW_US: Final = 10_000_000
"""A unit-window: what one unit did in ten seconds."""
NO_BLOCK: Final = -1
"""The block of traffic that belongs to no step: rest, promoted, hold-back."""
NANO: Final = 1_000_000_000
"""Fractions are summed as whole billionths, so that sums are exact and reproducible."""
BASELINE_SERVED: Final = ("control", "holdback", "rest")
"""The eligible arms that the baseline serves."""
ELIGIBLE_LEAVES: Final = ("rest", "promoted", "holdback")
"""Routes without a block whose units are eligible: their rows are kept, those of `rest` when they failed."""


@dataclass(frozen=True, slots=True)
class Run:
    """One revision of one experiment, as it stands in the records."""

    experiment: str
    revision: int


class Side(StrEnum):
    """Whose requests are counted against a limit."""

    ALL = "all"
    """Every arm's, by arm."""
    CONTROL = "control"
    """The control's, by block: beside candidates that have a limit of their own."""
    CANDIDATES = "candidates"


@dataclass(frozen=True, slots=True)
class Threshold:
    """A latency limit of one run that is counted as requests arrive; `share` may exceed it."""

    identity: int
    run: Run
    metric: str
    limit_us: int
    share: float
    side: Side = Side.ALL

    @property
    def has_outages(self) -> bool:
        """Whether minutes are left out in which the baseline itself breaks it; beside a control none are."""
        return self.side is Side.ALL


@dataclass(frozen=True, slots=True)
class Tally:
    """What a segment adds to one minute of one arm; `durations` are (bucket, requests)."""

    run: Run
    block: int
    arm: str
    minute: int
    requests: int
    errors: int
    left: int
    fallbacks: int
    durations: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class ErrorEvent:
    """A unit's first attempt failed, under the split that its node had acknowledged."""

    run: Run
    unit: int
    ts_us: int
    arm: str
    split: int


UnitWindow: TypeAlias = tuple[int, str, int | None, int, int, int]
"""What a segment adds to a unit's ten seconds: threshold, arm (of one side, `arm/block`), unit, window,
requests, exceedances. Without a unit it is traffic known only by its sums."""


@dataclass(frozen=True, slots=True)
class Digest:
    """Everything that one segment adds to the counts."""

    tallies: tuple[Tally, ...] = ()
    errors: tuple[ErrorEvent, ...] = ()
    windows: tuple[UnitWindow, ...] = ()


@dataclass(frozen=True, slots=True)
class RatioSums:
    """Exact sums over units of y (errors, exceedances) and x (requests); see `fraction_nano`."""

    units: int
    nonzero: int
    y: int
    x: int
    yy: int
    xy: int
    xx: int
    fraction_nano: int
    """Σ y/x in billionths, each unit's fraction rounded up: a proof of safety never gains by it."""
