"""Arrays as JSON and back, bit for bit: decimal numbers, which every language reads and writes exactly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]
_KEYS: Final = frozenset({"dtype", "shape", "values"})
_KINDS: Final = frozenset("biuf")
# JSON has no word for these.
_NOT_FINITE: Final = frozenset({"inf", "-inf", "nan"})


class WrongArray(ValueError):
    """What should be an array is none."""


def plain_array(array: Array) -> dict[str, object]:
    """Return an array of numbers or truths as JSON has it, its values in the order of their indices."""
    if array.dtype.kind not in _KINDS:
        raise TypeError(f"no JSON for an array of {array.dtype}")
    values = array.reshape(-1).tolist()
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        values = [one if one - one == 0 else str(one) for one in values]
    return {"dtype": array.dtype.name, "shape": list(array.shape), "values": values}


def is_array(content: object) -> bool:
    """Return whether this is how an array is written."""
    return isinstance(content, dict) and content.keys() == _KEYS


def array_of(content: Mapping[str, object]) -> Array:
    """Return the array that was written, or raise `WrongArray`."""
    dtype, shape, values = content["dtype"], content["shape"], content["values"]
    try:
        kind = np.dtype(str(dtype))
        if kind.kind not in _KINDS or not isinstance(values, list) or not isinstance(shape, list):
            raise WrongArray(f"no array of {dtype}")
        if any(isinstance(one, bool) is not (kind.kind == "b") for one in values):
            raise WrongArray(f"something else in an array of {dtype}")
        if kind.kind == "f":
            values = [_number(one) for one in values]
        return np.array(values, dtype=kind).reshape(shape)
    except (TypeError, ValueError, OverflowError) as error:
        raise WrongArray(str(error)) from None


def _number(value: object) -> object:
    if isinstance(value, str) and value not in _NOT_FINITE:
        raise WrongArray(f"{value!r} is no number")
    return float(value) if isinstance(value, str) else value
