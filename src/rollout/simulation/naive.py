"""Who looks again and again at an ordinary test, all users in one pot, until it is significant."""

from __future__ import annotations

from typing import Final

import numpy as np

from rollout.domain.metric import Direction, Metric
from rollout.simulation.outcomes import Pooled
from rollout.stats.arrays import BoolArray, FloatArray, IntArray

SIGNIFICANT: Final = 1.959963984540054
"""|z| beyond which a two-sided p-value is below 5 %."""
LEAST_UNITS: Final = 1_000
"""Closed units that each side needs before anybody calls it a test."""
NOTHING, PROMOTES, ROLLS_BACK = range(3)


class Naive:
    """The rule in many replicates: promote as soon as p < 5 % in its favour, roll back as soon as against it.

    It compares the candidate's users with everybody else's, whenever they came.
    """

    def __init__(self, goal: Metric, *, candidates: int, replicates: int) -> None:
        self.goal = goal.name
        self._sign = 1.0 if goal.direction is Direction.INCREASE else -1.0
        self._scale = 1.0 - self._sign * (goal.margin or 0.0)
        self._is_bad = np.zeros((replicates, candidates), dtype=np.bool_)
        self.verdict = np.full(replicates, NOTHING)
        """What it did, [replicate]."""
        self.at_s = np.full(replicates, np.inf)
        self.was_harmful = np.zeros(replicates, dtype=np.bool_)
        """Whether what it promoted was harmful just then, [replicate]."""

    def look(self, pooled: Pooled, now_s: float, is_harmful: BoolArray) -> None:
        """Take one look; who has decided does not look again."""
        z = score(pooled, scale=self._scale) * self._sign
        self._is_bad |= z <= -SIGNIFICANT
        is_good = (z >= SIGNIFICANT) & ~self._is_bad
        undecided = self.verdict == NOTHING
        promotes = undecided & is_good.any(axis=1)
        best = np.where(is_good, z, -np.inf).argmax(axis=1)
        self.was_harmful |= promotes & is_harmful[np.arange(len(best)), best + 1]
        self._decide(promotes, PROMOTES, now_s)
        self._decide(undecided & ~promotes & self._is_bad.all(axis=1), ROLLS_BACK, now_s)

    def _decide(self, chosen: BoolArray, verdict: int, now_s: float) -> None:
        self.verdict[chosen] = verdict
        self.at_s[chosen] = now_s

    def keep(self, kept: BoolArray) -> None:
        """Forget replicates that have ended."""
        self._is_bad, self.verdict = self._is_bad[kept], self.verdict[kept]
        self.at_s, self.was_harmful = self.at_s[kept], self.was_harmful[kept]


def score(pooled: Pooled, *, scale: float = 1.0) -> FloatArray:
    """Return the textbook's z of every candidate against everybody else, [replicate, candidate]."""
    error = pooled.variance / np.maximum(pooled.n, 1.0)
    spread = np.sqrt(error[:, 1:] + scale**2 * error[:, :1])
    enough = (pooled.n[:, 1:] >= LEAST_UNITS) & (pooled.n[:, :1] >= LEAST_UNITS) & (spread > 0)
    difference = pooled.mean[:, 1:] - scale * pooled.mean[:, :1]
    return np.where(enough, difference / np.where(spread > 0, spread, 1.0), 0.0)


def lift(pooled: Pooled) -> FloatArray:
    """Return how much more a candidate's users have than everybody else, [replicate, candidate]."""
    base = pooled.mean[:, :1]
    return np.where(base > 0, pooled.mean[:, 1:] / np.where(base > 0, base, 1.0) - 1.0, np.nan)


def named(verdict: IntArray) -> list[str]:
    """Return verdicts as words."""
    words = ("undecided", "promoted", "rolled-back")
    return [words[int(one)] for one in verdict]
