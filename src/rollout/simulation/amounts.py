"""Amounts with many zeros and a heavy tail, drawn as sums: each payer's own while they are few."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.random import Generator
from scipy.special import ndtr

from rollout.stats.arrays import BoolArray, FloatArray, IntArray

FEW: Final = 200
"""Up to so many payers are drawn one by one: the sums of few are nothing like normal."""


class Sums(NamedTuple):
    """Units that are not zero, the total of their values, and that of their squares, [...]."""

    nonzero: IntArray
    total: FloatArray
    squares: FloatArray


@dataclass(frozen=True, slots=True)
class Amounts:
    """Values of which most are zero and the others log-normal, none above the cap."""

    mean: float
    deviation: float
    cap: float | None

    @property
    def _ratio(self) -> float:
        return 1.0 + (self.deviation / self.mean) ** 2

    @property
    def paying(self) -> float:
        """The share of units that are not zero."""
        return min(1.0, float(np.e) / self._ratio)

    @property
    def spread(self) -> float:
        """The deviation of the logarithm of what is not zero."""
        return float(np.sqrt(np.log(self._ratio))) if self.paying == 1.0 else 1.0

    def drawn(self, rng: Generator, units: IntArray, level: FloatArray) -> Sums:
        """Return the sums over units [...] whose mean, but for the cap, is at this level."""
        payers = rng.binomial(units, self.paying)
        middle = np.log(level / self.paying) - self.spread**2 / 2
        total, squares = self._of_many(rng, payers, middle)
        few = payers <= FEW
        total[few], squares[few] = self._one_by_one(rng, payers, middle, few)
        return Sums(payers, total, squares)

    def _one_by_one(
        self, rng: Generator, payers: IntArray, middle: FloatArray, few: BoolArray
    ) -> tuple[FloatArray, FloatArray]:
        number = payers[few]
        cell = np.repeat(np.arange(len(number)), number)
        found = rng.lognormal(middle[few][cell], self.spread)
        capped = found if self.cap is None else np.minimum(found, self.cap)
        total = np.bincount(cell, weights=capped, minlength=len(number)).astype(np.float64)
        squares = np.bincount(cell, weights=capped**2, minlength=len(number)).astype(np.float64)
        return total, squares

    def _of_many(self, rng: Generator, payers: IntArray, middle: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Draw a sum as a gamma with its mean and variance, and Σy² given the sum."""
        first, second, third, fourth = (self._moment(middle, order) for order in range(1, 5))
        variance = np.maximum(second - first**2, 1e-12 * first**2)
        total = rng.gamma(payers * first**2 / variance, variance / first)
        slope = (third - first * second) / variance
        rest = np.maximum(fourth - second**2 - slope**2 * variance, 0.0)
        mean = np.maximum(payers * second + slope * (total - payers * first), 1e-12)
        least = total**2 / np.maximum(payers, 1.0)
        # What lies above the least possible is skewed to the right.
        above = np.maximum(mean - least, 1e-12 * mean)
        scale = np.maximum(payers * rest, 1e-12 * mean**2) / above
        return total, least + rng.gamma(above / scale, scale)

    def _moment(self, middle: FloatArray, order: int) -> FloatArray:
        """Return E[min(X, cap)^order] of a log-normal value X."""
        whole = np.exp(order * middle + (order * self.spread) ** 2 / 2)
        if self.cap is None:
            return np.asarray(whole)
        reach = (np.log(self.cap) - middle) / self.spread
        return np.asarray(whole * ndtr(reach - order * self.spread) + self.cap**order * ndtr(-reach))
