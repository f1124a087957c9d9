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
_PARTS: Final = 2
"""The earlier rate's bound and the later units' test share each start's α."""


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

    Formula: log e(s_j, n_j; H0 p ≥ c·L_j) − ln(1/w_j) − ln 2, one-sided beta mixture with kp₀ = 1 over the
    n_j units since j, s_j of which report; L_j bounds the rate before j from below at α·w_j/2
    (Clopper–Pearson); w_j as `starts.weight_of`; c = 0.4, or 0.5 when a day or more lies before j.
    Source: Howard et al. 2021; Clopper & Pearson 1934; Hoeffding 1956 (rates may differ from unit to unit).
    Assumes: units report independently, each after j with probability at least c times the mean rate before.
    Exact.
    """
    n, s = arrays.counts("units", units), arrays.counts("reporting", reporting)
    arrays.part_of("reporting", s, n, "units")
    n, s = np.broadcast_arrays(n, s)
    n_since, s_since = (_since(part) for part in (n, s))
    n_before, s_before = (whole[..., :1] - since for whole, since in ((n_since, n_since), (s_since, s_since)))
    number = np.arange(n.shape[-1])
    least = np.broadcast_to(np.where(number < slices_a_day, LEAST_IN_A_DAY, LEAST), n.shape)
    penalty = np.broadcast_to(starts.penalty_of(number) + np.log(_PARTS), n.shape)
    # Most slices saw no fall at all: of those nothing has to be computed.
    is_suspect = (s_before > 0) & (s_since * n_before < least * s_before * n_since)
    log_e = np.zeros(n.shape)
    if is_suspect.any():
        share = np.exp(-penalty[is_suspect]) * float(arrays.share("alpha", alpha))
        before, hits = n_before[is_suspect], s_before[is_suspect]
        null = least[is_suspect] * special.betaincinv(hits, before - hits + 1.0, share)
        log_e[is_suspect] = beta_mixture.log_e_less(
            s_since[is_suspect], n_since[is_suspect], null=null, concentration=1.0 / null
        )
    return np.asarray(log_e - penalty)


def bar(alpha: float = ALPHA) -> float:
    """Return what `log_e_fallen` must reach.

    Formula: ln(1/α). Source: Ville 1939. Assumes: the same α as there. Exact.
    """
    return float(bars.reject_bar(alpha))


def _since(counts: FloatArray) -> FloatArray:
    return np.flip(np.cumsum(np.flip(counts, -1), axis=-1), -1)
