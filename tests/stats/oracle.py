"""Slow, obvious computations in fifty digits, against which the fast ones are held."""

from __future__ import annotations

import mpmath


def log_beta_tail(x: float, a: float, b: float, *, upper: bool = False) -> float:
    """Return ln I_x(a, b) or ln (1 − I_x(a, b))."""
    with mpmath.workdps(50):
        return float(_log_tail(mpmath.mpf(x), mpmath.mpf(a), mpmath.mpf(b), upper=upper))


def log_beta_mixture(s: float, n: float, p0: float, k: float) -> float:
    """Return lnB(kp₀+s, k(1−p₀)+n−s) − lnB(kp₀, k(1−p₀)) − s ln p₀ − (n−s) ln(1−p₀), as it is printed."""
    with mpmath.workdps(50):
        return float(_log_mixture(*(mpmath.mpf(value) for value in (s, n, p0, k))))


def log_one_sided(s: float, n: float, p0: float, k: float, *, upper: bool) -> float:
    """Return the one-sided log e as it is printed: the two-sided one and two tails."""
    with mpmath.workdps(50):
        s_, n_, p, c = (mpmath.mpf(value) for value in (s, n, p0, k))
        after = _log_tail(p, c * p + s_, c * (1 - p) + n_ - s_, upper=upper)
        before = _log_tail(p, c * p, c * (1 - p), upper=upper)
        return float(_log_mixture(s_, n_, p, c) + after - before)


def _log_mixture(s: mpmath.mpf, n: mpmath.mpf, p: mpmath.mpf, k: mpmath.mpf) -> mpmath.mpf:
    ratio = _log_beta(k * p + s, k * (1 - p) + n - s) - _log_beta(k * p, k * (1 - p))
    return ratio - s * mpmath.log(p) - (n - s) * mpmath.log1p(-p)


def _log_tail(x: mpmath.mpf, a: mpmath.mpf, b: mpmath.mpf, *, upper: bool) -> mpmath.mpf:
    """Return the log of a tail; the smaller side by quadrature, the larger one as the rest."""
    smaller_is_upper = x > a / (a + b)
    smaller = _small_tail(1 - x, b, a) if smaller_is_upper else _small_tail(x, a, b)
    return mpmath.log(smaller if upper == smaller_is_upper else 1 - smaller)


def _small_tail(at: mpmath.mpf, first: mpmath.mpf, second: mpmath.mpf) -> mpmath.mpf:
    """Return the beta law's mass below `at`, which lies below its mean, in pieces that follow its decay."""
    constant = mpmath.loggamma(first + second) - mpmath.loggamma(first) - mpmath.loggamma(second)
    slope = abs((first - 1) / at - (second - 1) / (1 - at))
    deviation = mpmath.sqrt(first * second / (first + second) ** 3)
    length = 1 / (slope + 1 / deviation)
    pieces = sorted(
        {max(mpmath.mpf(0), at - length * k) for k in (0, 1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128)}
    )

    def density(t: mpmath.mpf) -> mpmath.mpf:
        return mpmath.exp(constant + (first - 1) * mpmath.log(t) + (second - 1) * mpmath.log1p(-t))

    return mpmath.quad(density, pieces)


def _log_beta(a: mpmath.mpf, b: mpmath.mpf) -> mpmath.mpf:
    return mpmath.loggamma(a) + mpmath.loggamma(b) - mpmath.loggamma(a + b)
