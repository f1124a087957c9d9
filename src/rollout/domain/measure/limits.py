"""An absolute limit: violation by windows and units since some start, compliance by closed units."""

from __future__ import annotations

import numpy as np

from rollout.domain.evidence import ClosedFractions, Flags, LimitEvidence
from rollout.domain.measure import fractions
from rollout.domain.measure.measured import Measured, with_harm
from rollout.domain.memory import Memory
from rollout.domain.metric import Metric
from rollout.stats import bars, slo, starts
from rollout.stats.arrays import FloatArray, IntArray
from rollout.stats.moments import JointMoments


def limit(metric: Metric, found: LimitEvidence, memory: Memory) -> Measured:
    """Return both nulls of a limit, (c) and (a), each the smaller of its two parts."""
    name = metric.name
    safety = memory.result(
        (name, "safety"), _safety, metric, found.fractions, found.outage_dominates, found.is_empty
    )
    strongest = memory.result(
        (name, "since starts"),
        _since_starts,
        metric,
        found.windows,
        found.window_fractions,
        found.totals,
        found.exceeding_units,
        found.start_index,
    )
    return memory.result((name, "both"), with_harm, safety, memory.same((name, "harm"), strongest))


def _safety(metric: Metric, closed: ClosedFractions, is_outage: Flags, is_empty: Flags) -> Measured:
    most = 1.0 - (metric.quantile or 0.0)
    has_units = np.greater(closed.units, 0)
    return Measured(
        log_e_proof=fractions.compliance(closed, most),
        log_e_harm=0.0,
        score=fractions.score(closed, most),
        estimate=fractions.rate(closed),
        has_estimate=has_units,
        interval=fractions.interval(closed, most),
        is_outage=is_outage,
        is_immature=~has_units,
        is_empty=is_empty,
    )


def _since_starts(  # noqa: PLR0913, PLR0917 (each is one thing that is counted)
    metric: Metric,
    windows: IntArray,
    window_fractions: FloatArray,
    totals: JointMoments,
    exceeding: IntArray,
    index: IntArray,
) -> FloatArray:
    """Return the smaller of (a) and (c); (c) is costly, and decides nothing where (a) is no evidence."""
    most = 1.0 - (metric.quantile or 0.0)
    units = slo.log_e_units_violation(totals, limit=most, exceeding_units=exceeding)
    is_suspect = units > 0
    by_window = np.zeros(units.shape)
    if is_suspect.any():
        by_window[is_suspect] = slo.log_e_violation(
            window_fractions[is_suspect], windows[is_suspect], limit=most
        )
    return starts.strongest(bars.both(units, by_window), index)
