"""When a test stops, and how long a fixed-horizon test of the same level and power would have run."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy import special, stats

from tests.calibration.trap import FloatArray

POWER = 0.8
_SLACK = 50


def first_at_bar(log_e: ArrayLike, at: ArrayLike, alpha: float) -> FloatArray:
    """Return where along `at` (the last axis) log e first reaches ln(1/α), infinite where it never does."""
    values = np.asarray(log_e, dtype=np.float64)
    reached = values >= math.log(1.0 / alpha)
    places = np.broadcast_to(np.asarray(at, dtype=np.float64), values.shape)
    first = np.take_along_axis(places, reached.argmax(axis=-1)[..., np.newaxis], axis=-1)[..., 0]
    return np.where(reached.any(axis=-1), first, np.inf)


def fixed_trials(truth: float, null: float, *, alpha: float) -> int:
    """Return the fewest trials with which the exact binomial test of `null` has 80 % power at `truth`."""
    if truth == null:
        raise ValueError(f"truth: must differ from the null ({null})")
    n = np.arange(1, 2 * _approximate_trials(truth, null, alpha) + _SLACK)
    if truth > null:
        power = stats.binom.sf(stats.binom.isf(alpha, n, null), n, truth)
    else:
        # The largest count that still rejects: P(X ≤ c) ≤ α.
        most = stats.binom.ppf(alpha, n, null)
        critical = np.where(stats.binom.cdf(most, n, null) <= alpha, most, most - 1)
        power = stats.binom.cdf(critical, n, truth)
    return int(n[np.flatnonzero(power >= POWER)[0]])


def _approximate_trials(truth: float, null: float, alpha: float) -> int:
    """Return the textbook's normal approximation, which only says how far to search."""
    spread = special.ndtri(1.0 - alpha) * math.sqrt(null * (1.0 - null))
    spread += special.ndtri(POWER) * math.sqrt(truth * (1.0 - truth))
    return math.ceil((spread / (truth - null)) ** 2)


def text(value: float) -> str:
    """Return a number of samples or a factor with three significant digits, a large one with commas."""
    if not math.isfinite(value):
        return "never"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
