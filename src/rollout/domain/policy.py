"""What an ML engineer wants: the frozen policy of one experiment, as the rest of the house reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

WHOLE_BP: Final = 10_000
"""All traffic, in basis points; also the number of buckets."""


RETRY_PAUSE_S: Final = 0.025
"""The longest pause between the candidate's try and the fallback's."""


class Role(StrEnum):
    """What a metric is for."""

    PRIMARY = "primary"
    GUARDRAIL = "guardrail"
    SLO = "slo"


class Source(StrEnum):
    """Who measures a metric."""

    OUTCOMES = "outcomes"
    PROXY = "proxy"


class MetricType(StrEnum):
    """How a metric is computed from what was measured."""

    BINARY = "binary"
    ERROR_RATE = "error-rate"
    LATENCY = "latency"


class Direction(StrEnum):
    """Which way is better."""

    INCREASE = "increase"
    DECREASE = "decrease"


class Choice(StrEnum):
    """What a policy may ask for when the evidence does not decide."""

    PAUSE = "pause"
    ROLL_BACK = "rollback"


@dataclass(frozen=True, slots=True)
class Version:
    """A deployed version of the model, and where it answers."""

    version: str
    url: str


@dataclass(frozen=True, slots=True)
class Resilience:
    """How long a request may take, and who answers when the candidate does not."""

    timeout_s: float = 3.0
    per_try_timeout_s: float = 0.3
    falls_back: bool = True
    max_fallback: float = 0.01


@dataclass(frozen=True, slots=True)
class Level:
    """What is known of a metric in the baseline before the start."""

    mean: float
    deviation: float | None = None


@dataclass(frozen=True, slots=True)
class Expect:
    """What is known of the traffic: it sets plans and tuning, never validity."""

    units_per_day: float | None = None
    requests_per_s: float | None = None
    levels: Mapping[str, Level] | None = None


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


@dataclass(frozen=True, slots=True)
class Hold:
    """What a step waits for before the next one."""

    for_s: float = 0.0
    min_units: int = 0
    until_verdict: bool = False
    at_most_s: float | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """A weight per candidate, and how long to stay there."""

    weight_bp: int
    hold: Hold


@dataclass(frozen=True, slots=True)
class Risk:
    """How often a decision may be wrong, in all looks of a revision together."""

    wrong_promotion: float = 0.05
    wrong_rollback: float = 0.01


@dataclass(frozen=True, slots=True)
class Decide:
    """What happens when the evidence does not decide."""

    inconclusive: Choice = Choice.PAUSE
    mismatch: Choice = Choice.PAUSE
    no_data_hold_s: float = 1800.0
    no_data_then: Choice = Choice.PAUSE


@dataclass(frozen=True, slots=True)
class LocalCommand:
    """An action carried out on the control plane's own machine: a list of arguments, never a shell string."""

    command: tuple[str, ...]
    deadline_s: float = 1800.0


@dataclass(frozen=True, slots=True)
class Actions:
    """What is run beside traffic when an experiment ends."""

    promote: LocalCommand | None = None
    rollback: LocalCommand | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """One reviewed file, parsed and checked; nothing in it changes while its revision runs."""

    name: str
    owner: str
    path: str
    baseline: Version
    candidates: tuple[Version, ...]
    unit_header: str
    salt: str
    metrics: tuple[Metric, ...]
    steps: tuple[Step, ...]
    expect: Expect = Expect()
    resilience: Resilience = Resilience()
    risk: Risk = Risk()
    decide: Decide = Decide()
    actions: Actions = Actions()

    @property
    def arms(self) -> int:
        """How many arms are compared: the control and every candidate."""
        return 1 + len(self.candidates)
