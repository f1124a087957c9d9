"""Bars and latches: the few pure rules that turn several log e-values into one that may be acted on."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from rollout.stats import arrays
from rollout.stats.arrays import BoolArray, FloatArray

CURRENT_HARM_VETO: Final = float(np.log(20.0))
"""Current evidence of harm at which an older proof no longer promotes: ln 20."""


def reject_bar(alpha: ArrayLike) -> FloatArray:
    """Return the bar that log e must reach to reject at level α.

    Formula: ln(1/α). Source: Ville 1939. Assumes: e is a test martingale, or is bounded by one. Exact.
    """
    return -np.log(arrays.share("alpha", alpha))


def promote_bar(alpha: ArrayLike, *, arms: int = 1) -> FloatArray:
    """Return the bar for promotion when K arms share one α; every requirement must reach it.

    Formula: ln(K/α). Source: Ville 1939; Berger 1982 (intersection–union). Assumes: as `reject_bar`. Exact.
    """
    if arms < 1:
        raise ValueError(f"arms: must be at least 1 (got {arms})")
    return np.asarray(reject_bar(alpha) + np.log(arms))


def stop_bar(alpha: ArrayLike, *, share: ArrayLike = 1.0) -> FloatArray:
    """Return the bar at which one harm test, owning the share v of α, stops an arm.

    Formula: ln(1/(α v)), Σv = 1 over the arm's tests. Source: Bonferroni (union bound). Assumes: as
    `reject_bar`. Exact.
    """
    v = arrays.positive("share", share)
    if np.any(v > 1):
        raise ValueError(f"share: must not exceed 1 (got {float(v[v > 1].flat[0])})")
    return reject_bar(alpha) - np.log(v)


def both(*log_e: ArrayLike) -> FloatArray:
    """Return the log e of "all of these tests reject".

    Formula: min_i log e_i. Source: Berger 1982 (intersection–union). Assumes: nothing of their dependence.
    Exact.
    """
    return np.asarray(np.minimum.reduce(np.broadcast_arrays(*log_e)), dtype=np.float64)


def either(*log_e: ArrayLike) -> FloatArray:
    """Return the log e of one null that several tests judge: their average, valid whatever the dependence.

    Formula: ln[(1/m) Σ e_i]. Source: Vovk & Wang 2021 (averaging e-values). Assumes: every e_i is valid for
    one null. Exact.
    """
    stacked = np.stack(np.broadcast_arrays(*log_e)).astype(np.float64)
    return np.asarray(np.logaddexp.reduce(stacked, axis=0) - np.log(len(log_e)))


def withhold(log_e: ArrayLike, enough: ArrayLike) -> FloatArray:
    """Return log e, with what speaks against the null held back until there is enough to act on.

    Formula: log e where enough, else min(log e, 0). Source: a smaller e-value stays valid. Assumes: nothing.
    Exact.
    """
    value = np.asarray(log_e, dtype=np.float64)
    return np.where(np.asarray(enough, dtype=np.bool_), value, np.minimum(value, 0.0))


def latch(previous: ArrayLike, log_e: ArrayLike, *, valid: ArrayLike) -> FloatArray:
    """Return the largest log e seen so far; a look that was not valid changes nothing.

    Formula: max(previous, log e) at valid looks. Source: Ville 1939 (the maximum keeps the error rate).
    Assumes: `previous` starts at 0, no evidence. Exact.
    """
    before = np.asarray(previous, dtype=np.float64)
    return np.where(np.asarray(valid, dtype=np.bool_), np.maximum(before, np.asarray(log_e)), before)


def is_proven(
    latched: ArrayLike,
    *,
    score: ArrayLike,
    log_e_harm: ArrayLike,
    bar: ArrayLike,
    veto: ArrayLike = CURRENT_HARM_VETO,
) -> BoolArray:
    """Return whether a requirement is proven: latched, and still so now.

    Formula: latched ≥ bar and score > 0 and current log e_harm < veto; the score is the estimate beyond its
    null. Source: this project (a latch alone promotes on stale proof). Assumes: all of one look. Exact.
    """
    return np.asarray(
        (np.asarray(latched) >= bar) & (np.asarray(score) > 0) & (np.asarray(log_e_harm) < veto),
        dtype=np.bool_,
    )


def log_always_valid_p(largest_log_e: ArrayLike) -> FloatArray:
    """Return ln of the always-valid p-value, which stays a number when the p-value itself is below 1e-308.

    Formula: min(0, −max log e). Source: Johari et al. 2022. Assumes: the maximum over all looks so far.
    Exact.
    """
    return np.minimum(0.0, -arrays.finite("largest_log_e", largest_log_e))


def always_valid_p(largest_log_e: ArrayLike) -> FloatArray:
    """Return the always-valid p-value.

    Formula: min(1, 1/max e). Source: Johari et al. 2022. Assumes: the maximum over all looks so far. Exact.
    """
    return np.asarray(np.exp(log_always_valid_p(largest_log_e)))
