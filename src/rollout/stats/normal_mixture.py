"""Sums that are tested for ever: e-values of a z score whose information grows, with a normal prior."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike
from scipy import special
from scipy.optimize import elementwise

from rollout.stats import arrays
from rollout.stats.arrays import FloatArray

_LOG_2: Final = float(np.log(2.0))
_ROOT_STEPS: Final = 200


def best_ratio(alpha: float = 0.05, *, sides: int) -> float:
    """Return r*, the ratio of prior to sampling variance that is tightest at the planned information.

    Formula: r* = −W₋₁(−α²/e) − 1; one-sided with 2α. Source: Howard et al. 2021; Waudby-Smith et al. 2021.
    Assumes: α < ½ (one-sided) or α < 1. Exact.
    """
    match sides:
        case 1:
            level = float(arrays.share("2·alpha", 2.0 * alpha))
        case 2:
            level = float(arrays.share("alpha", alpha))
        case _:
            raise ValueError(f"sides: must be 1 or 2 (got {sides})")
    return float(-special.lambertw(-(level**2) / np.e, -1).real - 1.0)


R_ONE_SIDED: Final = best_ratio(0.05, sides=1)
"""r* for one-sided tests at α = 5 %: 6.638."""
R_TWO_SIDED: Final = best_ratio(0.05, sides=2)
"""r* for two-sided tests at α = 5 %: 8.212."""


def log_e_two_sided(z: ArrayLike, r: ArrayLike) -> FloatArray:
    """Return log e against "the mean of the score is 0".

    Formula: −½ ln(1+r) + z² r / (2(1+r)). Source: Robbins 1970; Waudby-Smith et al. 2021 (arXiv 2103.06476).
    Assumes: the score is asymptotically a Brownian motion in its information. Asymptotic.
    """
    z_, r_ = arrays.finite("z", z), arrays.counts("r", r)
    return -0.5 * np.log1p(r_) + 0.5 * z_ * z_ * (r_ / (1.0 + r_))


def log_e_greater(z: ArrayLike, r: ArrayLike) -> FloatArray:
    """Return log e against "the mean of the score is at most 0".

    Formula: ln 2 − ½ ln(1+r) + z² r / (2(1+r)) + ln Φ(z √(r/(1+r))); for z < 0 by the scaled erfc, without
    cancellation. Source: Robbins 1970 (half-normal prior); Howard et al. 2021. Assumes: as
    `log_e_two_sided`. Asymptotic.
    """
    z_, r_ = arrays.finite("z", z), arrays.counts("r", r)
    shrunk = z_ * np.sqrt(r_ / (1.0 + r_))
    forward = 0.5 * shrunk * shrunk + special.log_ndtr(np.maximum(shrunk, 0.0)) + _LOG_2
    backward = np.log(special.erfcx(np.maximum(-shrunk, 0.0) / np.sqrt(2.0)))
    return -0.5 * np.log1p(r_) + np.where(shrunk >= 0, forward, backward)


def log_e_less(z: ArrayLike, r: ArrayLike) -> FloatArray:
    """Return log e against "the mean of the score is at least 0".

    Formula: `log_e_greater` of −z. Source: Robbins 1970. Assumes: as `log_e_two_sided`. Asymptotic.
    """
    return log_e_greater(-arrays.finite("z", z), r)


def critical_z_two_sided(r: ArrayLike, alpha: ArrayLike = 0.05) -> FloatArray:
    """Return the |z| at which the two-sided test rejects; without information (r = 0) nothing does.

    Formula: √(((1+r)/r) (ln(1+r) + 2 ln(1/α))). Source: Waudby-Smith et al. 2021. Assumes: r > 0. Asymptotic.
    """
    r_, level = arrays.positive("r", r), arrays.share("alpha", alpha)
    return np.sqrt((1.0 + 1.0 / r_) * (np.log1p(r_) - 2.0 * np.log(level)))


def critical_z_one_sided(r: ArrayLike, alpha: ArrayLike = 0.05) -> FloatArray:
    """Return the z at which the one-sided test rejects, by root finding.

    Formula: the z with `log_e_greater`(z, r) = ln(1/α). Source: Howard et al. 2021. Assumes: r > 0.
    Asymptotic.
    """
    r_, level = np.broadcast_arrays(arrays.positive("r", r), arrays.share("alpha", alpha))
    # At the two-sided critical z the one-sided e is larger (2Φ(z) > 1), and at −1 it is below 1.
    upper = np.asarray(critical_z_two_sided(r_, level))

    def excess(z: FloatArray, ratio: FloatArray, alpha_: FloatArray) -> FloatArray:
        return log_e_greater(z, ratio) + np.log(alpha_)

    found = elementwise.find_root(
        excess, (np.full_like(upper, -1.0), upper), args=(r_, level), maxiter=_ROOT_STEPS
    )
    return np.asarray(found.x)
