"""Difference and relative lift of unit means between two arms, stratified, at any null."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from rollout.stats import arrays, normal_mixture
from rollout.stats.arrays import BoolArray, FloatArray
from rollout.stats.interval import Interval
from rollout.stats.moments import Moments
from rollout.stats.normal_mixture import R_ONE_SIDED, R_TWO_SIDED

PLANNED_INFORMATION: Final = 5000.0
"""W*, the information at which the boundary is tightest, when no plan says better; any value is valid."""
MINIMUM_NONZERO: Final = 30
"""Units with a non-zero value that each arm needs before a normal approximation is acted on."""
# Each arm's mean costs a degree of freedom.
_ESTIMATED_MEANS: Final = 2.0
# Rounding error of a score, in units of its terms: a variance below its square is none.
_ROUNDING: Final = 8 * float(np.finfo(np.float64).eps)


@dataclass(frozen=True, slots=True)
class Contrast:
    """Score S, its variance V and its information W: what every test and interval of this family needs."""

    score: FloatArray
    variance: FloatArray
    information: FloatArray

    @property
    def z(self) -> FloatArray:
        """S/√V, and 0 where there is no variance to measure against: no evidence."""
        return arrays.divided(self.score, np.sqrt(self.variance))

    def prior_ratio_at(self, best: float, planned_information: ArrayLike) -> FloatArray:
        """Return r = r*·W/W*, and 0 (no evidence) where nothing was measured."""
        planned = arrays.positive("planned_information", planned_information)
        return np.where(self.variance > 0, best * self.information / planned, 0.0)


def contrast(
    control: Moments,
    candidate: Moments,
    *,
    null_lift: ArrayLike = 0.0,
    null_difference: ArrayLike = 0.0,
    variance_floor: bool = True,
) -> Contrast:
    """Return the stratified contrast of two arms; strata are the last axis and are summed over.

    Formula: w = n_a n_b/(n_a+n_b), c = 1+δ₀; S = Σ w(ȳ_b − c ȳ_a − d₀), V = Σ w²(s_b*²/n_b + c² s_a*²/n_a),
    W = Σ w, s_j*² = max(s_j², pooled s² of the stratum). Source: Waudby-Smith et al. 2021; weights after
    Cochran 1954. Assumes: independent units, randomised within strata; a stratum of fewer than three units
    is left out. Asymptotic.
    """
    lift = arrays.finite("null_lift", null_lift)[..., np.newaxis]
    shift = arrays.finite("null_difference", null_difference)[..., np.newaxis]
    a, b = _stratified(control), _stratified(candidate)
    scale = 1.0 + lift
    weight = _weight(a, b)
    floor = _pooled_variance(a, b) if variance_floor else np.zeros(1)
    score = weight * (b.mean - scale * a.mean - shift)
    spread_a, spread_b = _error(a, floor), _error(b, floor)
    noise = (weight * _ROUNDING * (np.abs(b.mean) + np.abs(scale * a.mean) + np.abs(shift))).sum(axis=-1)
    variance = (weight**2 * (spread_b + scale**2 * spread_a)).sum(axis=-1)
    return Contrast(
        score=np.asarray(score.sum(axis=-1)),
        variance=np.where(variance > noise**2, variance, 0.0),
        information=np.asarray(np.broadcast_to(weight, score.shape).sum(axis=-1)),
    )


def log_e_two_sided(
    contrast: Contrast,
    *,
    planned_information: ArrayLike = PLANNED_INFORMATION,
    best_ratio: float = R_TWO_SIDED,
) -> FloatArray:
    """Return log e against "the contrast is zero": no difference at the null lift.

    Formula: −½ ln(1+r) + z² r/(2(1+r)), r = r*·W/W*. Source: Waudby-Smith et al. 2021 (arXiv 2103.06476).
    Assumes: as `contrast`. Asymptotic.
    """
    return normal_mixture.log_e_two_sided(
        contrast.z, contrast.prior_ratio_at(best_ratio, planned_information)
    )


def log_e_greater(
    contrast: Contrast,
    *,
    planned_information: ArrayLike = PLANNED_INFORMATION,
    best_ratio: float = R_ONE_SIDED,
) -> FloatArray:
    """Return log e against "the candidate is at most the null lift above the control".

    Formula: ln 2 − ½ ln(1+r) + z² r/(2(1+r)) + ln Φ(z√(r/(1+r))), r = r*·W/W*. Source: Robbins 1970; Howard
    et al. 2021. Assumes: as `contrast`. Asymptotic.
    """
    return normal_mixture.log_e_greater(contrast.z, contrast.prior_ratio_at(best_ratio, planned_information))


def log_e_less(
    contrast: Contrast,
    *,
    planned_information: ArrayLike = PLANNED_INFORMATION,
    best_ratio: float = R_ONE_SIDED,
) -> FloatArray:
    """Return log e against "the candidate is at least the null lift above the control".

    Formula: `log_e_greater` of −z. Source: Robbins 1970; Howard et al. 2021. Assumes: as `contrast`.
    Asymptotic.
    """
    return normal_mixture.log_e_less(contrast.z, contrast.prior_ratio_at(best_ratio, planned_information))


def difference_interval(
    control: Moments,
    candidate: Moments,
    *,
    alpha: float = 0.05,
    planned_information: ArrayLike = PLANNED_INFORMATION,
    best_ratio: float = R_TWO_SIDED,
) -> Interval:
    """Return the always-valid interval of the absolute difference of means, candidate minus control.

    Formula: S/W ± q√V/W, q = √(((1+r)/r)(ln(1+r) + 2 ln(1/α))). Source: Waudby-Smith et al. 2021.
    Assumes: as `contrast`. Asymptotic.
    """
    found = contrast(control, candidate)
    critical = _critical(found, alpha, planned_information, best_ratio)
    centre = arrays.divided(found.score, found.information)
    radius = critical * arrays.divided(np.sqrt(found.variance), found.information)
    return Interval.where(found.variance > 0, centre - radius, centre + radius)


def lift_interval(
    control: Moments,
    candidate: Moments,
    *,
    alpha: float = 0.05,
    planned_information: ArrayLike = PLANNED_INFORMATION,
    best_ratio: float = R_TWO_SIDED,
) -> Interval:
    """Return the always-valid interval of the relative lift; unknown where the control's mean may be zero.

    Formula: M_j = Σw ȳ_j/W, V_j = Σw² s_j*²/n_j/W², A = M_a² − q²V_a > 0:
    1 + lift ∈ [M_a M_b ± q√(V_b A + M_b² V_a)]/A. Source: Fieller 1954; q as in `difference_interval`.
    Assumes: as `contrast`; the control's mean is positive. Asymptotic.
    """
    a, b = _stratified(control), _stratified(candidate)
    found = contrast(control, candidate)
    weight, floor = _weight(a, b), _pooled_variance(a, b)
    total = found.information
    mean_a, mean_b = (_weighted_mean(arm, weight) for arm in (a, b))
    error_a, error_b = (
        arrays.divided((weight**2 * _error(arm, floor)).sum(axis=-1), total**2) for arm in (a, b)
    )
    critical = _critical(found, alpha, planned_information, best_ratio)
    lead = mean_a**2 - critical**2 * error_a
    root = critical * np.sqrt(np.maximum(error_b * lead + mean_b**2 * error_a, 0.0))
    known = (found.variance > 0) & (lead > 0) & (mean_a > 0)
    safe = np.where(known, lead, 1.0)
    return Interval.where(known, (mean_a * mean_b - root) / safe - 1.0, (mean_a * mean_b + root) / safe - 1.0)


def lift_estimate(control: Moments, candidate: Moments) -> tuple[FloatArray, BoolArray]:
    """Return the stratified estimate of the relative lift, and where it is known: with a positive control.

    Formula: M_b/M_a − 1, M_j = Σw ȳ_j/Σw, w as in `contrast`. Source: Cochran 1954 (weights).
    Assumes: as `contrast`. Asymptotic.
    """
    a, b = _stratified(control), _stratified(candidate)
    weight = _weight(a, b)
    base, other = (_weighted_mean(arm, weight) for arm in (a, b))
    known = np.asarray(base > 0)
    return np.where(known, arrays.divided(other, np.where(known, base, 1.0)) - 1.0, 0.0), known


def enough_units(
    nonzero_control: ArrayLike, nonzero_candidate: ArrayLike, *, minimum: int = MINIMUM_NONZERO
) -> BoolArray:
    """Return whether each arm has enough units with a non-zero value, summed over strata, to be acted on.

    Formula: min(n₊_a, n₊_b) ≥ 30. Source: this project's simulations (docs/calibration.md, traps 2 and 3).
    Assumes: distinct units. Asymptotic.
    """
    fewest = np.minimum(
        arrays.counts("nonzero_control", nonzero_control),
        arrays.counts("nonzero_candidate", nonzero_candidate),
    )
    return np.asarray(fewest >= minimum)


def enough_beside(nonzero_control: ArrayLike, nonzero_candidate: ArrayLike) -> BoolArray:
    """Return whether there are enough non-zero units to act on a candidate that may hardly have any itself.

    Formula: n₊_a ≥ 30 and n₊_a + n₊_b ≥ 60. Source: this project's simulations (docs/calibration.md).
    Assumes: distinct units, arms of one size, so that under the null both together are twice the control's.
    Asymptotic.
    """
    control = arrays.counts("nonzero_control", nonzero_control)
    both = control + arrays.counts("nonzero_candidate", nonzero_candidate)
    return np.asarray((control >= MINIMUM_NONZERO) & (both >= 2 * MINIMUM_NONZERO))


def _stratified(moments: Moments) -> Moments:
    return moments if moments.n.ndim else Moments.of(moments.n[None], moments.mean[None], moments.ss[None])


def _weight(a: Moments, b: Moments) -> FloatArray:
    """Return w = n_a n_b/(n_a+n_b); 0 where an arm is empty, or no degree of freedom is left to judge by."""
    n = a.n + b.n
    return np.where(n > _ESTIMATED_MEANS, arrays.divided(a.n * b.n, n), 0.0)


def _weighted_mean(arm: Moments, weight: FloatArray) -> FloatArray:
    return arrays.divided(np.asarray((weight * arm.mean).sum(axis=-1)), np.asarray(weight.sum(axis=-1)))


def _pooled_variance(a: Moments, b: Moments) -> FloatArray:
    return arrays.divided(a.ss + b.ss, np.maximum(a.n + b.n - _ESTIMATED_MEANS, 0.0))


def _error(arm: Moments, floor: FloatArray) -> FloatArray:
    """Return the squared standard error of an arm's mean, with the variance floor; 0 for an empty arm."""
    return arrays.divided(np.maximum(arm.variance, floor), arm.n)


def _critical(
    contrast: Contrast, alpha: float, planned_information: ArrayLike, best_ratio: float
) -> FloatArray:
    ratio = contrast.prior_ratio_at(best_ratio, planned_information)
    return normal_mixture.critical_z_two_sided(np.where(ratio > 0, ratio, 1.0), alpha)
