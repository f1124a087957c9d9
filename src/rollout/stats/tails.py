"""The beta distribution at any size: densities and tails in log space, exact where a float underflows."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from rollout.stats import arrays
from rollout.stats.arrays import FloatArray

_HALF_LOG_TWO_PI: Final = 0.5 * np.log(2.0 * np.pi)
_STIRLING: Final = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188)
_STIRLING_FROM: Final = 15.0
_NEAR: Final = 0.1
_DEVIANCE_TERMS: Final = 9
# Below this the fraction converges in a few dozen steps, while the library's tail nears its underflow.
_TAIL_FROM: Final = 1e-10
_FRACTION_STEPS: Final = 1000
# Every so many steps what has converged is set aside.
_FRACTION_SWEEP: Final = 8
_FRACTION_ENOUGH: Final = 4e-16
_TINY: Final = 1e-300
_HALF: Final = 0.5


def log_beta_cdf(x: ArrayLike, a: ArrayLike, b: ArrayLike) -> FloatArray:
    """Return ln I_x(a, b), the log of the regularised incomplete beta function, never clipped.

    Formula: ln I_x(a,b); far in the tail by the continued fraction of x^a (1−x)^b / (a B(a,b)).
    Source: DLMF 8.17.22 (fraction); Loader 2000 (density by deviances). Assumes: a, b > 0. Exact.
    """
    x_, a_, b_ = _beta_arguments(x, a, b)
    return log_beta_mills(x_, a_, b_) + log_kernel(pair(a_, b_), pair(x_, 1.0 - x_))


def log_beta_sf(x: ArrayLike, a: ArrayLike, b: ArrayLike) -> FloatArray:
    """Return ln (1 − I_x(a, b)), never clipped.

    Formula: 1 − I_x(a,b) = I_{1−x}(b,a). Source: DLMF 8.17.4. Assumes: a, b > 0. Exact.
    """
    x_, a_, b_ = _beta_arguments(x, a, b)
    return log_beta_mills(x_, a_, b_, upper=True) + log_kernel(pair(a_, b_), pair(x_, 1.0 - x_))


def log_kernel(weights: FloatArray, shares: FloatArray) -> FloatArray:
    """Return ln [Π θ_i^{A_i} / B(A)], the Dirichlet normaliser at shares θ, over the last axis.

    Formula: −Σ D(A_i, Nθ_i) + ½Σ ln A_i − ½ ln N − (K−1)/2 ln 2π − Σ ε(A_i) + ε(N), with N = ΣA_i,
    D(x,m) = x ln(x/m) + m − x and ε the error of Stirling's formula: no large terms cancel.
    Source: Loader 2000, saddle-point form. Assumes: A_i > 0. Exact.
    """
    total = weights.sum(axis=-1)
    deviances = deviance(weights, total[..., np.newaxis] * shares).sum(axis=-1)
    logs = 0.5 * (np.log(weights).sum(axis=-1) - np.log(total))
    constant = (weights.shape[-1] - 1) * _HALF_LOG_TWO_PI
    errors = stirling_error(weights).sum(axis=-1) - stirling_error(total)
    return np.asarray(logs - deviances - constant - errors)


def log_beta_mills(x: FloatArray, a: FloatArray, b: FloatArray, *, upper: bool = False) -> FloatArray:
    """Return ln of a beta tail over its own kernel x^a (1−x)^b / B(a,b): the beta law's Mills ratio.

    Formula: ln [I_x(a,b) / K] or, upper, ln [(1 − I_x(a,b)) / K]; both stay moderate where I underflows.
    Source: DLMF 8.17.22. Assumes: a, b > 0 and 0 < x < 1. Exact.
    """
    x, a, b = np.broadcast_arrays(x, a, b)
    y = 1.0 - x
    tail, complement = (special.betaincc, special.betainc) if upper else (special.betainc, special.betaincc)
    inside = np.asarray(tail(a, b, x))
    log_inside = np.asarray(np.log(np.maximum(inside, _TINY)))
    likely = inside > _HALF
    log_inside[likely] = np.log1p(-complement(a[likely], b[likely], x[likely]))
    result = np.asarray(log_inside - log_kernel(pair(a, b), pair(x, y)))
    far = np.asarray(inside < _TAIL_FROM)
    if np.any(far):
        first, second, at, rest = (b, a, y, x) if upper else (a, b, x, y)
        result[far] = _log_fraction(first[far], second[far], at[far], rest[far]) - np.log(first[far])
    return result


def deviance(x: FloatArray, mean: FloatArray) -> FloatArray:
    """Return D(x, m) = x ln(x/m) + m − x without cancellation, also when x is close to m.

    Formula: with v = (x−m)/(x+m), D = (x−m)v + 2x Σ v^{2j+1}/(2j+1) for small v.
    Source: Loader 2000, bd0. Assumes: x ≥ 0, m > 0. Exact.
    """
    difference = x - mean
    v = difference / (x + mean)
    square = v * v
    series = np.zeros_like(v)
    for power in range(2 * _DEVIANCE_TERMS + 1, 1, -2):
        series = square * (series + 1.0 / power)
    near = difference * v + 2.0 * x * v * series
    far = special.xlogy(x, np.where(x > 0, x / mean, 1.0)) - difference
    return np.where(np.abs(v) < _NEAR, near, far)


def stirling_error(x: FloatArray) -> FloatArray:
    """Return ε(x) = lnΓ(x) − [(x−½) ln x − x + ½ ln 2π].

    Formula: its asymptotic series from 15 on, directly below. Source: DLMF 5.11.1. Assumes: x > 0. Exact.
    """
    inverse = 1.0 / np.maximum(x, _STIRLING_FROM)
    square = inverse * inverse
    series = np.zeros_like(inverse)
    for coefficient in reversed(_STIRLING):
        series = series * square + coefficient
    small = np.minimum(x, _STIRLING_FROM)
    direct = special.gammaln(small) - ((small - 0.5) * np.log(small) - small + _HALF_LOG_TWO_PI)
    return np.where(x >= _STIRLING_FROM, series * inverse, direct)


def _log_fraction(a: FloatArray, b: FloatArray, x: FloatArray, y: FloatArray) -> FloatArray:
    """Return ln of the continued fraction F with I_x(a,b) = x^a y^b F / (a B(a,b)), by Lentz's method."""
    # 1 + d_1 = (a + 1 − (a+b) x) / (a + 1), written with y so that it does not cancel near the mean.
    denominator = 1.0 / _away_from_zero((1.0 + a * y - b * x) / (a + 1.0))
    value, numerator = denominator.copy(), np.ones_like(denominator)
    result = value.copy()
    active = np.arange(value.size)
    for m in range(1, _FRACTION_STEPS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            denominator = 1.0 / _away_from_zero(1.0 + term * denominator)
            numerator = _away_from_zero(1.0 + term / numerator)
            value = value * denominator * numerator
        going = np.abs(denominator * numerator - 1.0) >= _FRACTION_ENOUGH
        if m % _FRACTION_SWEEP == 0 or not np.any(going):
            result[active] = value
            active, a, b, x = active[going], a[going], b[going], x[going]
            denominator, numerator, value = denominator[going], numerator[going], value[going]
            if active.size == 0:
                break
    result[active] = value
    return np.log(result)


def _away_from_zero(values: FloatArray) -> FloatArray:
    return np.where(np.abs(values) < _TINY, _TINY, values)


def pair(first: FloatArray, second: FloatArray) -> FloatArray:
    """Return two arrays side by side on a new last axis, as `log_kernel` takes them."""
    return np.stack(np.broadcast_arrays(first, second), axis=-1)


def _beta_arguments(x: ArrayLike, a: ArrayLike, b: ArrayLike) -> tuple[FloatArray, FloatArray, FloatArray]:
    return arrays.share("x", x), arrays.positive("a", a), arrays.positive("b", b)
