"""Absolute limits ("p99 ≤ 250 ms" is "at most 1 % above it"): violation, compliance, shared outages."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from rollout.stats import arrays, beta_mixture, normal_mixture
from rollout.stats.arrays import BoolArray, FloatArray
from rollout.stats.bars import withhold
from rollout.stats.interval import Interval
from rollout.stats.moments import JointMoments
from rollout.stats.normal_mixture import R_ONE_SIDED

PLANNED_UNITS: Final = 1000.0
"""t_opt, the number of units or windows at which the boundary is tightest."""
COMPLIANCE_UNITS_PER_RATIO: Final = 150.0
"""The one-sample proof's tuning, r = units/150: tightest after about 1,000 units."""
VIOLATION_UNITS_PER_RATIO: Final = COMPLIANCE_UNITS_PER_RATIO / R_ONE_SIDED
"""The one-sample alarm's tuning, r = r*·units/150: tightest after 150 units, so that it is early."""
MINIMUM_EXCEEDING: Final = 20
"""Distinct units with an exceedance before a violation is acted on."""
ENVIRONMENT_REQUESTS: Final = 50
"""Baseline requests that a minute needs before it can be called an outage."""
ENVIRONMENT_DEVIATIONS: Final = 3.0
"""Standard deviations above the limit at which the baseline's minute is an outage."""
WINDOWS_PER_MINUTE: Final = 6
"""Unit-windows of 10 s in a minute."""


def concentration_for(planned_units: ArrayLike = PLANNED_UNITS, *, alpha: float = 0.05) -> FloatArray:
    """Return the prior's concentration c that is tightest after `planned_units` trials.

    Formula: c = t_opt/(2L + ln(1+2L)) − 1 with L = ln(1/(2α)); 6.329 at α = 5 %. Source: Howard et al. 2021
    (tuning of the one-sided mixtures). Assumes: t_opt > 6.33 at α = 5 %. Asymptotic.
    """
    doubled = 2.0 * float(np.log(1.0 / arrays.share("2·alpha", 2.0 * alpha)))
    wanted = arrays.positive("planned_units", planned_units) / (doubled + np.log1p(doubled)) - 1.0
    return arrays.positive("planned_units: too small; the concentration", wanted)


def log_e_violation(
    exceedances: ArrayLike,
    units: ArrayLike,
    *,
    limit: ArrayLike,
    planned_units: ArrayLike = PLANNED_UNITS,
    alpha: float = 0.05,
) -> FloatArray:
    """Return log e against "the limit is met": the probability of an exceedance is at most `limit`.

    Formula: lnB(a+s, b+n−s) − lnB(a,b) − s ln p₀ − (n−s) ln(1−p₀) + ln I^c_{p₀}(a+s, b+n−s) − ln
    I^c_{p₀}(a,b), a = p₀c, b = (1−p₀)c. Source: Howard et al. 2021 (beta-binomial, one-sided); s may be
    fractional (AM–GM). Assumes: units or windows whose fractions are independent given the past. Exact.
    """
    return beta_mixture.log_e_greater(
        exceedances, units, null=limit, concentration=concentration_for(planned_units, alpha=alpha)
    )


def log_e_compliance(
    exceedances: ArrayLike,
    units: ArrayLike,
    *,
    limit: ArrayLike,
    planned_units: ArrayLike = PLANNED_UNITS,
    alpha: float = 0.05,
) -> FloatArray:
    """Return log e against "the limit is broken": the probability of an exceedance is at least `limit`.

    Formula: as `log_e_violation`, with I in place of I^c. Source: Howard et al. 2021. Assumes: as
    `log_e_violation`. Exact.
    """
    return beta_mixture.log_e_less(
        exceedances, units, null=limit, concentration=concentration_for(planned_units, alpha=alpha)
    )


def log_e_units_violation(
    unit_totals: JointMoments,
    *,
    limit: ArrayLike,
    exceeding_units: ArrayLike,
    units_per_ratio: float = VIOLATION_UNITS_PER_RATIO,
    minimum_exceeding: int = MINIMUM_EXCEEDING,
) -> FloatArray:
    """Return log e against "the traffic meets the limit", from each unit's exceedances y and requests x.

    Formula: S = Σ(y_u − p₀x_u), V = Σ(res_u − mean)², r = r*·units/150, one-sided up; positive only from 20
    distinct units with an exceedance on. Source: Howard et al. 2021 (normal mixture); rule D+S of this
    project. Assumes: independent units. Asymptotic.
    """
    residual = unit_totals.combined(_weights(limit))
    z = _z(residual.n * residual.mean, residual.ss)
    r = np.where(residual.ss > 0, residual.n / units_per_ratio, 0.0)
    enough = arrays.counts("exceeding_units", exceeding_units) >= minimum_exceeding
    return withhold(normal_mixture.log_e_greater(z, r), enough)


def log_e_units_compliance(
    unit_totals: JointMoments, *, limit: ArrayLike, units_per_ratio: float = COMPLIANCE_UNITS_PER_RATIO
) -> FloatArray:
    """Return log e against "the traffic breaks the limit", from closed units' exceedances y and requests x.

    Formula: S = Σ(y_u − p₀x_u), V = max(Σ(res_u − mean)², p₀(1−p₀)Σx_u), r = units/150, one-sided down: zero
    exceedances are provable. Source: Howard et al. 2021 (normal mixture); floor D+S of this project.
    Assumes: independent closed units. Asymptotic.
    """
    residual = unit_totals.combined(_weights(limit))
    p0 = arrays.share("limit", limit)
    floor = p0 * (1.0 - p0) * unit_totals.n * unit_totals.mean[..., 1]
    z = _z(residual.n * residual.mean, np.maximum(residual.ss, floor))
    return normal_mixture.log_e_less(z, residual.n / units_per_ratio)


def rate_interval(
    exceedances: ArrayLike,
    units: ArrayLike,
    *,
    limit: ArrayLike,
    planned_units: ArrayLike = PLANNED_UNITS,
    alpha: float = 0.05,
) -> Interval:
    """Return the always-valid two-sided interval of the probability of an exceedance.

    Formula: every p with e(p) < 1/α under the prior Beta(p₀c, (1−p₀)c). Source: Howard et al. 2021.
    Assumes: as `log_e_violation`. Exact.
    """
    concentration = concentration_for(planned_units, alpha=alpha)
    return beta_mixture.rate_interval(
        exceedances, units, centre=limit, concentration=concentration, alpha=alpha
    )


def is_environment(
    requests: ArrayLike,
    exceedances: ArrayLike,
    *,
    limit: ArrayLike,
    minimum: int = ENVIRONMENT_REQUESTS,
    deviations: float = ENVIRONMENT_DEVIATIONS,
) -> BoolArray:
    """Return whether baseline-served traffic itself breaks the limit beyond chance: a shared outage.

    Formula: n ≥ 50 and s > n p₀ + 3√(n p₀(1−p₀)). Source: Shewhart 1931 (three-sigma rule); D+S of this
    project. Assumes: nothing; it only leaves evidence out, for all arms alike. Asymptotic.
    """
    n, s, p0 = (
        arrays.counts("requests", requests),
        arrays.counts("exceedances", exceedances),
        arrays.share("limit", limit),
    )
    arrays.part_of("exceedances", s, n, "requests")
    return np.asarray((n >= minimum) & (s > n * p0 + deviations * np.sqrt(n * p0 * (1.0 - p0))))


def environment_windows(
    requests: ArrayLike,
    exceedances: ArrayLike,
    *,
    limit: ArrayLike,
    windows_per_minute: int = WINDOWS_PER_MINUTE,
    minimum: int = ENVIRONMENT_REQUESTS,
    deviations: float = ENVIRONMENT_DEVIATIONS,
) -> BoolArray:
    """Return which 10 s windows (last axis, the first at a full minute) lie in a minute of shared outage.

    Formula: `is_environment` of the six windows of a clock minute; a running minute is judged on what it has
    so far. Source: as `is_environment`. Assumes: baseline-served counts only. Asymptotic.
    """
    n, s = np.broadcast_arrays(arrays.counts("requests", requests), arrays.counts("exceedances", exceedances))
    windows = n.shape[-1]
    starts = np.arange(0, windows, windows_per_minute)
    if windows == 0:
        return np.zeros(n.shape, dtype=np.bool_)
    minutes = (np.add.reduceat(part, starts, axis=-1) for part in (n, s))
    marked = is_environment(*minutes, limit=_beside(limit), minimum=minimum, deviations=deviations)
    return np.repeat(marked, windows_per_minute, axis=-1)[..., :windows]


def outage_dominates(environment: BoolArray) -> BoolArray:
    """Return whether more than half of the given windows (last axis, ten minutes) are a shared outage.

    Formula: share of marked windows > ½. Source: this project. Assumes: as `environment_windows`. Exact.
    """
    windows = environment.shape[-1]
    return np.asarray(2 * environment.sum(axis=-1) > windows)


def _weights(limit: ArrayLike) -> FloatArray:
    p0 = arrays.share("limit", limit)
    return np.stack([np.ones_like(p0), -p0], axis=-1)


def _z(score: FloatArray, variance: FloatArray) -> FloatArray:
    return arrays.divided(score, np.sqrt(variance))


def _beside(limit: ArrayLike) -> FloatArray:
    """Return per-experiment limits shaped to stand beside a time axis."""
    return arrays.share("limit", limit)[..., np.newaxis]
