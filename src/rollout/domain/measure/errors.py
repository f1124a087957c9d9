"""Errors of the assigned version: harm by first errors at once, safety by closed units or below a floor."""

from __future__ import annotations

import numpy as np

from rollout.domain.evidence import ClosedFractions, ClosedRatio, Counts, ErrorEvidence, FirstErrors
from rollout.domain.measure import fractions
from rollout.domain.measure.measured import Measured, with_harm
from rollout.domain.measure.planned import planned_information
from rollout.domain.memory import Memory
from rollout.domain.metric import Metric
from rollout.domain.policy import Policy
from rollout.stats import adjust, arrays, bars, events, means, starts
from rollout.stats.arrays import BoolArray, FloatArray, IntArray


def errors(policy: Policy, metric: Metric, found: ErrorEvidence, memory: Memory) -> Measured:
    """Return safety within the margin or below the floor, and harm since some start beyond both (h)."""
    safety = memory.result((metric.name, "safety"), _safety, policy, metric, found.ratio, found.fractions)
    harm = memory.same((metric.name, "harm"), _harm(metric, found.first, memory))
    return memory.result((metric.name, "both"), with_harm, safety, harm)


def _safety(policy: Policy, metric: Metric, ratio: ClosedRatio, closed: ClosedFractions) -> Measured:
    margin, floor = metric.margin or 0.0, metric.floor or 0.0
    control, candidate = (adjust.ratio(arm) for arm in (ratio.control, ratio.candidate))
    planned = planned_information(policy, metric)
    contrast = means.contrast(control, candidate, null_lift=margin)
    enough = means.enough_units(ratio.control_nonzero, ratio.candidate_nonzero)
    proof = bars.withhold(means.log_e_less(contrast, planned_information=planned), enough)
    is_within = contrast.score < 0
    if floor:
        proof = bars.either(proof, fractions.compliance(closed, floor))
        is_within = is_within | (fractions.score(closed, floor) > 0)
    lift, has_lift = means.lift_estimate(control, candidate)
    return Measured(
        log_e_proof=proof,
        log_e_harm=0.0,
        score=np.where(is_within, 1.0, -1.0),
        estimate=lift,
        has_estimate=has_lift,
        interval=means.lift_interval(control, candidate, planned_information=planned),
        is_immature=np.equal(closed.units, 0),
        is_empty=is_empty(ratio),
    )


def is_empty(found: ClosedRatio) -> BoolArray:
    """Return whether no unit of either arm has closed."""
    return np.asarray((found.control.n + found.candidate.n).sum(axis=-1) == 0)


def _harm(metric: Metric, first: FirstErrors, memory: Memory) -> FloatArray:
    """Return harm since some start; it speaks only while requests fail beyond floor and margin."""
    strongest = memory.result(
        (metric.name, "since starts"),
        _since_starts,
        metric,
        first.candidate,
        first.comparison,
        first.share,
        first.start_index,
    )
    return memory.result(
        (metric.name, "while they fail"),
        _while_they_fail,
        strongest,
        metric,
        first.candidate_errors,
        first.candidate_requests,
        first.comparison_errors,
        first.comparison_requests,
    )


def _while_they_fail(  # noqa: PLR0913, PLR0917 (each is one thing that is counted)
    strongest: FloatArray,
    metric: Metric,
    failed: Counts,
    requests: Counts,
    others_failed: Counts,
    others_requests: Counts,
) -> FloatArray:
    margin, floor = metric.margin or 0.0, metric.floor or 0.0
    rate, other = _share_of_requests(failed, requests), _share_of_requests(others_failed, others_requests)
    return bars.withhold(strongest, (rate > floor) & (rate > (1.0 + margin) * other))


def _since_starts(
    metric: Metric, candidate: IntArray, comparison: IntArray, share: FloatArray, index: IntArray
) -> FloatArray:
    by_start = events.log_e_harm(
        candidate, comparison, share=share, null_log_risk=np.log1p(metric.margin or 0.0)
    )
    return starts.strongest(by_start, index)


def _share_of_requests(errors: Counts, requests: Counts) -> FloatArray:
    # What is no number would compare as false, and silence harm.
    return arrays.divided(arrays.counts("errors", errors), arrays.counts("requests", requests))
