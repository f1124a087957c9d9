"""When a one-sided always-valid test stops, if the effect is as assumed: what a plan of dates rests on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import optimize

from rollout.stats import arrays, first_passage, normal_mixture
from rollout.stats.arrays import FloatArray
from rollout.stats.normal_mixture import R_ONE_SIDED

STEPS: Final = 600
# Only the chance at the very end is asked for, and it is read off within 0.001.
_PROVABLE_STEPS: Final = 200
# Beside the drift that reaches the boundary's last point on average.
_DRIFTS: Final = (0.05, 4.0)


@dataclass(frozen=True, slots=True)
class Stopping:
    """Ascending information, from none on, and how likely the test has stopped by each."""

    information: FloatArray
    passed: FloatArray

    def mean(self, until: float) -> float:
        """Return the mean information when whatever has not stopped ends there."""
        inside = np.append(self.information[self.information < until], until)
        return float(np.trapezoid(1.0 - np.interp(inside, self.information, self.passed), inside))

    def by(self, chance: float) -> float | None:
        """Return the information at which this share of the tests has stopped, or None beyond the last."""
        if not self.passed[-1] >= chance:
            return None
        return float(np.interp(chance, self.passed, self.information))

    def chance(self, information: float) -> float:
        """Return how likely the test has stopped by then."""
        return float(np.interp(information, self.information, self.passed))


def stopping(
    drift: float,
    *,
    planned_information: float,
    alpha: float,
    longest: float,
    best_ratio: float = R_ONE_SIDED,
) -> Stopping:
    """Return when a test at level α whose W* was frozen stops, under a true effect of `drift` deviations.

    Formula: P(z_W reaches the boundary by W), z_W = B(W)/√W with drift Δ/σ, boundary: the z with
    `log_e_greater`(z, r*·W/W*) = ln(1/α). Source: Buonocore et al. 1987 for the passage; boundary of (a).
    Assumes: as (a); continuous looks. Asymptotic.
    """
    end = float(arrays.positive("longest", longest))
    step = end / STEPS
    boundary = _boundary(end, STEPS, planned_information, alpha, best_ratio)
    passed = first_passage.distribution(boundary, float(arrays.positive("drift", drift)), step)
    # The integral's own error may exceed what is left beside 0 and 1.
    rising = np.maximum.accumulate(np.clip(passed, 0.0, 1.0))
    information = step * np.arange(1, STEPS + 1, dtype=np.float64)
    return Stopping(*(np.concatenate([[0.0], part]) for part in (information, rising)))


def provable_drift(
    information: float,
    *,
    planned_information: float,
    alpha: float,
    power: float,
    best_ratio: float = R_ONE_SIDED,
) -> float:
    """Return the smallest true effect, in deviations, that the test has stopped for by then with this power.

    Formula: the Δ/σ with P(z_W reaches the boundary by W) = power, W* as it was frozen, whatever the effect.
    Source: `stopping`. Assumes: as (a); continuous looks. Asymptotic.
    """
    end = float(arrays.positive("information", information))
    wanted = float(arrays.share("power", power))
    step = end / _PROVABLE_STEPS
    boundary = _boundary(end, _PROVABLE_STEPS, planned_information, alpha, best_ratio)
    scale = float(boundary[-1]) / end

    def excess(drift: float) -> float:
        return float(first_passage.distribution(boundary, drift, step)[-1]) - wanted

    return float(optimize.brentq(excess, _DRIFTS[0] * scale, _DRIFTS[1] * scale, rtol=1e-4))


def _boundary(
    end: float, steps: int, planned_information: float, alpha: float, best_ratio: float
) -> FloatArray:
    """Return what the score must reach at each step up to `end` for the test to stop."""
    information = end / steps * np.arange(1, steps + 1, dtype=np.float64)
    ratio = best_ratio * information / arrays.positive("planned_information", planned_information)
    return np.asarray(normal_mixture.critical_z_one_sided(ratio, alpha) * np.sqrt(information))
