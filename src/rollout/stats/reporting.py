"""Whether units still report: how many do since each moment, beside all that came before it."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from rollout.stats import arrays, bars, beta_mixture, starts
from rollout.stats.arrays import FloatArray

SLICE_S: Final = 600
"""Units are counted by the ten minutes in which they were enrolled."""
SLICES_A_DAY: Final = 144
ALPHA: Final = 0.001
"""The level at which a fall is called."""
LEAST: Final = 0.5
"""The part of the earlier rate that later units must keep, once a whole day is known."""
LEAST_IN_A_DAY: Final = 0.4
"""The same before: a day may begin at its best hour, and 0.6/1.4 of that is no fall."""
LEAST_BY_DAY: Final = 0.6
"""The part of the rate of the same ten minutes of the day before that units must keep."""
_BETS: Final = (1.2, 1.5, 2.5, 5.0, 20.0)
"""By how much more than allowed a rate may have fallen, with equal weights."""
_TESTS: Final = 2
"""A fall below all that came before, and one below the day before, share each start's α."""
_PARTS: Final = 2
"""The earlier rate's bound and the later units' test share the first one's."""


def log_e_fallen(
    units: ArrayLike, reporting: ArrayLike, *, slices_a_day: int = SLICES_A_DAY, alpha: float = ALPHA
) -> FloatArray:
    """Return log e of "since some slice far fewer units report than before it"; slices come last.

    Formula: max over j of `log_e_by_slice`. Source: union bound over starts (Ville 1939 within each).
    Assumes: as `log_e_by_slice`; compare with ln(1/α) of the same α. Exact.
    """
    by_slice = log_e_by_slice(units, reporting, slices_a_day=slices_a_day, alpha=alpha)
    return np.asarray(by_slice.max(axis=-1, initial=-np.inf))


def log_e_by_slice(
    units: ArrayLike, reporting: ArrayLike, *, slices_a_day: int = SLICES_A_DAY, alpha: float = ALPHA
) -> FloatArray:
    """Return, for a fall at each slice j, log e less what j must reach beyond ln(1/α); slices come last.

    Formula: max(log e_j below all before − ln 2, log e_j below the day before) − ln 2 − ln(1/w_j), w_j as
    `starts.weight_of`. Source: union bound. Assumes: as `log_e_below_past` and `log_e_below_day`. Exact.
    """
    n, s = _checked(units, reporting)
    number = np.arange(n.shape[-1])
    penalty = starts.penalty_of(number) + np.log(_TESTS)
    share = np.exp(-penalty) * float(arrays.share("alpha", alpha)) / _PARTS
    past = log_e_below_past(n, s, slices_a_day=slices_a_day, share=share) - np.log(_PARTS)
    return np.asarray(np.maximum(past, log_e_below_day(n, s, slices_a_day=slices_a_day)) - penalty)


def log_e_below_past(
    units: ArrayLike, reporting: ArrayLike, *, slices_a_day: int = SLICES_A_DAY, share: ArrayLike
) -> FloatArray:
    """Return log e against "since slice j at least c times as many units report as before", for each j.

    Formula: log e(s_j, n_j; H0 p ≥ c·L_j), one-sided beta mixture with kp₀ = 1 over the n_j units since j,
    s_j of which report; L_j bounds the rate before j from below at level `share` (Clopper–Pearson); c = 0.4,
    or 0.5 when a day or more lies before j; 0 where no fewer report than c times the rate before.
    Source: Howard et al. 2021; Clopper & Pearson 1934; Hoeffding 1956 (rates may differ from unit to unit).
    Assumes: units report independently, each after j with probability at least c times the mean rate before.
    Exact, but for the bound's own level.
    """
    n, s = _checked(units, reporting)
    n_since, s_since = (_since(part) for part in (n, s))
    n_before, s_before = (since[..., :1] - since for since in (n_since, s_since))
    number = np.arange(n.shape[-1])
    least = np.broadcast_to(np.where(number < slices_a_day, LEAST_IN_A_DAY, LEAST), n.shape)
    level = np.broadcast_to(arrays.share("share", share), n.shape)
    # Most slices saw no fall at all: of those nothing has to be computed.
    is_suspect = (s_before > 0) & (s_since * n_before < least * s_before * n_since)
    log_e = np.zeros(n.shape)
    if is_suspect.any():
        before, hits = n_before[is_suspect], s_before[is_suspect]
        lowest = special.betaincinv(hits, before - hits + 1.0, level[is_suspect])
        null = least[is_suspect] * lowest
        log_e[is_suspect] = beta_mixture.log_e_less(
            s_since[is_suspect], n_since[is_suspect], null=null, concentration=1.0 / null
        )
    return log_e


def log_e_below_day(
    units: ArrayLike, reporting: ArrayLike, *, slices_a_day: int = SLICES_A_DAY
) -> FloatArray:
    """Return log e against "in each slice at least c times as many units report as a day before", for each j.

    Formula: ln mean_b exp Σ_i [s'_i δ_b − (s'_i + s_i) ln(1 + θ_i(e^{δ_b} − 1))] over the slices i of the day
    from j on, the last known one left out; s'_i of n'_i report a day before i, θ_i = n'_i/(n'_i + c n_i),
    c = 0.6. For units of any rates E e ≤ 1, because 1 + x ≤ e^x. A start lives for a day, so that no slice is
    used twice. Source: Lindon & Malek 2022 (the label test); this project (pairs of slices).
    Assumes: units report independently. Exact.
    """
    n, s = _checked(units, reporting)
    slices = n.shape[-1]
    log_e = np.zeros(n.shape)
    if slices <= slices_a_day + 1:
        return log_e
    today, told = n[..., slices_a_day:-1], s[..., slices_a_day:-1]
    before, told_before = n[..., : slices - slices_a_day - 1], s[..., : slices - slices_a_day - 1]
    share = arrays.divided(before, before + LEAST_BY_DAY * today)
    first = np.arange(today.shape[-1])
    last = np.minimum(first + slices_a_day, today.shape[-1])
    sums = []
    for bet in np.log(_BETS):
        terms = told_before * bet - (told_before + told) * np.log1p(share * np.expm1(bet))
        total = np.concatenate([np.zeros((*n.shape[:-1], 1)), np.cumsum(terms, axis=-1)], axis=-1)
        sums.append(total[..., last] - total[..., first])
    log_e[..., slices_a_day:-1] = np.logaddexp.reduce(np.stack(sums), axis=0) - np.log(len(_BETS))
    return log_e


def bar(alpha: float = ALPHA) -> float:
    """Return what `log_e_fallen` must reach.

    Formula: ln(1/α). Source: Ville 1939. Assumes: the same α as there. Exact.
    """
    return float(bars.reject_bar(alpha))


def _checked(units: ArrayLike, reporting: ArrayLike) -> tuple[FloatArray, FloatArray]:
    n, s = arrays.counts("units", units), arrays.counts("reporting", reporting)
    arrays.part_of("reporting", s, n, "units")
    wide, narrow = np.broadcast_arrays(n, s)
    return wide, narrow


def _since(counts: FloatArray) -> FloatArray:
    return np.flip(np.cumsum(np.flip(counts, -1), axis=-1), -1)
