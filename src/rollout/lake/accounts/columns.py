"""What a unit's row holds: which columns there are, what they are called, and how outcomes become a value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from rollout.domain.metric import MetricType
from rollout.lake.accounts.asked import Asked, Counter, Told, Trouble
from rollout.lake.accounts.table import Width
from rollout.stats.arrays import IntArray
from rollout.stats.windows import LARGEST_SUM

UNIT: Final = "unit"
ENROLLED: Final = "enrolled_us"
ARM: Final = "arm"
BLOCK: Final = "block"
IS_TWO_ARMED: Final = "is_two_armed"


def columns_of(asked: Asked) -> dict[str, Width]:
    """Return every column that a run's units need, and its type."""
    fixed: dict[str, Width] = {
        UNIT: (np.int64, 0),
        ENROLLED: (np.int64, 0),
        ARM: (np.int8, 0),
        BLOCK: (np.int16, 0),
        IS_TWO_ARMED: (np.bool_, 0),
    }
    counted = [*map(requests_column, by_window(asked.counters)), *map(counter_column, asked.counters)]
    told = {told_column(one): (np.int64, one.columns) for one in asked.told}
    return {**fixed, **dict.fromkeys(counted, (np.int64, 0)), **told}


def by_window(counters: Sequence[Counter]) -> dict[int, list[Counter]]:
    """Return the counters of each length of window."""
    found: dict[int, list[Counter]] = {}
    for counter in counters:
        found.setdefault(counter.window.window_us, []).append(counter)
    return found


def requests_column(window_us: int) -> str:
    """Return where a unit's requests in a window are counted."""
    return f"requests in {window_us} us"


def counter_column(counter: Counter) -> str:
    """Return where a unit's troubles are counted; the name says of what, for it outlives the policy."""
    counted = counter.counted if isinstance(counter.counted, Trouble) else "/".join(map(str, counter.counted))
    return f"{counted} in {counter.window.window_us} us"


def told_column(told: Told) -> str:
    """Return where a unit's values of a metric stand."""
    return f"told {told.name}"


def folded(metric: Told, value_u: IntArray, owner: IntArray, units: int) -> IntArray:
    """Return each unit's value: whether, how often, or how much in all."""
    match metric.kind:
        case MetricType.BINARY:
            return (np.bincount(owner[value_u > 0], minlength=units) > 0).astype(np.int64)
        case MetricType.COUNT:
            return np.bincount(owner, minlength=units).astype(np.int64)
        case _:
            found = np.zeros(units, dtype=np.int64)
            np.add.at(found, owner, value_u)
            size = np.bincount(owner, weights=np.abs(value_u), minlength=units)
            if (size >= LARGEST_SUM / 2).any():
                found = np.where(size < LARGEST_SUM / 2, found, LARGEST_SUM // 2)
            return found if metric.cap_u is None else np.minimum(found, metric.cap_u)
