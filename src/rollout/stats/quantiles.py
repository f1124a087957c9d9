"""Latency histograms on fixed logarithmic buckets: merge by adding, read quantiles with their error bound."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from rollout.stats import arrays
from rollout.stats.arrays import BoolArray, FloatArray, IntArray
from rollout.stats.interval import Interval

SMALLEST_US: Final = 10
LARGEST_US: Final = 100_000_000
RELATIVE_ERROR: Final = 0.01
"""A quantile between 10 µs and 100 s is at most this far from the sample's own."""
_GROWTH: Final = (1.0 + RELATIVE_ERROR) / (1.0 - RELATIVE_ERROR)
BUCKETS: Final = int(np.ceil(np.log(LARGEST_US / SMALLEST_US) / np.log(_GROWTH))) + 1
"""807 buckets: the first up to 10 µs, the last for everything above about 98 s."""
# Durations are whole microseconds, so floored edges give every reader, in any language, the same bucket.
EDGES_US: Final[IntArray] = np.floor(SMALLEST_US * _GROWTH ** np.arange(BUCKETS)).astype(np.int64)
"""The largest duration of each bucket."""


@dataclass(frozen=True, slots=True)
class Quantile:
    """A quantile and the bucket that holds it; unknown without observations, a lower bound when saturated."""

    value_us: FloatArray
    lower_us: FloatArray
    upper_us: FloatArray
    known: BoolArray
    saturated: BoolArray


def bucket_of(duration_us: ArrayLike) -> IntArray:
    """Return the bucket of each duration.

    Formula: the first k with duration ≤ ⌊10 γ^k⌋, γ = 1.01/0.99. Source: Masson, Rim & Lee 2019 (DDSketch).
    Assumes: whole microseconds ≥ 0; above 100 s counts as the last bucket. Exact.
    """
    durations = np.asarray(duration_us)
    if durations.dtype.kind not in "iu" or np.any(durations < 0):
        raise ValueError("duration_us: must be whole microseconds, not negative")
    found = np.searchsorted(EDGES_US, durations, side="left")
    return np.asarray(np.minimum(found, BUCKETS - 1), dtype=np.int64)


def histogram(duration_us: ArrayLike) -> IntArray:
    """Return the counts per bucket; two histograms merge by addition.

    Formula: counts of `bucket_of`. Source: as `bucket_of`. Assumes: as `bucket_of`. Exact.
    """
    return np.bincount(np.atleast_1d(bucket_of(duration_us)), minlength=BUCKETS).astype(np.int64)


def quantile(counts: ArrayLike, probability: ArrayLike) -> Quantile:
    """Return the sample's quantile from counts [..., bucket], with the ends of the bucket that holds it.

    Formula: the bucket k of rank ⌈q n⌉; value 2⋅edge_k/(1+γ). Source: Masson et al. 2019, relative error 1 %.
    Assumes: durations between 10 µs and 100 s; below, the error is at most 10 µs. Exact.
    """
    n, q = _histogram(counts), arrays.share("probability", probability)
    running = np.cumsum(n, axis=-1)
    total = running[..., -1]
    # A product such as 0.99 × 300 may come out a hair above its whole number.
    rank = np.maximum(np.ceil(q * total * (1.0 - 1e-15)), 1.0)
    bucket = np.minimum((running < rank[..., np.newaxis]).sum(axis=-1), BUCKETS - 1)
    known = total > 0
    upper = EDGES_US[bucket].astype(np.float64)
    lower = np.where(bucket > 0, EDGES_US[bucket - 1], 0).astype(np.float64)
    saturated = known & (bucket == BUCKETS - 1)
    value = np.where(
        bucket == 0,
        upper / 2.0,
        np.where(saturated, lower, 2.0 * upper * lower / (upper + np.maximum(lower, 1.0))),
    )
    value, lower, upper = (np.where(known, part, 0.0) for part in (value, lower, upper))
    return Quantile(value, lower, upper, known=known, saturated=saturated)


def share_above(counts: ArrayLike, limit_us: ArrayLike) -> Interval:
    """Return the bounds of the share of observations above a limit; equal when the limit is an edge.

    Formula: buckets wholly above the limit, and those that may hold such observations. Source: counting.
    Assumes: as `bucket_of`. Exact.
    """
    n, limit = _histogram(counts), np.asarray(limit_us)
    total = n.sum(axis=-1)
    holds = bucket_of(limit)[..., np.newaxis]
    place = np.arange(BUCKETS)
    surely = np.where(place > holds, n, 0.0).sum(axis=-1)
    split = np.where((place == holds) & (limit[..., np.newaxis] < EDGES_US), n, 0.0).sum(axis=-1)
    last = np.where((place == holds) & (place == BUCKETS - 1), n, 0.0).sum(axis=-1)
    possibly = surely + np.maximum(split, last)
    return Interval.where(total > 0, arrays.divided(surely, total), arrays.divided(possibly, total))


def _histogram(counts: ArrayLike) -> FloatArray:
    n = arrays.counts("counts", counts)
    if n.ndim == 0 or n.shape[-1] != BUCKETS:
        raise ValueError(f"counts: the last axis must hold {BUCKETS} buckets (got shape {n.shape})")
    return n
