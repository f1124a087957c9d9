"""A latency beside the baseline's own: how often each arm exceeds a quantile that was frozen before (d)."""

from __future__ import annotations

from typing import Final

import numpy as np

from rollout.domain.evidence import ClosedRatio, LatencyEvidence
from rollout.domain.measure.errors import is_empty
from rollout.domain.measure.measured import Measured, with_harm
from rollout.domain.memory import Memory
from rollout.domain.metric import Metric
from rollout.stats import adjust, bars, events, means, starts
from rollout.stats.arrays import FloatArray, IntArray
from rollout.stats.moments import JointMoments

_EVEN: Final = 0.5
"""The control is as large as the candidate, at every step."""


def latency(metric: Metric, found: LatencyEvidence, memory: Memory) -> Measured:
    """Return early harm, the smaller of (b) and (a) since some start, and safety by closed units (a).

    The margin is in the candidate's threshold, so the null is "no more often than the control".
    """
    name = metric.name
    strongest = memory.result(
        (name, "since starts"),
        _since_starts,
        found.candidate_minutes,
        found.control_minutes,
        found.candidate,
        found.control,
        found.candidate_exceeding,
        found.control_exceeding,
        found.start_index,
    )
    safety = memory.result((name, "safety"), _safety, found.ratio)
    return memory.result((name, "both"), with_harm, safety, memory.same((name, "harm"), strongest))


def _safety(ratio: ClosedRatio) -> Measured:
    control, candidate = (adjust.ratio(arm) for arm in (ratio.control, ratio.candidate))
    contrast = means.contrast(control, candidate)
    lift, has_lift = means.lift_estimate(control, candidate)
    # A candidate that is never slow must be provable.
    enough = means.enough_beside(ratio.control_nonzero, ratio.candidate_nonzero)
    return Measured(
        log_e_proof=bars.withhold(means.log_e_less(contrast), enough),
        log_e_harm=0.0,
        score=-contrast.score,
        estimate=lift,
        has_estimate=has_lift,
        interval=means.lift_interval(control, candidate),
        is_immature=ratio.candidate.n.sum(axis=-1) == 0,
        is_empty=is_empty(ratio),
    )


def _since_starts(  # noqa: PLR0913, PLR0917 (each is one thing that is counted)
    candidate_minutes: IntArray,
    control_minutes: IntArray,
    candidate: JointMoments,
    control: JointMoments,
    candidate_exceeding: IntArray,
    control_exceeding: IntArray,
    index: IntArray,
) -> FloatArray:
    minutes = events.log_e_harm(
        candidate_minutes[..., np.newaxis], control_minutes[..., np.newaxis], share=_EVEN
    )
    contrast = means.contrast(adjust.ratio(control), adjust.ratio(candidate))
    enough = means.enough_units(control_exceeding, candidate_exceeding)
    units = bars.withhold(means.log_e_greater(contrast), enough)
    return starts.strongest(bars.both(minutes, units), index)
