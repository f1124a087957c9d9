"""What units do in ten seconds as rows of numbers, and what they add to the sums over units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from rollout.domain.records import MINUTE_US, NANO, WINDOW_US
from rollout.stats import starts
from rollout.stats.arrays import BigIntegers, BoolArray, IntArray

LATER: Final = starts.LIFE_S // starts.WINDOWS_EVERY_S
"""How many starts live beside start 0."""
COLUMNS: Final = 1 + LATER
ALWAYS: Final = -(2**62)
NEVER: Final = 2**62
"""Windows from which a column counts: all, or none."""
PER_MINUTE: Final = MINUTE_US // WINDOW_US
PARTS: Final = 8
"""Units, units with an exceedance, y, x, yy, xy, xx, and y/x in billionths: as `RatioSums`."""


def column_of(index: int) -> int:
    """Return where a start's sums stand: start 0 has its own place, later ones take turns."""
    return 0 if index == 0 else 1 + (index - 1) % LATER


@dataclass(frozen=True, slots=True)
class Rows:
    """What units did in ten seconds: `y` exceedances of `x` requests, an entry each."""

    slot: IntArray
    window: IntArray
    x: IntArray
    y: IntArray

    def chosen(self, mask: BoolArray) -> Rows:
        """Return some of them."""
        return Rows(self.slot[mask], self.window[mask], self.x[mask], self.y[mask])


def nothing() -> BigIntegers:
    """Return the sums of nobody."""
    return np.zeros((COLUMNS, PARTS), dtype=np.int64).astype(object)


def parts(x: IntArray, y: IntArray) -> IntArray:
    """Return each unit's share of the sums, on a last axis; a fraction is rounded up."""
    nano = np.where(x > 0, (y * NANO + x - 1) // np.maximum(x, 1), 0)
    return np.stack([(x > 0), (y > 0), y, x, y * y, x * y, x * x, nano], axis=-1).astype(np.int64)


def small(values: object) -> IntArray:
    """Return numbers of an hour, which fit 32 bits."""
    return np.asarray(values).astype(np.int32)
