"""Errors of the assigned version: harm by first errors at once, safety by closed units or below a floor."""

from __future__ import annotations

import numpy as np

from rollout.domain.evidence import ClosedRatio, Counts, ErrorEvidence, FirstErrors
from rollout.domain.measure import fractions
from rollout.domain.measure.measured import Measured
from rollout.domain.measure.planned import planned_information
from rollout.domain.metric import Metric
from rollout.domain.policy import Policy
from rollout.stats import adjust, arrays, bars, events, means, starts
from rollout.stats.arrays import BoolArray, FloatArray


def errors(policy: Policy, metric: Metric, found: ErrorEvidence) -> Measured:
    """Return safety within the margin or below the floor, and harm since some start beyond both (h)."""
    margin, floor = metric.margin or 0.0, metric.floor or 0.0
    control, candidate = (adjust.ratio(arm) for arm in (found.ratio.control, found.ratio.candidate))
    planned = planned_information(policy, metric)
    contrast = means.contrast(control, candidate, null_lift=margin)
    enough = means.enough_units(found.ratio.control_nonzero, found.ratio.candidate_nonzero)
    proof = bars.withhold(means.log_e_less(contrast, planned_information=planned), enough)
    is_within = contrast.score < 0
    if floor:
        proof = bars.either(proof, fractions.compliance(found.fractions, floor))
        is_within = is_within | (fractions.score(found.fractions, floor) > 0)
    lift, has_lift = means.lift_estimate(control, candidate)
    return Measured(
        log_e_proof=proof,
        log_e_harm=_harm(found.first, margin, floor),
        score=np.where(is_within, 1.0, -1.0),
        estimate=lift,
        has_estimate=has_lift,
        interval=means.lift_interval(control, candidate, planned_information=planned),
        is_immature=np.equal(found.fractions.units, 0),
        is_empty=is_empty(found.ratio),
    )


def is_empty(found: ClosedRatio) -> BoolArray:
    """Return whether no unit of either arm has closed."""
    return np.asarray((found.control.n + found.candidate.n).sum(axis=-1) == 0)


def _harm(first: FirstErrors, margin: float, floor: float) -> FloatArray:
    """Return harm since some start; it speaks only while requests fail beyond floor and margin."""
    by_start = events.log_e_harm(
        first.candidate, first.comparison, share=first.share, null_log_risk=np.log1p(margin)
    )
    rate = _share_of_requests(first.candidate_errors, first.candidate_requests)
    other = _share_of_requests(first.comparison_errors, first.comparison_requests)
    speaks = (rate > floor) & (rate > (1.0 + margin) * other)
    return bars.withhold(starts.strongest(by_start, first.start_index), speaks)


def _share_of_requests(errors: Counts, requests: Counts) -> FloatArray:
    # What is no number would compare as false, and silence harm.
    return arrays.divided(arrays.counts("errors", errors), arrays.counts("requests", requests))
