"""Numbers at the door: what a caller passes becomes a checked float array, or an error that names it."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
BigIntegers = NDArray[np.object_]
"""Python's integers, of any size, in an array."""

# Squares and products of accepted numbers stay far inside the range of a double.
LARGEST = 1e100


def finite(name: str, values: ArrayLike) -> FloatArray:
    """Return `values` as floats; refuse what is not a number, infinite or beyond ±1e100."""
    array = np.asarray(values, dtype=np.float64)
    if not (np.abs(array) <= LARGEST).all():
        raise ValueError(
            f"{name}: must be finite numbers within ±1e100 (got {_offender(array, _is_large(array))})"
        )
    return array


def counts(name: str, values: ArrayLike) -> FloatArray:
    """Return `values` as floats; refuse negative ones (fractions are allowed: a unit's share counts)."""
    array = finite(name, values)
    if (array < 0).any():
        raise ValueError(f"{name}: must not be negative (got {_offender(array, array < 0)})")
    return array


def positive(name: str, values: ArrayLike) -> FloatArray:
    """Return `values` as floats; refuse zero and negative ones."""
    array = finite(name, values)
    if (array <= 0).any():
        raise ValueError(f"{name}: must be greater than zero (got {_offender(array, array <= 0)})")
    return array


def share(name: str, values: ArrayLike) -> FloatArray:
    """Return `values` as floats; refuse what does not lie strictly between 0 and 1."""
    array = finite(name, values)
    outside = (array <= 0) | (array >= 1)
    if outside.any():
        raise ValueError(f"{name}: must lie strictly between 0 and 1 (got {_offender(array, outside)})")
    return array


def part_of(name: str, part: FloatArray, whole: FloatArray, whole_name: str) -> None:
    """Refuse a part that is larger than its whole."""
    larger = part > whole
    if larger.any():
        shown = _offender(np.broadcast_to(part, larger.shape), larger)
        raise ValueError(f"{name}: must not exceed {whole_name} (got {shown})")


def divided(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    """Return numerator / denominator, and 0 where the denominator is 0: there is nothing there."""
    shape = np.broadcast_shapes(numerator.shape, denominator.shape)
    return np.divide(numerator, denominator, out=np.zeros(shape), where=denominator != 0)


def _is_large(array: FloatArray) -> BoolArray:
    return ~(np.abs(array) <= LARGEST)


def _offender(array: FloatArray, wrong: BoolArray) -> float:
    return float(array[wrong].flat[0])
