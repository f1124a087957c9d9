"""An interval for a person to read, whose absence is a value and never a number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from rollout.stats.arrays import BoolArray, FloatArray


@dataclass(frozen=True, slots=True)
class Interval:
    """Lower and upper ends; where `known` is false nothing bounds the value and both ends hold a mere 0."""

    lower: FloatArray
    upper: FloatArray
    known: BoolArray

    @classmethod
    def where(cls, known: BoolArray, lower: FloatArray, upper: FloatArray) -> Self:
        """Return the interval where it is known, and its absence elsewhere."""
        known, lower, upper = np.broadcast_arrays(known, lower, upper)
        return cls(np.where(known, lower, 0.0), np.where(known, upper, 0.0), known)

    def at(self, *index: int) -> tuple[float, float] | None:
        """Return one interval of the batch as a pair, or None where nothing is known."""
        if not self.known[index]:
            return None
        return float(self.lower[index]), float(self.upper[index])
