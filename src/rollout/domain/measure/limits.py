"""An absolute limit: violation by windows and units since some start, compliance by closed units."""

from __future__ import annotations

import numpy as np

from rollout.domain.evidence import LimitEvidence
from rollout.domain.measure import fractions
from rollout.domain.measure.measured import Measured
from rollout.domain.metric import Metric
from rollout.stats import bars, slo, starts
from rollout.stats.arrays import FloatArray


def limit(metric: Metric, found: LimitEvidence) -> Measured:
    """Return both nulls of a limit, (c) and (a), each the smaller of its two parts."""
    most = 1.0 - (metric.quantile or 0.0)
    has_units = np.greater(found.fractions.units, 0)
    return Measured(
        log_e_proof=fractions.compliance(found.fractions, most),
        log_e_harm=starts.strongest(_violation(found, most), found.start_index),
        score=fractions.score(found.fractions, most),
        estimate=fractions.rate(found.fractions),
        has_estimate=has_units,
        interval=fractions.interval(found.fractions, most),
        is_outage=found.outage_dominates,
        is_immature=~has_units,
        is_empty=found.is_empty,
    )


def _violation(found: LimitEvidence, most: float) -> FloatArray:
    """Return the smaller of (a) and (c); (c) is costly, and decides nothing where (a) is no evidence."""
    units = slo.log_e_units_violation(found.totals, limit=most, exceeding_units=found.exceeding_units)
    is_suspect = units > 0
    by_window = np.zeros(units.shape)
    by_window[is_suspect] = slo.log_e_violation(
        found.window_fractions[is_suspect], found.windows[is_suspect], limit=most
    )
    return bars.both(units, by_window)
