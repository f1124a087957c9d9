"""A latency beside the baseline's own: how often each arm exceeds a quantile that was frozen before (d)."""

from __future__ import annotations

from typing import Final

import numpy as np

from rollout.domain.evidence import LatencyEvidence
from rollout.domain.measure.errors import is_empty
from rollout.domain.measure.measured import Measured
from rollout.stats import adjust, bars, events, means, starts
from rollout.stats.arrays import FloatArray

_EVEN: Final = 0.5
"""The control is as large as the candidate, at every step."""


def latency(found: LatencyEvidence) -> Measured:
    """Return early harm, the smaller of (b) and (a) since some start, and safety by closed units (a).

    The margin is in the candidate's threshold, so the null is "no more often than the control".
    """
    control, candidate = (adjust.ratio(arm) for arm in (found.ratio.control, found.ratio.candidate))
    contrast = means.contrast(control, candidate)
    lift, has_lift = means.lift_estimate(control, candidate)
    # A candidate that is never slow must be provable.
    enough = means.enough_beside(found.ratio.control_nonzero, found.ratio.candidate_nonzero)
    return Measured(
        log_e_proof=bars.withhold(means.log_e_less(contrast), enough),
        log_e_harm=_harm(found),
        score=-contrast.score,
        estimate=lift,
        has_estimate=has_lift,
        interval=means.lift_interval(control, candidate),
        is_immature=found.ratio.candidate.n.sum(axis=-1) == 0,
        is_empty=is_empty(found.ratio),
    )


def _harm(found: LatencyEvidence) -> FloatArray:
    minutes = events.log_e_harm(
        found.candidate_minutes[..., np.newaxis], found.control_minutes[..., np.newaxis], share=_EVEN
    )
    contrast = means.contrast(adjust.ratio(found.control), adjust.ratio(found.candidate))
    enough = means.enough_units(found.control_exceeding, found.candidate_exceeding)
    units = bars.withhold(means.log_e_greater(contrast), enough)
    return starts.strongest(bars.both(minutes, units), found.start_index)
