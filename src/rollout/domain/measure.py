"""Which statistics answer which metric: proof and harm as log e-values, with an estimate to read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from rollout.domain.evidence import BinaryEvidence, ClosedFractions, ErrorEvidence, Evidence, LimitEvidence
from rollout.domain.policy import Direction, Metric, MetricType, Policy
from rollout.stats import adjust, bars, events, means, moments, planning, slo, starts
from rollout.stats.moments import Moments

PLANNED_EXCEEDANCES: Final = 10.0
"""A limit's test is tightest when about this many exceedances would be due: 1,000 units at 1 %."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One metric at one look, oriented so that a positive score is on the proven side."""

    log_e_proof: float
    log_e_harm: float
    score: float
    estimate: float | None
    interval: tuple[float, float] | None
    is_superiority: bool = False
    is_outage: bool = False
    is_immature: bool = False
    """Harm can be seen already, but no unit has closed that could prove anything."""


def measure(policy: Policy, metric: Metric, evidence: Evidence) -> Measured | None:
    """Return what this look says of a metric, or None when it could not be measured."""
    match metric.type:
        case MetricType.BINARY:
            binary = evidence.binary.get(metric.name)
            return None if binary is None else _binary(policy, metric, binary)
        case MetricType.ERROR_RATE:
            errors = evidence.errors.get(metric.name)
            return None if errors is None else _errors(policy, metric, errors)
        case MetricType.LATENCY:
            limit = evidence.limits.get(metric.name)
            return None if limit is None else _limit(metric, limit)


def measure_fallback(policy: Policy, evidence: Evidence) -> Measured | None:
    """Return how well the candidate itself answers; there is no harm side, errors have their own metric."""
    if evidence.fallbacks is None:
        return None
    limit = policy.resilience.max_fallback
    proof = _compliance(evidence.fallbacks, limit)
    rate = _rate(evidence.fallbacks)
    return Measured(proof, 0.0, limit - rate, rate, _fraction_interval(evidence.fallbacks, limit))


def planned_information(policy: Policy, metric: Metric) -> float:
    """Return W*, frozen before the start: from what is expected of the baseline, else a round number."""
    level = (policy.expect.levels or {}).get(metric.name)
    effect = metric.min_effect if metric.min_effect is not None else metric.margin
    if level is None or not effect or not 0.0 < level.mean < 1.0:
        return means.PLANNED_INFORMATION
    variance = level.mean * (1.0 - level.mean)
    needed = planning.sequential_information(
        effect * level.mean,
        variance=planning.contrast_variance(variance, variance),
        alpha=policy.risk.wrong_promotion,
    )
    return float(needed)


def _binary(policy: Policy, metric: Metric, found: BinaryEvidence) -> Measured:
    days = tuple(
        Moments.of_successes(units, successes)
        for units, successes in (
            (found.control_units, found.control_successes),
            (found.candidate_units, found.candidate_successes),
        )
    )
    control, candidate = (moments.merged(arm, axis=0) for arm in days)
    up = metric.direction is Direction.INCREASE
    margin = metric.margin or 0.0
    null = -margin if up else margin
    planned = planned_information(policy, metric)
    contrast = means.contrast(control, candidate, null_lift=null)
    better, worse = (means.log_e_greater, means.log_e_less) if up else (means.log_e_less, means.log_e_greater)
    since = means.contrast(*(moments.since_each(arm, axis=0) for arm in days), null_lift=null)
    by_day = worse(since, planned_information=planned)
    harm = starts.strongest(by_day, np.arange(by_day.shape[-1]))
    enough = means.enough_units(found.control_successes.sum(), found.candidate_successes.sum())
    return Measured(
        log_e_proof=float(bars.withhold(better(contrast, planned_information=planned), enough)),
        log_e_harm=float(bars.withhold(harm, enough)),
        score=float(contrast.score) if up else -float(contrast.score),
        estimate=_lift(control, candidate),
        interval=means.lift_interval(control, candidate, planned_information=planned).at(),
        is_superiority=metric.margin is None,
    )


def _errors(policy: Policy, metric: Metric, found: ErrorEvidence) -> Measured:
    margin, floor = metric.margin or 0.0, metric.floor or 0.0
    control, candidate = (adjust.ratio(arm) for arm in (found.ratio.control, found.ratio.candidate))
    planned = planned_information(policy, metric)
    contrast = means.contrast(control, candidate, null_lift=margin)
    enough = means.enough_units(found.ratio.control_nonzero, found.ratio.candidate_nonzero)
    relative = bars.withhold(means.log_e_less(contrast, planned_information=planned), enough)
    proof = float(bars.either(relative, _compliance(found.fractions, floor))) if floor else float(relative)
    below_floor = floor > 0 and _rate(found.fractions) < floor
    return Measured(
        log_e_proof=proof,
        log_e_harm=_error_harm(found, margin, floor),
        score=1.0 if below_floor or float(contrast.score) < 0 else -1.0,
        is_immature=found.fractions.units == 0,
        estimate=_lift(control, candidate),
        interval=means.lift_interval(control, candidate, planned_information=planned).at(),
    )


def _error_harm(found: ErrorEvidence, margin: float, floor: float) -> float:
    """Return harm since some start; it speaks only while requests fail beyond floor and margin."""
    first = found.first
    by_start = events.log_e_harm(
        first.candidate, first.comparison, share=first.share, null_log_risk=np.log1p(margin)
    )
    rate = first.candidate_errors / max(first.candidate_requests, 1)
    other = first.comparison_errors / max(first.comparison_requests, 1)
    speaks = rate > floor and rate > (1.0 + margin) * other
    return float(bars.withhold(starts.strongest(by_start, first.start_index), speaks))


def _limit(metric: Metric, found: LimitEvidence) -> Measured:
    limit = 1.0 - (metric.quantile or 0.0)
    by_start = bars.both(
        slo.log_e_violation(found.window_fractions, found.windows, limit=limit),
        slo.log_e_units_violation(found.totals, limit=limit, exceeding_units=found.exceeding_units),
    )
    return Measured(
        log_e_proof=_compliance(found.fractions, limit),
        log_e_harm=float(starts.strongest(by_start, found.start_index)),
        score=limit - _rate(found.fractions),
        estimate=_rate(found.fractions) if found.fractions.units else None,
        interval=_fraction_interval(found.fractions, limit),
        is_outage=found.outage_dominates,
        is_immature=found.fractions.units == 0,
    )


def _compliance(found: ClosedFractions, limit: float) -> float:
    """Return the proof that units, and the traffic they carry, keep a limit: both are needed."""
    planned = PLANNED_EXCEEDANCES / limit
    by_unit = slo.log_e_compliance(found.fraction_sum, found.units, limit=limit, planned_units=planned)
    return float(np.squeeze(bars.both(by_unit, slo.log_e_units_compliance(found.totals, limit=limit))))


def _rate(found: ClosedFractions) -> float:
    return found.fraction_sum / found.units if found.units else 0.0


def _fraction_interval(found: ClosedFractions, limit: float) -> tuple[float, float] | None:
    return slo.rate_interval(found.fraction_sum, found.units, limit=limit).at()


def _lift(control: Moments, candidate: Moments) -> float | None:
    """Return the estimate of the lift, or None where the control's mean is not positive."""
    lift, is_known = means.lift_estimate(control, candidate)
    return float(lift) if is_known else None
