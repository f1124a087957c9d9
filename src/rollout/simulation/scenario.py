"""What a simulated world is like: how the candidate differs, what goes wrong, and how traffic swings."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Moment:
    """A time since the start, or, with a step, since that step began; steps count from 1, copies included."""

    after_s: float = 0.0
    step: int | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """How a level differs: exactly one of these is given."""

    level: float | None = None
    """What it is instead."""
    relative: float | None = None
    """By which part of itself it changes."""
    aims: float | None = None
    """By how many of the metric's own `minEffect` or `margin` it changes."""


@dataclass(frozen=True, slots=True)
class Effect:
    """One metric's level, changed for some arms and some time."""

    metric: str
    """A name of the policy, or `primary`, `errors`, `latency`, `fallback` for all of this kind."""
    change: Change
    arm: int | None = None
    """Which candidate, counted from 1; none is all of them."""
    is_shared: bool = False
    """Whether everybody feels it, the baseline's users too."""
    begins: Moment = Moment()
    ramp_s: float = 0.0
    """How long it takes to come in full."""
    lasts_s: float | None = None


class FaultKind(StrEnum):
    """What can go wrong beside the candidate itself."""

    SILENT = "silent"
    """Outcomes stop arriving: nothing later than the beginning is filed until it ends."""
    BLIND = "blind"
    """The metrics server does not answer."""
    LOST = "lost"
    """A share of the candidate's units never appears in any record."""
    CLOCK = "clock"
    """The control plane's clock is off by so much."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One such fault, for some time."""

    kind: FaultKind
    begins: Moment = Moment()
    lasts_s: float | None = None
    share: float = 0.0
    jump_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Traffic:
    """How traffic swings, and how uneven its users are."""

    day: float = 0.3
    """By which part traffic is above its mean at its daily height, and below at its depth."""
    weekend: float = 0.2
    """Which part of it is missing on Saturday and Sunday."""
    growth_per_day: float = 0.0
    heavy_share: float = 0.05
    heavy_times: float = 10.0
    """Heavy users send so many times the requests of others."""
    unlucky_share: float = 0.02
    unlucky_times: float = 5.0
    """Unlucky users, by nature, fail and wait so many times as often."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A whole world; without anything it is an A/A test."""

    name: str = "a/a"
    about: str = "The candidate is the baseline under another name."
    effects: tuple[Effect, ...] = ()
    faults: tuple[Fault, ...] = ()
    traffic: Traffic = Traffic()
    weekday: int = 0
    """The day of the week at the start, 0 is Monday."""
    minute: int = 540
    """The minute of that day, UTC."""
    outcomes_lost: float = 0.0
    """The share of outcomes that come too late for their window, or never, in every arm alike."""
