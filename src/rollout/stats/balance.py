"""Sample-ratio mismatch: whether distinct units fell to the arms as the policy split them."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from rollout.stats import arrays, beta_mixture
from rollout.stats.arrays import FloatArray

CONCENTRATION: Final = 100.0
"""k, the prior's concentration around the planned split."""
ALPHA: Final = 0.001
"""The level at which a mismatch is called."""


def log_e(counts: ArrayLike, shares: ArrayLike, *, concentration: ArrayLike = CONCENTRATION) -> FloatArray:
    """Return log e against "units fall to the arms at the planned shares"; axes are [..., stratum, arm].

    Formula: Σ_strata [lnB(kθ+n) − lnB(kθ) − Σ n_i ln θ_i]. Source: Lindon & Malek 2022.
    Assumes: distinct units, never requests; each stratum's shares sum to 1. Exact.
    """
    per_stratum = beta_mixture.log_dirichlet(counts, shares, concentration=concentration)
    return np.asarray(per_stratum.sum(axis=-1))


def largest_deviation(counts: ArrayLike, shares: ArrayLike) -> FloatArray:
    """Return how far the arms' observed shares are from the planned ones, summed over strata, for display.

    Formula: max_i |Σ_k n_ik − Σ_k n_k θ_i| / Σ_k n_k, and 0 without units. Source: this project (an effect
    size). Assumes: nothing. Exact.
    """
    n, planned = arrays.counts("counts", counts), arrays.share("shares", shares)
    total = n.sum(axis=-1, keepdims=True)
    excess = np.abs((n - total * planned).sum(axis=-2)).max(axis=-1)
    return arrays.divided(excess, total.sum(axis=(-2, -1)))
