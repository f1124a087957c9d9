"""What it takes to prove that a limit is kept."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from scipy import optimize, special

from rollout.domain.measure.fractions import PLANNED_EXCEEDANCES
from rollout.domain.plan.effort import LONGEST_POWER, POWER
from rollout.stats import bars, slo
from rollout.stats.arrays import FloatArray
from rollout.stats.moments import JointMoments

# Beyond this nobody waits: more units than there are people.
_UNITS: Final = np.geomspace(1.0, 1e12, 200)
_POINTS: Final = 40
_REFINEMENTS: Final = 4
_ROUNDING: Final = 1e-6


@dataclass(frozen=True, slots=True)
class LimitEffort:
    """What it takes to prove that a limit is kept, at a level below it."""

    level: float
    limit: float
    bar: float

    @property
    def expected(self) -> float:
        """Where half of the proofs are there: they scatter little around it."""
        return _units_for(self, 0.5)

    @property
    def planned(self) -> float:
        """What gives a chance of 80 %."""
        return _units_for(self, POWER)

    @property
    def longest(self) -> float:
        """What gives a chance of about 90 %."""
        return _units_for(self, LONGEST_POWER)

    def chance(self, units: float) -> float:
        """Return how likely the proof is there by then."""
        allowed = _allowed(self.limit, self.bar, units)
        if allowed is None:
            return 0.0
        spread = np.sqrt(units * self.level * (1.0 - self.level))
        return 1.0 if spread == 0 else float(special.ndtr((allowed - units * self.level) / spread))

    def reachable(self, units: float) -> float | None:
        """Return the highest level that has 80 % chance by then, or None when not even 0 has."""
        allowed = _allowed(self.limit, self.bar, units)
        if allowed is None:
            return None

        def excess(level: float) -> float:
            return float(_quantile(units, level, POWER)) - allowed

        return 0.0 if excess(0.0) >= 0 else float(optimize.brentq(excess, 0.0, self.limit, xtol=1e-12))

    def writable(self, units: float) -> float | None:
        """Return the same: nothing is tuned to a level."""
        return self.reachable(units)


def _quantile(units: FloatArray | float, level: float, chance: float) -> FloatArray:
    """Return how many exceedances are not passed with this chance, by the normal approximation."""
    spread = np.sqrt(np.asarray(units) * level * (1.0 - level))
    return np.asarray(units * np.float64(level) + special.ndtri(chance) * spread)


@lru_cache(maxsize=1024)
def _units_for(effort: LimitEffort, chance: float) -> float:
    """Return the least units with that chance; infinite when the level does not keep the limit."""
    if effort.level >= effort.limit:
        return math.inf
    units = _UNITS
    for _ in range(_REFINEMENTS):
        counted = _quantile(units, effort.level, chance)
        proven = np.flatnonzero(_log_e(effort.limit, counted, units) >= effort.bar)
        if not len(proven):
            return math.inf
        units = np.linspace(units[max(proven[0] - 1, 0)], units[proven[0]], _POINTS)
    return float(np.ceil(units[-1] - _ROUNDING))


@lru_cache(maxsize=1024)
def _allowed(limit: float, bar: float, units: float) -> float | None:
    """Return the most exceedances with which so many units are proof, or None when no number is."""
    if units <= 0:
        return None

    def excess(count: float) -> float:
        return float(_log_e(limit, np.float64(count), np.float64(units))) - bar

    if excess(0.0) < 0:
        return None
    return float(optimize.brentq(excess, 0.0, units * limit, xtol=1e-9))


def _log_e(limit: float, count: FloatArray | np.float64, units: FloatArray | np.float64) -> FloatArray:
    """Return the proof from `count` exceeding units: each unit as one request, the least it can say."""
    n = np.asarray(units, dtype=np.float64)
    total = np.clip(count, 0.0, n)
    share = np.asarray(total / n)
    mean = np.stack([share, np.ones_like(share)], axis=-1)
    scatter = np.zeros((*n.shape, 2, 2))
    scatter[..., 0, 0] = n * share * (1.0 - share)
    by_unit = slo.log_e_compliance(total, n, limit=limit, planned_units=PLANNED_EXCEEDANCES / limit)
    return bars.both(by_unit, slo.log_e_units_compliance(JointMoments(n, mean, scatter), limit=limit))
