"""Planning: how many units a proof takes, how long it may take, and what a given traffic can prove."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, special

from rollout.stats import arrays, first_passage, normal_mixture
from rollout.stats.arrays import FloatArray

ALPHA: Final = 0.05
POWER: Final = 0.8
LONGEST: Final = 2.2
"""Information, in units of the fixed-horizon test's, after which a policy should have given up."""
_STEPS: Final = 1200
_FACTORS: Final = (1.0, 12.0)


@dataclass(frozen=True, slots=True)
class Sequential:
    """What looking all the time costs: in units of the fixed-horizon test's information."""

    planned: float
    """Where the test has its planned power; W* is frozen here."""
    median: float
    mean: float
    """The mean when whatever is unproven ends at `longest`."""
    longest: float
    power_at_longest: float


def fixed_information(
    effect: ArrayLike, *, variance: ArrayLike, alpha: float = ALPHA, power: float = POWER
) -> FloatArray:
    """Return W_fixed, the information a one-sided test at one fixed look needs.

    Formula: (z_{1−α} + z_power)² σ²/Δ². Source: Neyman & Pearson 1933 (textbook). Assumes: normal means.
    Asymptotic.
    """
    delta = arrays.positive("effect", np.abs(arrays.finite("effect", effect)))
    return _quantiles(alpha, power) ** 2 * arrays.counts("variance", variance) / delta**2


@lru_cache(maxsize=64)
def sequential(alpha: float = ALPHA, power: float = POWER) -> Sequential:
    """Return what the one-sided always-valid test costs against the fixed one, at its planned effect.

    Formula: the least f with P(z_W reaches the boundary by W = f W_fixed) = power, W* = f W_fixed; by first
    passage of a drifting Brownian motion. Source: Buonocore et al. 1987 for the passage; boundary of (a).
    Assumes: as (a). Asymptotic.
    """
    planned = float(
        optimize.brentq(lambda end: _passed(end, end, alpha, power)[1][-1] - power, *_FACTORS, xtol=1e-6)
    )
    longest = max(LONGEST, planned)
    times, passed = _passed(planned, longest, alpha, power)
    times, passed = (np.concatenate([[0.0], part]) for part in (times, passed))
    return Sequential(
        planned=planned,
        median=float(np.interp(0.5, passed, times)),
        mean=float(np.trapezoid(1.0 - passed, times)),
        longest=longest,
        power_at_longest=float(passed[-1]),
    )


def sequential_information(
    effect: ArrayLike, *, variance: ArrayLike, alpha: float = ALPHA, power: float = POWER
) -> FloatArray:
    """Return W*, the information at which the planned sequential test ends, to be frozen before the start.

    Formula: f · W_fixed, f = 1.72 at α = 5 %, power 80 % and continuous looks (1.77 at some hundred looks).
    Source: `sequential`. Assumes: as (a). Asymptotic.
    """
    return sequential(alpha, power).planned * fixed_information(
        effect, variance=variance, alpha=alpha, power=power
    )


def longest_information(
    effect: ArrayLike, *, variance: ArrayLike, alpha: float = ALPHA, power: float = POWER
) -> FloatArray:
    """Return the information at which a policy that has proven nothing should end.

    Formula: 2.2 · W_fixed, or W* where that is more. Source: this project (89.5 % power
    by then). Assumes: as (a). Asymptotic.
    """
    return sequential(alpha, power).longest * fixed_information(
        effect, variance=variance, alpha=alpha, power=power
    )


def units_per_arm(information: ArrayLike) -> FloatArray:
    """Return how many units each of two equal arms needs for an information W = n/2.

    Formula: n = 2W. Source: w = n_a n_b/(n_a+n_b). Assumes: arms of equal size. Exact.
    """
    return np.ceil(2.0 * arrays.counts("information", information) - 1e-9)


def contrast_variance(
    control_variance: ArrayLike, candidate_variance: ArrayLike, *, null_lift: ArrayLike = 0.0
) -> FloatArray:
    """Return the σ² per information of the contrast ȳ_b − (1+δ₀) ȳ_a with arms of equal size.

    Formula: (σ_b² + (1+δ₀)² σ_a²)/2. Source: variance of (a). Assumes: arms of equal size. Exact.
    """
    scale = 1.0 + arrays.finite("null_lift", null_lift)
    parts = (
        arrays.counts("control_variance", control_variance),
        arrays.counts("candidate_variance", candidate_variance),
    )
    return 0.5 * (parts[1] + scale**2 * parts[0])


def reachable_effect(
    units: ArrayLike,
    *,
    variance: ArrayLike,
    alpha: float = ALPHA,
    power: float = POWER,
    factor: float | None = None,
) -> FloatArray:
    """Return the smallest difference of means that `units` per arm can prove; 1e100 where there are none.

    Formula: Δ = (z_{1−α} + z_power) σ √(f/W), W = n/2. Source: `fixed_information`, solved for Δ. Assumes:
    as (a). Asymptotic.
    """
    n = arrays.counts("units", units)
    cost = sequential(alpha, power).planned if factor is None else factor
    found = np.sqrt(arrays.divided(2.0 * cost * arrays.counts("variance", variance), n))
    return np.where(n > 0, _quantiles(alpha, power) * found, arrays.LARGEST)


def wald_samples(true_rate: ArrayLike, null_rate: ArrayLike, *, alpha: float = ALPHA) -> FloatArray:
    """Return the mean sample that no level-α test of any length can beat, even knowing the true rate.

    Formula: ln(1/α)/KL(p₁‖p₀). Source: Wald 1945; Wald & Wolfowitz 1948. Assumes: independent 0/1 trials.
    Exact.
    """
    p, q = arrays.share("true_rate", true_rate), arrays.share("null_rate", null_rate)
    divergence = special.rel_entr(p, q) + special.rel_entr(1.0 - p, 1.0 - q)
    return np.log(1.0 / arrays.share("alpha", alpha)) / arrays.positive(
        "true_rate − null_rate: the divergence", divergence
    )


def fixed_units_of_means(effect_in_deviations: float, *, alpha: float = ALPHA, power: float = POWER) -> float:
    """Return the units per arm of one fixed look at a t test, by statsmodels: the plan's cross-check.

    Formula: noncentral t, solved for n. Source: statsmodels TTestIndPower; Cohen 1988. Assumes: normal
    means. Exact.
    """
    # Imported here because it costs a second that only planning should pay.
    from statsmodels.stats.power import TTestIndPower

    return float(
        TTestIndPower().solve_power(
            effect_in_deviations, alpha=alpha, power=power, ratio=1.0, alternative="larger"
        )
    )


def fixed_units_of_rates(
    control_rate: float, candidate_rate: float, *, alpha: float = ALPHA, power: float = POWER
) -> float:
    """Return the units per arm of one fixed look at two proportions, as statsmodels computes it.

    Formula: normal power at the arcsine effect size. Source: statsmodels NormalIndPower; Cohen 1988.
    Assumes: large samples. Asymptotic.
    """
    from statsmodels.stats.power import NormalIndPower
    from statsmodels.stats.proportion import proportion_effectsize

    effect = abs(float(proportion_effectsize(candidate_rate, control_rate)))
    return float(
        NormalIndPower().solve_power(effect, alpha=alpha, power=power, ratio=1.0, alternative="larger")
    )


def _quantiles(alpha: float, power: float) -> float:
    level, wanted = arrays.share("alpha", alpha), arrays.share("power", power)
    total = float(special.ndtri(1.0 - level) + special.ndtri(wanted))
    return float(arrays.positive("power − alpha: z_{1−α} + z_power", total))


def _passed(planned: float, end: float, alpha: float, power: float) -> tuple[FloatArray, FloatArray]:
    """Return times up to `end` in W_fixed and the probability to have passed by each; W* at `planned`."""
    # With the effect as the unit of drift, W_fixed is (z_{1−α} + z_power)².
    fixed = _quantiles(alpha, power) ** 2
    step = end * fixed / _STEPS
    information = step * np.arange(1, _STEPS + 1, dtype=np.float64)
    ratio = normal_mixture.best_ratio(alpha, sides=1) * information / (planned * fixed)
    boundary = normal_mixture.critical_z_one_sided(ratio, alpha) * np.sqrt(information)
    return information / fixed, first_passage.distribution(boundary, 1.0, step)
