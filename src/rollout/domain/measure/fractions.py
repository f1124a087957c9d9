"""Closed units' fractions against a limit: proof that it is kept, and the rate to read."""

from __future__ import annotations

from typing import Final

import numpy as np

from rollout.domain.evidence import ClosedFractions
from rollout.domain.measure.measured import Measured
from rollout.stats import arrays, bars, slo
from rollout.stats.arrays import FloatArray
from rollout.stats.interval import Interval

PLANNED_EXCEEDANCES: Final = 10.0
"""A limit's test is tightest when about this many exceedances would be due: 1,000 units at 1 %."""


def kept(found: ClosedFractions, limit: float) -> Measured:
    """Return how well a limit is kept; there is no harm side."""
    return Measured(
        log_e_proof=compliance(found, limit),
        log_e_harm=0.0,
        score=score(found, limit),
        estimate=rate(found),
        has_estimate=np.greater(found.units, 0),
        interval=interval(found, limit),
    )


def compliance(found: ClosedFractions, limit: float) -> FloatArray:
    """Return the proof that units, and the traffic they carry, keep a limit: both are needed (c)."""
    planned = PLANNED_EXCEEDANCES / limit
    by_unit = slo.log_e_compliance(found.fraction_sum, found.units, limit=limit, planned_units=planned)
    return bars.both(by_unit, slo.log_e_units_compliance(found.totals, limit=limit))


def score(found: ClosedFractions, limit: float) -> FloatArray:
    """Return how far the rate keeps below a limit; without units it is on no side of it."""
    return np.where(np.greater(found.units, 0), limit - rate(found), 0.0)


def rate(found: ClosedFractions) -> FloatArray:
    """Return the mean of the units' fractions, and 0 without units."""
    return arrays.divided(
        np.asarray(found.fraction_sum, dtype=np.float64), np.asarray(found.units, dtype=np.float64)
    )


def interval(found: ClosedFractions, limit: float) -> Interval:
    """Return the always-valid interval of the units' mean fraction."""
    return slo.rate_interval(found.fraction_sum, found.units, limit=limit)
