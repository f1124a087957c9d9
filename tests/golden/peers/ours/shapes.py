"""Arms as the questions describe them, in our own terms, and single numbers out of our arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rollout.stats.interval import Interval
from rollout.stats.moments import JointMoments, Moments
from tests.golden.peers.exchange import Answer


def one(array: NDArray[np.float64]) -> float:
    return float(np.asarray(array).reshape(-1)[0])


def ends(interval: Interval) -> Answer:
    if not bool(np.all(interval.known)):
        raise ValueError("the interval is unknown")
    return {"lower": one(interval.lower), "upper": one(interval.upper)}


def summary(part: list[float]) -> Moments:
    n, mean, deviation = part
    return Moments.of([n], [mean], [(n - 1.0) * deviation**2])


def sample(values: list[float]) -> Moments:
    return Moments.of_values(np.array(values), np.zeros(len(values), dtype=np.int64), 1)


def joint(rows: list[list[float]]) -> JointMoments:
    return JointMoments.of_values(np.array(rows), np.zeros(len(rows), dtype=np.int64), 1)


def side_by_side(parts: list[Moments]) -> Moments:
    return Moments.of(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in ("n", "mean", "ss"))
    )
