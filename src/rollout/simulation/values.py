"""Values of closed units, drawn as sums: shares, amounts with many zeros, ratios and counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.random import Generator

from rollout.domain.metric import Metric, MetricType
from rollout.domain.policy import Expect
from rollout.simulation.amounts import Amounts
from rollout.simulation.levels import usual_level
from rollout.stats.arrays import FloatArray, IntArray
from rollout.stats.moments import JointMoments

CORRELATION: Final = 0.6
"""Between a unit's covariate and its value."""
VIEWS: Final = 8.0
"""The mean of a ratio's denominator; its variance is what half the squared mean adds to it."""
_VIEWS_VARIANCE: Final = VIEWS + VIEWS**2 / 2
_SPREAD: Final = 0.3
"""How far units differ in their own share, relative to its mean."""


@dataclass(frozen=True, slots=True)
class Values:
    """How one metric's values are drawn; `columns` are numerator and denominator, then the covariate."""

    kind: MetricType
    mean: float
    deviation: float
    cap: float | None
    has_covariate: bool

    @classmethod
    def of(cls, metric: Metric, expect: Expect) -> Values:
        """Return the values that the policy expects; without a deviation, one of the usual size."""
        known = (expect.levels or {}).get(metric.name)
        mean = usual_level(metric, expect)
        deviation = None if known is None else known.deviation
        usual = mean**0.5 if metric.type is MetricType.COUNT else 2 * mean
        return cls(metric.type, mean, deviation or usual, metric.cap, metric.pre_window_s is not None)

    @property
    def is_ratio(self) -> bool:
        """Whether a unit has a numerator and a denominator."""
        return self.kind is MetricType.RATIO

    @property
    def columns(self) -> int:
        """How many numbers each unit has."""
        return (2 if self.is_ratio else 1) + self.has_covariate

    @property
    def width(self) -> int:
        """How many sums there are: units, those not zero, totals, products."""
        return 2 + self.columns + self.columns**2

    def drawn(self, rng: Generator, units: IntArray, level: FloatArray) -> FloatArray:
        """Return the sums [..., width] over units [...] whose mean, or ratio, is at this level."""
        n = units.astype(np.float64)
        match self.kind:
            case MetricType.RATIO:
                found = self._ratio(rng, units, n, level)
            case MetricType.COUNT:
                found = self._count(rng, units, n, level)
            case _:
                amounts = Amounts(self.mean, self.deviation, self.cap)
                nonzero, total, squares = amounts.drawn(rng, units, level)
                found = nonzero, total[..., np.newaxis], squares[..., np.newaxis, np.newaxis]
        return self._with_covariate(rng, n, level, *found) if self.has_covariate else _packed(n, *found)

    def _count(
        self, rng: Generator, units: IntArray, n: FloatArray, level: FloatArray
    ) -> tuple[IntArray, FloatArray, FloatArray]:
        """Draw a sum of negative binomials, exactly; Σy² is its mean given the sum."""
        beyond = self.deviation**2 - self.mean
        zero: FloatArray
        if beyond > 0:
            size = self.mean**2 / beyond
            total = rng.poisson(rng.gamma(n * size, level / size)).astype(np.float64)
            pairs = total * (total - 1.0) * (size + 1.0) / (n * size + 1.0)
            zero = (size / (size + level)) ** size
        else:
            total = rng.poisson(n * level).astype(np.float64)
            pairs = total * (total - 1.0) / np.maximum(n, 1.0)
            zero = np.exp(-level)
        nonzero = np.minimum(rng.binomial(units, 1.0 - zero), total.astype(np.int64))
        return nonzero, total[..., np.newaxis], (total + pairs)[..., np.newaxis, np.newaxis]

    def _ratio(
        self, rng: Generator, units: IntArray, n: FloatArray, level: FloatArray
    ) -> tuple[IntArray, FloatArray, FloatArray]:
        """Draw both sums as normal with their covariance; products are their means."""
        mean_y, own = level * VIEWS, (_SPREAD * level) ** 2
        var_y = level * (1 - level) * VIEWS + level**2 * _VIEWS_VARIANCE + own * (_VIEWS_VARIANCE + VIEWS**2)
        both = level * _VIEWS_VARIANCE
        x = n * VIEWS + np.sqrt(n * _VIEWS_VARIANCE) * rng.standard_normal(n.shape)
        left = var_y - level**2 * _VIEWS_VARIANCE
        y = level * x + np.sqrt(n * left) * rng.standard_normal(n.shape)
        x = np.where(n > 0, np.maximum(np.round(x), 1.0), 0.0)
        y = np.clip(np.round(y), 0.0, x)
        size = mean_y**2 / np.maximum(var_y - mean_y, 1e-9)
        nonzero = rng.binomial(units, 1.0 - (size / (size + mean_y)) ** size)
        each = np.maximum(n, 1.0)
        less = np.maximum(n - 1.0, 0.0)
        products = np.empty((*n.shape, 2, 2))
        products[..., 0, 0] = less * var_y + y**2 / each
        products[..., 1, 1] = less * _VIEWS_VARIANCE + x**2 / each
        products[..., 0, 1] = products[..., 1, 0] = less * both + x * y / each
        return nonzero, np.stack([y, x], axis=-1), products

    def _with_covariate(  # noqa: PLR0913, PLR0917 (what was drawn of the values, part by part)
        self,
        rng: Generator,
        n: FloatArray,
        level: FloatArray,
        nonzero: IntArray,
        totals: FloatArray,
        products: FloatArray,
    ) -> FloatArray:
        """Add the units' own history: as their value is without any effect, and correlated with it."""
        each = np.maximum(n, 1.0)
        value = totals[..., 0]
        scatter = np.maximum(products[..., 0, 0] - value**2 / each, 0.0)
        deviation = np.sqrt(scatter / each)
        expected = n * level * (VIEWS if self.is_ratio else 1.0)
        slope = np.divide(CORRELATION * self.deviation, deviation, out=np.zeros(n.shape), where=deviation > 0)
        history = n * self.mean + slope * (value - expected)
        history += np.sqrt(n * (1 - CORRELATION**2)) * self.deviation * rng.standard_normal(n.shape)
        columns = totals.shape[-1]
        wider = np.zeros((*n.shape, columns + 1, columns + 1))
        wider[..., :columns, :columns] = products
        wider[..., columns, columns] = n * self.deviation**2 + history**2 / each
        for column in range(columns):
            # History follows from the value alone: with a denominator it shares what the value does.
            shared = slope * (products[..., column, 0] - totals[..., column] * value / each)
            cross = shared + totals[..., column] * history / each
            wider[..., column, columns] = wider[..., columns, column] = cross
        return _packed(n, nonzero, np.concatenate([totals, history[..., np.newaxis]], axis=-1), wider)


def joint(sums: FloatArray, columns: int) -> JointMoments:
    """Return packed sums as moments."""
    n, totals = sums[..., 0], sums[..., 2 : 2 + columns]
    products = sums[..., 2 + columns :].reshape((*n.shape, columns, columns))
    mean = totals / np.maximum(n, 1.0)[..., np.newaxis]
    scatter = products - mean[..., :, np.newaxis] * totals[..., np.newaxis, :]
    for column in range(columns):
        scatter[..., column, column] = np.maximum(scatter[..., column, column], 0.0)
    return JointMoments(n, mean, scatter)


def _packed(n: FloatArray, nonzero: IntArray, totals: FloatArray, products: FloatArray) -> FloatArray:
    flat = products.reshape((*n.shape, -1))
    return np.concatenate([n[..., np.newaxis], nonzero[..., np.newaxis], totals, flat], axis=-1)
