"""What a reader of the lake makes of the candidate's slow answers: by request, by unit-window and by unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from rollout.domain.records import WINDOW_US
from rollout.stats import slo
from rollout.stats.arrays import BoolArray, FloatArray, IntArray
from tests.pipeline.questions import LIMIT_US
from tests.pipeline.sight import CANDIDATE, Sight

_EVERY: Final = 5
"""Requests or windows from one reading to the next."""


@dataclass(frozen=True)
class Answers:
    """The candidate's answers in order of time."""

    at_us: IntArray
    unit: IntArray
    slow: BoolArray

    @property
    def seen(self) -> IntArray:
        """Slow answers so far, at every reading."""
        return np.asarray(np.cumsum(self.slow)[_EVERY - 1 :: _EVERY])

    @property
    def read(self) -> IntArray:
        """Answers so far, at every reading."""
        return np.arange(_EVERY, len(self.slow) + 1, _EVERY)

    def unit_windows(self) -> tuple[FloatArray, IntArray]:
        """Return the sum of the unit-windows' slow fractions so far, and their number, at every reading."""
        key = np.stack([self.at_us // WINDOW_US, self.unit])
        _, window, requests = np.unique(key, axis=1, return_inverse=True, return_counts=True)
        fraction = np.bincount(window.ravel(), self.slow) / requests
        return np.cumsum(fraction)[_EVERY - 1 :: _EVERY], np.arange(_EVERY, len(fraction) + 1, _EVERY)

    def by_unit(self) -> tuple[IntArray, IntArray, IntArray]:
        """Return each unit's slow answers, its answers, and when it came."""
        _, first, place = np.unique(self.unit, return_index=True, return_inverse=True)
        slow, all_of_it = np.bincount(place, self.slow), np.bincount(place)
        return slow.astype(np.int64), all_of_it, self.at_us[first]


def answers(sight: Sight) -> Answers:
    """Return what the candidate answered."""
    own = sight.known & (sight.arm == CANDIDATE)
    return Answers(sight.at_us[own], sight.unit[own], sight.dur_us[own] > LIMIT_US)


def is_violated(exceeding: FloatArray | IntArray, number: IntArray, share: float, bar: float = 20.0) -> bool:
    """Return whether (c) alone ever calls the limit violated; below it, it is never above 0."""
    above = exceeding > share * number
    log_e = slo.log_e_violation(exceeding[above], number[above], limit=share)
    return bool((log_e >= np.log(bar)).any())
