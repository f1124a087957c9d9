"""Unit windows: what belongs to a unit, when it is closed, and exact sums, all in event time."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from rollout.stats.arrays import BigIntegers, BoolArray, IntArray

SKEW_US: Final = 5_000_000
"""Clock skew allowed before an enrolment: an instant conversion must not become a covariate."""
LARGEST_SUM: Final = 2**61
"""What one unit's values may add up to; their halves' products then stay inside an int64."""
_AXES: Final = 2
_HALF: Final = 31
_LOW: Final = 2**_HALF - 1
_SAFE: Final = 2**62


def in_window(
    time_us: ArrayLike, enrolment_us: ArrayLike, *, window_us: int, skew_us: int = SKEW_US
) -> BoolArray:
    """Return which outcomes belong to their unit's window.

    Formula: enrolment − skew ≤ t < enrolment + W. Source: this project (event time). Assumes: microseconds.
    Exact.
    """
    since = np.asarray(time_us, dtype=np.int64) - np.asarray(enrolment_us, dtype=np.int64)
    return np.asarray((since >= -skew_us) & (since < window_us))


def is_closed(enrolment_us: ArrayLike, *, watermark_us: int, window_us: int, grace_us: int) -> BoolArray:
    """Return which units are closed: everything that could still count for them has been filed.

    Formula: watermark ≥ enrolment + W + grace. Source: this project (event time). Assumes: microseconds.
    Exact.
    """
    return np.asarray(watermark_us >= np.asarray(enrolment_us, dtype=np.int64) + window_us + grace_us)


def exact_sums(values: ArrayLike, group: ArrayLike, groups: int) -> tuple[IntArray, BigIntegers, BigIntegers]:
    """Return n [groups], Σy [groups, p] and Σy_i y_j [groups, p, p] of rows [units, p], without any rounding.

    Formula: products by halves, y = 2³¹h + l, and sums by halves again where they could leave an int64.
    Source: exact arithmetic. Assumes: integers below 2⁶¹ (2 billion billions) in size. Exact.
    """
    rows = np.asarray(values)
    if rows.dtype.kind not in "iu" or rows.ndim != _AXES:
        raise ValueError(
            f"values: must be integers [units, columns], as micro-units (got {rows.dtype} {rows.shape})"
        )
    if rows.size and max(abs(int(rows.max())), abs(int(rows.min()))) >= LARGEST_SUM:
        raise ValueError(f"values: must be below 2^61 in size (got {int(np.abs(rows).max())})")
    columns = rows.shape[1]
    index = np.asarray(group, dtype=np.int64)
    totals = np.zeros((groups, columns), dtype=np.object_)
    products = np.zeros((groups, columns, columns), dtype=np.object_)
    part = np.ascontiguousarray(rows.T, dtype=np.int64)
    for i in range(columns):
        totals[:, i] = _sum(part[i], index, groups)
        for j in range(i, columns):
            products[:, i, j] = products[:, j, i] = _product_sum(part[i], part[j], index, groups)
    return np.bincount(index, minlength=groups).astype(np.int64), totals, products


def _product_sum(x: IntArray, y: IntArray, owner: IntArray, groups: int) -> BigIntegers:
    if _largest(x) * _largest(y) < _SAFE:
        return _sum(x * y, owner, groups)
    high_x, low_x, high_y, low_y = x >> _HALF, x & _LOW, y >> _HALF, y & _LOW
    high = _sum(high_x * high_y, owner, groups)
    middle = _sum(high_x * low_y, owner, groups) + _sum(low_x * high_y, owner, groups)
    low = _sum(low_x * low_y, owner, groups)
    return np.asarray(high * 2 ** (2 * _HALF) + middle * 2**_HALF + low)


def _sum(values: IntArray, owner: IntArray, groups: int) -> BigIntegers:
    if _largest(values) * len(values) < _SAFE:
        return _added(values, owner, groups)
    return np.asarray(
        _added(values >> _HALF, owner, groups) * 2**_HALF + _added(values & _LOW, owner, groups)
    )


def _added(values: IntArray, owner: IntArray, groups: int) -> BigIntegers:
    found = np.zeros(groups, dtype=np.int64)
    np.add.at(found, owner, values)
    return found.astype(np.object_)


def _largest(values: IntArray) -> int:
    return max(abs(int(values.max())), abs(int(values.min()))) if values.size else 0
