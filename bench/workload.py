"""The workload of the statistics benchmark: experiments × metrics × strata × arms, as a lake's sums."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rollout.stats.arrays import BigIntegers, IntArray
from rollout.stats.moments import Moments

METRICS = 6
STRATA = 6
SEED = 2026


@dataclass(frozen=True, slots=True)
class Arm:
    """Integer sums in micro-units, [experiments, metrics, strata]."""

    n: IntArray
    total: BigIntegers
    squares: BigIntegers

    def moments(self) -> Moments:
        """Return the exact moments of these sums."""
        return Moments.from_sums(self.n, self.total, self.squares, unit=1e-6)


def arms(experiments: int) -> tuple[Arm, Arm]:
    """Return a control and a candidate with means near 5 and deviations near 2."""
    random = np.random.default_rng(SEED)
    return _arm(random, experiments), _arm(random, experiments)


def _arm(random: np.random.Generator, experiments: int) -> Arm:
    shape = (experiments, METRICS, STRATA)
    n = random.integers(1_000, 100_000, shape)
    mean = random.normal(5.0, 0.05, shape)
    total = np.round(n * mean * 1e6).astype(np.int64).astype(np.object_)
    squares = np.empty(shape, dtype=np.object_)
    for place in np.ndindex(shape):
        squares[place] = total[place] ** 2 // int(n[place]) + int(n[place]) * 4 * 10**12
    return Arm(n, total, squares)
