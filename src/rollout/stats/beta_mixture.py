"""Shares that are tested for ever: counts against known shares, with a beta or Dirichlet prior."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from rollout.stats import arrays, tails
from rollout.stats.arrays import FloatArray
from rollout.stats.interval import Interval

_FAR_LOGIT: Final = 700.0
_ROOT_STEPS: Final = 200
_ROOT_ENOUGH: Final = 1e-9
"""Newton's error after a step is about the step squared: one as small as this was the last."""


def log_dirichlet(counts: ArrayLike, shares: ArrayLike, *, concentration: ArrayLike) -> FloatArray:
    """Return log e against "the counts follow these shares"; the categories are the last axis.

    Formula: lnB(kθ+n) − lnB(kθ) − Σ n_i ln θ_i, with lnB(v) = Σ lnΓ(v_i) − lnΓ(Σv_i).
    Source: Lindon & Malek 2022 (Dirichlet-multinomial mixture). Assumes: θ sums to 1; independent units.
    Exact.
    """
    counted = arrays.counts("counts", counts)
    null = arrays.share("shares", shares)
    if not np.allclose(null.sum(axis=-1), 1.0, rtol=0, atol=1e-9):
        raise ValueError(f"shares: must sum to 1 over the last axis (got {null.sum(axis=-1).flat[0]})")
    prior = arrays.positive("concentration", concentration)[..., np.newaxis] * null
    return tails.log_kernel(prior, null) - tails.log_kernel(prior + counted, null)


def log_e_two_sided(
    successes: ArrayLike, trials: ArrayLike, *, null: ArrayLike, concentration: ArrayLike
) -> FloatArray:
    """Return log e against "the success probability equals `null`".

    Formula: lnB(kp₀+s, k(1−p₀)+n−s) − lnB(kp₀, k(1−p₀)) − s ln p₀ − (n−s) ln(1−p₀).
    Source: Robbins 1970 (beta-binomial mixture). Assumes: independent trials; s may be fractional. Exact.
    """
    s, failures, p0, k = _checked(successes, trials, null, concentration)
    return _log_e(s, failures, p0, k)


def log_e_greater(
    successes: ArrayLike, trials: ArrayLike, *, null: ArrayLike, concentration: ArrayLike
) -> FloatArray:
    """Return log e against "the success probability is at most `null`".

    Formula: two-sided log e + ln P(Beta(a+s, b+n−s) > p₀) − ln P(Beta(a, b) > p₀), a = kp₀, b = k(1−p₀);
    computed as a difference of two log Mills ratios, in which the large terms have cancelled on paper.
    Source: Howard, Ramdas, McAuliffe & Sekhon 2021 (one-sided beta-binomial mixture). Assumes: independent
    trials; s may be fractional. Exact.
    """
    s, failures, p0, k = _checked(successes, trials, null, concentration)
    after = tails.log_beta_mills(p0, k * p0 + s, k * (1.0 - p0) + failures, upper=True)
    return after - tails.log_beta_mills(p0, k * p0, k * (1.0 - p0), upper=True)


def log_e_less(
    successes: ArrayLike, trials: ArrayLike, *, null: ArrayLike, concentration: ArrayLike
) -> FloatArray:
    """Return log e against "the success probability is at least `null`".

    Formula: as `log_e_greater`, with P(Beta < p₀). Source: Howard et al. 2021.
    Assumes: independent trials; s may be fractional. Exact.
    """
    s, failures, p0, k = _checked(successes, trials, null, concentration)
    after = tails.log_beta_mills(p0, k * p0 + s, k * (1.0 - p0) + failures)
    return after - tails.log_beta_mills(p0, k * p0, k * (1.0 - p0))


def rate_interval(
    successes: ArrayLike,
    trials: ArrayLike,
    *,
    centre: ArrayLike,
    concentration: ArrayLike,
    alpha: float = 0.05,
) -> Interval:
    """Return the always-valid interval of a success probability: every p with two-sided e(p) < 1/α.

    Formula: {p : lnB(a+s, b+n−s) − lnB(a, b) − s ln p − (n−s) ln(1−p) < ln(1/α)}, a = k·centre, b =
    k(1−centre). Source: Robbins 1970; Howard et al. 2021. Assumes: independent trials. Exact.
    """
    arrays.share("alpha", alpha)
    s, failures, p0, k = np.broadcast_arrays(*_checked(successes, trials, centre, concentration))
    # Moving the null from the centre to p changes log e by n KL(p̂‖p) − n KL(p̂‖centre).
    room = np.log(1.0 / alpha) - _log_e(s, failures, p0, k) + _divergence(s, failures, p0, 1.0 - p0)
    lower = np.where(s > 0, _lower_edge(s, failures, room), 0.0)
    upper = np.where(failures > 0, 1.0 - _lower_edge(failures, s, room), 1.0)
    return Interval.where(s + failures > 0, lower, upper)


def _log_e(s: FloatArray, failures: FloatArray, p0: FloatArray, k: FloatArray) -> FloatArray:
    shares = tails.pair(p0, 1.0 - p0)
    prior = k[..., np.newaxis] * shares
    return tails.log_kernel(prior, shares) - tails.log_kernel(prior + tails.pair(s, failures), shares)


def _lower_edge(s: FloatArray, failures: FloatArray, room: FloatArray) -> FloatArray:
    """Return the p below s/n at which n KL(s/n‖p) uses up the room; 0 where that lies below e^-700."""
    n = s + failures
    hits, trials = np.where(s > 0, s, 1.0), np.where(n > 0, n, 1.0)
    misses = np.where(s > 0, failures, 1.0)
    # In the logit the divergence is convex, and above its asymptote on the left, whose root is the least
    # that the edge can be. From a parabola's guess one of Newton's steps leads to the left of the edge, if
    # it was not there before, and the others go up and never beyond it.
    entropy = special.xlogy(hits, hits / trials) + special.xlogy(misses, np.maximum(misses, 1.0) / trials)
    least = np.maximum((entropy - room) / hits, -_FAR_LOGIT)
    spread = np.sqrt(2.0 * room * trials / (hits * np.where(misses > 0, misses, hits)))
    logit = np.where(misses > 0, np.log(hits / np.where(misses > 0, misses, hits)) - spread, least)
    logit = np.maximum(logit, least)
    going = (s > 0) & (least > -_FAR_LOGIT)
    for _ in range(_ROOT_STEPS):
        share, rest = special.expit(logit), special.expit(-logit)
        excess = _divergence(hits, misses, share, rest) - room
        step = arrays.divided(excess, hits * rest - misses * share)
        # Whoever has arrived stays: the others must not change it.
        logit = np.where(going, np.maximum(logit + step, least), logit)
        going = going & (np.abs(step) > _ROOT_ENOUGH * np.maximum(np.abs(logit), 1.0))
        if not np.any(going):
            break
    return np.where((s > 0) & (least > -_FAR_LOGIT), special.expit(logit), 0.0)


def _divergence(s: FloatArray, failures: FloatArray, p: FloatArray, q: FloatArray) -> FloatArray:
    """Return n KL(p̂‖p), with q = 1 − p given so that it keeps its digits; 0 without trials."""
    n = np.where(s + failures > 0, s + failures, 1.0)
    return np.where(s + failures > 0, tails.deviance(s, n * p) + tails.deviance(failures, n * q), 0.0)


def _checked(
    successes: ArrayLike, trials: ArrayLike, null: ArrayLike, concentration: ArrayLike
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    s, n = arrays.counts("successes", successes), arrays.counts("trials", trials)
    arrays.part_of("successes", s, n, "trials")
    return s, n - s, arrays.share("null", null), arrays.positive("concentration", concentration)
