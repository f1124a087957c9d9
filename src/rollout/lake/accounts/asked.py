"""What a run asks of its units: which of their requests and outcomes are summed, over which windows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from rollout.domain.metric import MetricType
from rollout.domain.records import Run
from rollout.stats.windows import SKEW_US


class Trouble(StrEnum):
    """What is counted against requests, where it is no latency limit."""

    ERROR = "error"
    FALLBACK = "fallback"


Limits: TypeAlias = tuple[int, ...]
"""A latency limit in microseconds for each arm, the control's first."""


@dataclass(frozen=True, slots=True)
class Window:
    """How long after its enrolment a unit is measured, and how much longer late records are waited for."""

    window_us: int
    grace_us: int

    @property
    def closes_after_us(self) -> int:
        """How long after its enrolment a unit closes."""
        return self.window_us + self.grace_us


@dataclass(frozen=True, slots=True)
class Counter:
    """Requests of a unit's window, and in how many of them there was trouble, or a limit was exceeded."""

    name: str
    window: Window
    counted: Trouble | Limits

    @property
    def columns(self) -> int:
        """How many numbers a unit has: its troubles, and its requests."""
        return 2


@dataclass(frozen=True, slots=True)
class Told:
    """A unit's outcomes of its window, as the metric's type sums them up."""

    name: str
    window: Window
    kind: MetricType
    sources: tuple[str, ...]
    """The outcomes that are summed: the metric's own, or a ratio's numerator and denominator."""
    cap_u: int | None = None
    """A unit's sum counts as at most this, in micro-units."""
    before_us: int | None = None
    """How far before its window a unit's own history, its covariate, reaches."""

    @property
    def columns(self) -> int:
        """How many numbers a unit has: its value, or numerator and denominator; then its history."""
        return len(self.sources) + (self.before_us is not None)


@dataclass(frozen=True, slots=True)
class Asked:
    """Everything that is asked of one run's units; requests before `since_us` are an older run's."""

    run: Run
    since_us: int
    arms: int
    blocks: tuple[int, ...]
    counters: tuple[Counter, ...] = ()
    told: tuple[Told, ...] = ()

    @property
    def everything(self) -> tuple[Counter | Told, ...]:
        """All that is summed up."""
        return (*self.counters, *self.told)

    @property
    def metrics(self) -> frozenset[str]:
        """The outcomes that are needed."""
        return frozenset(source for one in self.told for source in one.sources)

    @property
    def outcomes_from_us(self) -> int:
        """The earliest time of an outcome that can matter."""
        return self.since_us - max((one.before_us or 0 for one in self.told), default=0) - SKEW_US
