"""Running sums of simulated units as the moments that `rollout.stats` takes, one entry per look."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from rollout.stats.moments import JointMoments, Moments
from tests.calibration.trap import FloatArray, IntArray, Numbers


def single(moments: Moments) -> Moments:
    """Return moments as one stratum: a last axis of length one."""
    return Moments.of(moments.n[..., None], moments.mean[..., None], moments.ss[..., None])


def of_sums(n: ArrayLike, total: ArrayLike, squares: ArrayLike) -> Moments:
    """Return moments of float sums (fine here, where means are of the size of the deviations)."""
    count, first, second = (np.asarray(part, dtype=np.float64) for part in (n, total, squares))
    divisor = np.maximum(count, 1.0)
    return Moments.of(count, first / divisor, np.maximum(second - first * first / divisor, 0.0))


def joint_of_sums(n: ArrayLike, totals: ArrayLike, products: ArrayLike) -> JointMoments:
    """Return joint moments of float sums: totals [..., p], products [..., p, p]."""
    count, first, second = (np.asarray(part, dtype=np.float64) for part in (n, totals, products))
    divisor = np.maximum(count, 1.0)
    centred = second - first[..., :, None] * first[..., None, :] / divisor[..., None, None]
    return JointMoments(count, first / divisor[..., None], centred)


def as_they_close(values: FloatArray) -> FloatArray:
    """Return [..., strata] as [..., look, strata], where look k has seen the strata up to k only."""
    strata = values.shape[-1]
    return np.asarray(values[..., None, :] * np.tri(strata))


def successes_by_stratum(n: Numbers, hits: Numbers, stratum: IntArray, strata: int) -> Moments:
    """Return running 0/1 moments [..., look, strata] from counts [..., look] and each look's stratum."""
    member = (stratum[:, None] == np.arange(strata)).astype(np.float64)
    units, total = (np.cumsum(part[..., None] * member, axis=-2) for part in (n, hits))
    return Moments.of_successes(*np.broadcast_arrays(units, total))
