"""What it takes to prove that a candidate's mean is better, or not worse by a margin."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from rollout.domain.plan.effort import LONGEST_POWER, POWER
from rollout.stats import means, planning
from rollout.stats.stopping import Stopping, provable_drift, stopping

# In fixed samples; a W* that was frozen for a far smaller effect needs more of them.
_HORIZON: Final = 6.0
_LONGER: Final = 4.0
_EXTENSIONS: Final = 6


@dataclass(frozen=True, slots=True)
class Contrast:
    """A comparison of means: how far the truth lies from what is to be refuted, and the noise."""

    level: float
    """The baseline's mean."""
    distance: float
    """Between the null and the candidate that the plan assumes."""
    harm_distance: float
    """Between the null and the bad candidate that harm is planned for."""
    variance: float
    """σ² per information."""
    least_units: float = 0.0
    """What each arm needs before a normal approximation is acted on."""
    planned_information: float = means.PLANNED_INFORMATION
    """W*, frozen before the start."""
    is_tuned: bool = True
    """Whether W* follows from the effect that the policy asks for."""


@dataclass(frozen=True, slots=True)
class ContrastEffort:
    """What it takes to prove a contrast."""

    contrast: Contrast
    stopping: Stopping
    alpha: float

    @property
    def expected(self) -> float:
        """The mean, when whatever is unproven ends at the longest."""
        return max(2.0 * self.stopping.mean(self._by(LONGEST_POWER)), self.contrast.least_units)

    @property
    def planned(self) -> float:
        """What gives a chance of 80 %."""
        return max(2.0 * self._by(POWER), self.contrast.least_units)

    @property
    def longest(self) -> float:
        """What gives a chance of about 90 %."""
        return max(2.0 * self._by(LONGEST_POWER), self.contrast.least_units)

    def chance(self, units: float) -> float:
        """Return how likely the proof is there by then."""
        return 0.0 if units < self.contrast.least_units else self.stopping.chance(units / 2.0)

    def reachable(self, units: float) -> float | None:
        """Return the smallest relative effect that has 80 % chance by then; none before the least units."""
        if units <= 0 or units < self.contrast.least_units:
            return None
        return _provable(self.contrast, units, self.alpha)

    def writable(self, units: float) -> float | None:
        """Return the same for a test that is tuned to that effect: units go with one over its square."""
        if not self.contrast.is_tuned or units <= 0 or units < self.contrast.least_units:
            return self.reachable(units)
        return float(self.contrast.distance * np.sqrt(2.0 * self._by(POWER) / units) / self.contrast.level)

    def _by(self, chance: float) -> float:
        found = self.stopping.by(chance)
        return math.inf if found is None else found


def contrast_effort(contrast: Contrast, alpha: float) -> ContrastEffort:
    """Return what a proof at level α takes by the test whose W* was frozen before."""
    return ContrastEffort(contrast, stopping_of(contrast, contrast.distance, alpha), alpha)


@lru_cache(maxsize=1024)
def stopping_of(contrast: Contrast, distance: float, alpha: float) -> Stopping:
    """Return when a contrast's test stops if the truth lies so far from what it refutes."""
    fixed = float(planning.fixed_information(distance, variance=contrast.variance, alpha=alpha))
    drift, longest = distance / math.sqrt(contrast.variance), _HORIZON * fixed
    found = stopping(drift, planned_information=contrast.planned_information, alpha=alpha, longest=longest)
    for _ in range(_EXTENSIONS):
        if found.passed[-1] >= LONGEST_POWER:
            break
        longest *= _LONGER
        found = stopping(
            drift, planned_information=contrast.planned_information, alpha=alpha, longest=longest
        )
    return found


@lru_cache(maxsize=1024)
def _provable(contrast: Contrast, units: float, alpha: float) -> float:
    drift = provable_drift(
        units / 2.0, planned_information=contrast.planned_information, alpha=alpha, power=POWER
    )
    return drift * math.sqrt(contrast.variance) / contrast.level
