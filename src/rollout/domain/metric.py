"""One question that a policy asks of the evidence: what is measured, by whom, and what it is for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a metric is for."""

    PRIMARY = "primary"
    GUARDRAIL = "guardrail"
    SLO = "slo"
    OBSERVE = "observe"
    """Reported, never acted on."""


class Source(StrEnum):
    """Who measures a metric."""

    OUTCOMES = "outcomes"
    PROXY = "proxy"
    PROMETHEUS = "prometheus"


class MetricType(StrEnum):
    """How a metric is computed from what was measured."""

    BINARY = "binary"
    MEAN = "mean"
    RATIO = "ratio"
    COUNT = "count"
    THRESHOLD = "threshold"
    """Polled from a metrics server and compared with a bound; outside the error budget."""
    ERROR_RATE = "error-rate"
    LATENCY = "latency"


class Direction(StrEnum):
    """Which way is better."""

    INCREASE = "increase"
    DECREASE = "decrease"


@dataclass(frozen=True, slots=True)
class Metric:
    """One question asked of the evidence."""

    name: str
    role: Role
    source: Source
    type: MetricType
    direction: Direction
    window_s: float
    min_effect: float | None = None
    margin: float | None = None
    floor: float | None = None
    quantile: float | None = None
    max_us: int | None = None
    cap: float | None = None
    """Larger values of one unit count as this."""
    numerator: str | None = None
    denominator: str | None = None
    pre_window_s: float | None = None
    """How long before its enrolment a unit's own history is its covariate."""
    query: str | None = None
    maximum: float | None = None
    minimum: float | None = None
    """What a polled value must keep."""
    interval_s: float | None = None
    failure_limit: int | None = None
    """How many polls in a row decide."""
