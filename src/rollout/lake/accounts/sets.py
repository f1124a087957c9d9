"""Sets of numbers as sorted arrays."""

from __future__ import annotations

import numpy as np

from rollout.stats.arrays import IntArray

NOBODY = np.zeros(0, dtype=np.int64)


def distinct(*parts: IntArray) -> IntArray:
    """Return each number that is in any part once, sorted."""
    # Sorting is several times as fast as the hashing of `np.unique`.
    values = np.sort(np.concatenate([NOBODY, *parts]))
    is_first = np.ones(len(values), dtype=np.bool_)
    is_first[1:] = values[1:] != values[:-1]
    return values[is_first]
