"""What a plan is made of: its steps and its metrics; times are seconds since the first weight."""

from __future__ import annotations

from dataclasses import dataclass

from rollout.domain.plan.harm import Harm


@dataclass(frozen=True, slots=True)
class CopyPlan:
    """One step that copies requests: nobody meets its answers, and nothing is proven by it."""

    number: int
    """Its place in `spec.steps`."""
    share: float
    lasts_s: float
    copies: float | None
    """What each candidate gets to answer by its end."""


@dataclass(frozen=True, slots=True)
class StepPlan:
    """One weight step: when, how many units, and what becomes of a candidate that fails from here on."""

    number: int
    """Its place in `spec.steps`."""
    weight: float
    begins_s: float
    lasts_s: float | None
    """Until the next one; of the last step, until the policy gives up."""
    units: float | None
    """Enrolled in each arm by its end, earlier steps included."""
    disaster: Harm | None


@dataclass(frozen=True, slots=True)
class MetricPlan:
    """One question: what its proof takes, and what this traffic can prove."""

    name: str
    role: str
    asks: str
    needs_proof: bool
    level: float | None
    limit: float | None
    baseline_meets: bool | None
    units: float | None
    """Closed units of each arm with which its proof has a chance of 80 %."""
    is_least: bool
    """Its level is not known: the candidate is taken for one that never fails it."""
    is_never: bool
    """No number of units is enough."""
    expected_s: float | None
    planned_s: float | None
    longest_s: float | None
    chance: float | None
    """Of a proof before the policy gives up."""
    proves: float | None
    """The smallest effect or margin, or the highest level of a limit, that has a chance of 80 % by then."""
    proves_level: bool
    by_step: tuple[float | None, ...]
    """The same at the end of each weight step."""
    harm: Harm | None
