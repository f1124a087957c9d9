"""Exact moments of unit values: integers in, centred inside, merged without loss of digits."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Self, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from rollout.stats import arrays
from rollout.stats.arrays import BigIntegers, FloatArray, IntArray

_Integers = IntArray | BigIntegers

# Products of integers up to here fit an int64 exactly; beyond it Python's integers take over.
_SAFE_INTEGER = 2**62
_BLOCK = 2048


@dataclass(frozen=True, slots=True)
class Moments:
    """How many units, their mean, and their centred sum of squares; `+` merges disjoint samples."""

    n: FloatArray
    mean: FloatArray
    ss: FloatArray

    def __post_init__(self) -> None:
        """Refuse negative counts, negative sums of squares and numbers that are not finite."""
        arrays.counts("n", self.n)
        arrays.finite("mean", self.mean)
        arrays.counts("ss", self.ss)

    @classmethod
    def of(cls, n: ArrayLike, mean: ArrayLike, ss: ArrayLike) -> Self:
        """Return moments that are already known, as arrays of one shape."""
        n_, mean_, ss_ = np.broadcast_arrays(*(np.asarray(part, dtype=np.float64) for part in (n, mean, ss)))
        return cls(n_, mean_, ss_)

    @classmethod
    def from_sums(cls, n: ArrayLike, total: ArrayLike, squares: ArrayLike, *, unit: float = 1.0) -> Self:
        """Return moments from integer sums; `unit` is what one integer step is worth (1e-6 for micro-units).

        Formula: mean = Σy/n; ss = (n Σy² − (Σy)²)/n in integers, rounded once. Source: exact arithmetic.
        Assumes: integer sums of integer values. Exact.
        """
        count, first, second = _integers("n", n), _integers("total", total), _integers("squares", squares)
        centred = _centred(count, second, first, first)
        present = np.asarray(count, dtype=np.float64)
        if np.any(centred < 0):
            raise ValueError("squares: are smaller than total²/n, so they are not of the same values")
        mean = arrays.divided(np.asarray(first, dtype=np.float64), present) * unit
        return cls.of(present, mean, arrays.divided(centred, present) * unit**2)

    @classmethod
    def of_successes(cls, n: ArrayLike, successes: ArrayLike) -> Self:
        """Return the moments of 0/1 values.

        Formula: mean = s/n; ss = s (n − s)/n. Source: exact arithmetic. Assumes: 0 ≤ s ≤ n. Exact.
        """
        count, hits = arrays.counts("n", n), arrays.counts("successes", successes)
        arrays.part_of("successes", hits, count, "n")
        rate = arrays.divided(hits, count)
        return cls.of(count, rate, rate * (count - hits))

    @classmethod
    def of_values(cls, values: ArrayLike, group: ArrayLike, groups: int) -> Self:
        """Return the moments of unit values by group: two passes, centred on each group's mean.

        Formula: ss_g = Σ (y − ȳ_g)². Source: Chan, Golub & LeVeque 1983 (two-pass). Assumes: one value a
        unit. Exact.
        """
        joint = JointMoments.of_values(np.asarray(values)[:, np.newaxis], group, groups)
        return cls.of(joint.n, joint.mean[..., 0], joint.scatter[..., 0, 0])

    def __add__(self, other: Self) -> Self:
        """Merge two disjoint samples: see `merged`."""
        n = self.n + other.n
        part = arrays.divided(other.n, n)
        delta = other.mean - self.mean
        return type(self).of(n, self.mean + delta * part, self.ss + other.ss + delta * delta * self.n * part)

    @property
    def variance(self) -> FloatArray:
        """The sample variance ss/(n − 1), and 0 where fewer than two units leave it unknown."""
        return np.where(self.n > 1, self.ss / np.maximum(self.n - 1.0, 1.0), 0.0)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the batch."""
        return self.n.shape


@dataclass(frozen=True, slots=True)
class JointMoments:
    """Moments of p numbers per unit: their means [..., p] and centred cross products [..., p, p]."""

    n: FloatArray
    mean: FloatArray
    scatter: FloatArray

    def __post_init__(self) -> None:
        """Refuse negative counts, shapes that do not fit and numbers that are not finite."""
        arrays.counts("n", self.n)
        arrays.finite("mean", self.mean)
        arrays.finite("scatter", self.scatter)
        columns = self.mean.shape[-1]
        if self.scatter.shape != (*self.n.shape, columns, columns) or self.mean.shape != (
            *self.n.shape,
            columns,
        ):
            raise ValueError(
                f"scatter: must have shape n × columns × columns "
                f"(got n {self.n.shape}, mean {self.mean.shape}, scatter {self.scatter.shape})"
            )

    @classmethod
    def from_sums(
        cls, n: ArrayLike, totals: ArrayLike, products: ArrayLike, *, unit: ArrayLike = 1.0
    ) -> Self:
        """Return joint moments from integer sums Σy_i [..., p] and Σy_i y_j [..., p, p]; `unit` by column.

        Formula: scatter_ij = (n Σy_i y_j − Σy_i Σy_j)/n in integers, rounded once. Source: exact arithmetic.
        Assumes: integer sums of integer values. Exact.
        """
        count, first, second = _integers("n", n), _integers("totals", totals), _integers("products", products)
        centred = _centred(count[..., None, None], second, first[..., :, None], first[..., None, :])
        present = np.asarray(count, dtype=np.float64)
        worth = np.broadcast_to(arrays.positive("unit", unit), first.shape[-1:])
        mean = arrays.divided(np.asarray(first, dtype=np.float64), present[..., None]) * worth
        scatter = arrays.divided(centred, present[..., None, None]) * (worth[:, None] * worth[None, :])
        return cls(present, mean, scatter)

    @classmethod
    def of_values(cls, values: ArrayLike, group: ArrayLike, groups: int) -> Self:
        """Return the joint moments of rows [units, p] by group: two passes, centred on each group's means.

        Formula: scatter_g = Σ (y − ȳ_g)(y − ȳ_g)ᵀ. Source: Chan, Golub & LeVeque 1983. Assumes: one row a
        unit. Exact.
        """
        rows = arrays.finite("values", values)
        index = np.asarray(group, dtype=np.int64)
        n = np.bincount(index, minlength=groups).astype(np.float64)
        columns = rows.shape[1]
        mean = np.stack(
            [arrays.divided(_sums(index, rows[:, i], groups), n) for i in range(columns)], axis=-1
        ).reshape(groups, columns)
        centred = rows - mean[index]
        scatter = np.zeros((groups, columns, columns))
        for i in range(columns):
            for j in range(columns):
                scatter[:, i, j] = _sums(index, centred[:, i] * centred[:, j], groups)
        return cls(n, mean, scatter)

    def __add__(self, other: Self) -> Self:
        """Merge two disjoint samples.

        Formula: S = S₁ + S₂ + (n₁n₂/n) δδᵀ. Source: Chan, Golub & LeVeque 1983. Assumes: no unit in both.
        Exact.
        """
        n = self.n + other.n
        part = arrays.divided(other.n, n)
        delta = other.mean - self.mean
        between = delta[..., :, None] * delta[..., None, :] * (self.n * part)[..., None, None]
        return type(self)(n, self.mean + delta * part[..., None], self.scatter + other.scatter + between)

    def combined(self, weights: ArrayLike) -> Moments:
        """Return the moments of the linear combination Σ w_i y_i; weights are [p] or [..., p].

        Formula: mean wᵀȳ, ss wᵀSw. Source: linear algebra. Assumes: weights fixed or consistent. Exact.
        """
        w = arrays.finite("weights", weights)
        mean = np.einsum("...i,...i->...", self.mean, w)
        ss = np.einsum("...i,...ij,...j->...", w, self.scatter, w)
        return Moments.of(self.n, mean, np.maximum(ss, 0.0))

    def column(self, index: int) -> Moments:
        """Return the moments of one column."""
        return Moments.of(self.n, self.mean[..., index], np.maximum(self.scatter[..., index, index], 0.0))


Sample = TypeVar("Sample", Moments, JointMoments)


def merged(moments: Moments, axis: int = -1) -> Moments:
    """Return disjoint samples merged along an axis.

    Formula: n = Σn_k, mean = Σn_k ȳ_k / n, ss = Σ[ss_k + n_k (ȳ_k − mean)²].
    Source: Chan, Golub & LeVeque 1983. Assumes: no unit in two samples; a mean that is 10¹² deviations from
    0 has lost digits before it comes here, so merge integer sums there. Exact.
    """
    n = moments.n.sum(axis=axis, keepdims=True)
    # Centred on the first non-empty sample, so that large common means lose no digits.
    mean = arrays.divided((moments.n * moments.mean).sum(axis=axis, keepdims=True), n)
    mean = mean + arrays.divided((moments.n * (moments.mean - mean)).sum(axis=axis, keepdims=True), n)
    ss = (moments.ss + moments.n * (moments.mean - mean) ** 2).sum(axis=axis)
    return Moments.of(np.squeeze(n, axis=axis), np.squeeze(mean, axis=axis), ss)


def since_each(moments: Sample, axis: int = -1) -> Sample:
    """Return, at each place of an axis, all from there to its end, merged: the daily starts of harm tests.

    Formula: m_d + m_{d+1} + … as in `merged`. Source: Chan, Golub & LeVeque 1983. Assumes: as `merged`.
    Exact.
    """
    kind, place = type(moments), range(moments.n.ndim)[axis]
    parts = [np.moveaxis(getattr(moments, field.name), place, 0) for field in fields(moments)]
    days = len(parts[0])
    if days <= 1:
        return moments
    running = kind(*(part[-1] for part in parts))
    found = [running]
    for day in range(days - 2, -1, -1):
        running = kind(*(part[day] for part in parts)) + running
        found.append(running)
    found.reverse()
    stacked = (np.stack([getattr(one, field.name) for one in found], axis=place) for field in fields(moments))
    return kind(*stacked)


def _sums(group: IntArray, values: FloatArray, groups: int) -> FloatArray:
    return np.bincount(group, values, groups).astype(np.float64)


def _integers(name: str, values: ArrayLike) -> _Integers:
    """Return integers as int64, or as Python's where they are larger; refuse anything else."""
    array = np.asarray(values)
    if array.dtype.kind == "i":
        return array.astype(np.int64)
    if array.dtype.kind == "u":
        return array.astype(np.object_)
    if array.dtype.kind == "O" and set(map(type, array.flat)) <= {int}:
        return array
    raise ValueError(
        f"{name}: must be integers, for example micro-units, so that sums are exact (got {array.dtype})"
    )


def _centred(n: _Integers, products: _Integers, first: _Integers, second: _Integers) -> FloatArray:
    """Return n Σxy − Σx Σy, exact before its one rounding to a float."""
    if _fits(n, products) and _fits(first, second):
        return np.asarray(n * products - first * second, dtype=np.float64)
    large = np.broadcast_arrays(
        *(np.asarray(part).astype(np.object_) for part in (n, products, first, second))
    )
    flat = [part.reshape(-1) for part in large]
    found = np.empty(flat[0].size)
    # Python's integers are small objects: a block of them stays in the processor's cache.
    for start in range(0, found.size, _BLOCK):
        one, two, three, four = (part[start : start + _BLOCK] for part in flat)
        found[start : start + _BLOCK] = one * two - three * four
    return found.reshape(large[0].shape)


def _fits(first: _Integers, second: _Integers) -> bool:
    """Whether every product of the two stays inside an int64 (with room for one subtraction)."""
    if first.dtype.kind == "O" or second.dtype.kind == "O":
        return False
    if first.size == 0 or second.size == 0:
        return True
    return _largest(first) * _largest(second) < _SAFE_INTEGER


def _largest(values: _Integers) -> int:
    return max(abs(int(values.max())), abs(int(values.min())))
