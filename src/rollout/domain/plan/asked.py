"""What each question of a policy takes to be answered, and what the plan must know for that."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from rollout.domain.measure.planned import planned_information
from rollout.domain.metric import Direction, Metric, MetricType
from rollout.domain.plan.calendar import DAY_S
from rollout.domain.plan.contrasts import Contrast, ContrastEffort, contrast_effort
from rollout.domain.plan.effort import Effort, EitherEffort
from rollout.domain.plan.limits import LimitEffort
from rollout.domain.policy import Level, Policy
from rollout.domain.question import Question, proof_bar
from rollout.stats import means, planning

_VALUES: Final = frozenset({MetricType.MEAN, MetricType.RATIO, MetricType.COUNT})


@dataclass(frozen=True, slots=True)
class Asked:
    """One question, and what its proof takes as far as the expectations tell."""

    question: Question
    effort: Effort | None = None
    """None where nothing is to be proven, where polls decide, or where too little is known."""
    is_least: bool = False
    """The level is not known, so the effort is that of the best candidate there could be."""
    polls_s: float | None = None
    """How long the polls take that decide."""
    level: float | None = None
    limit: float | None = None
    """The share that must be kept."""
    contrast: Contrast | None = None
    lacks: tuple[str, ...] = ()
    """What `expect` should say under the metric's name: its level, its deviation."""

    @property
    def name(self) -> str:
        """The question's name."""
        return self.question.name

    @property
    def baseline_meets(self) -> bool | None:
        """Whether the baseline itself keeps the limit; None where there is none, or it is not known."""
        return None if self.limit is None or self.level is None else self.level < self.limit


def asked(policy: Policy, question: Question) -> Asked:
    """Return what an answer to a question takes."""
    metric = question.metric
    if metric is None:
        return _limited(policy, question, _failing(policy), policy.resilience.max_fallback)
    level = (policy.expect.levels or {}).get(metric.name)
    if metric.type is MetricType.THRESHOLD:
        polls_s = (metric.interval_s or 0.0) * (metric.failure_limit or 1)
        return Asked(question, polls_s=polls_s, level=None if level is None else level.mean)
    if question.is_observed:
        return Asked(question, level=None if level is None else level.mean)
    return _proven(policy, question, metric, level)


def _proven(policy: Policy, question: Question, metric: Metric, level: Level | None) -> Asked:
    match metric.type:
        case MetricType.ERROR_RATE:
            return _errors(policy, question, metric, level)
        case MetricType.LATENCY if metric.max_us is not None:
            mean = None if level is None else level.mean
            return _limited(policy, question, mean, 1.0 - (metric.quantile or 0.0))
        case MetricType.LATENCY:
            return _slower(policy, question, metric)
        case _:
            return _compared(policy, question, metric, level)


def _failing(policy: Policy) -> float | None:
    """Return how often the baseline fails: a candidate like it falls back as often."""
    names = [metric.name for metric in policy.metrics if metric.type is MetricType.ERROR_RATE]
    levels = policy.expect.levels or {}
    return next((levels[name].mean for name in names if name in levels), None)


def _limited(policy: Policy, question: Question, level: float | None, limit: float) -> Asked:
    limit = round(limit, 9)
    effort = LimitEffort(0.0 if level is None else level, limit, proof_bar(policy))
    # What is not known of the fallback follows from the errors, which are asked for already.
    lacks = ("level",) if level is None and question.metric is not None else ()
    return Asked(question, effort, is_least=level is None, level=level, limit=limit, lacks=lacks)


def _errors(policy: Policy, question: Question, metric: Metric, level: Level | None) -> Asked:
    """Return the sooner of two proofs, each at half of α: within the margin, or below the floor (h)."""
    floor, margin = metric.floor or 0.0, metric.margin or 0.0
    bar = proof_bar(policy) + (math.log(2.0) if floor else 0.0)
    mean = None if level is None else level.mean
    below = LimitEffort(mean or 0.0, floor, bar) if floor else None
    if mean is None:
        return Asked(question, below, is_least=True, lacks=("level",))
    if mean == 0.0 or not margin:
        return Asked(question, below, level=mean)
    requests = _requests_of_a_unit(policy, question)
    variance = mean * (1.0 - mean) / requests
    contrast = Contrast(
        level=mean,
        distance=margin * mean,
        harm_distance=margin * mean,
        variance=float(planning.contrast_variance(variance, variance, null_lift=margin)),
        least_units=means.MINIMUM_NONZERO / (mean * requests),
        planned_information=planned_information(policy, metric),
    )
    within = contrast_effort(contrast, math.exp(-bar))
    effort = within if below is None or mean >= floor else EitherEffort(within, below)
    return Asked(question, effort, level=mean, contrast=contrast)


def _slower(policy: Policy, question: Question, metric: Metric) -> Asked:
    """Return the proof that a quantile is not longer than the baseline's by the margin (d).

    A candidate like the baseline exceeds the longer threshold less often: by 1/(1 + margin) where the tail
    falls like 1/x, which few latencies do so slowly.
    """
    share = round(1.0 - (metric.quantile or 0.0), 9)
    requests = _requests_of_a_unit(policy, question)
    variance = share * (1.0 - share) / requests
    contrast = Contrast(
        level=share,
        distance=share - share / (1.0 + (metric.margin or 0.0)),
        harm_distance=share,
        variance=float(planning.contrast_variance(variance, variance)),
        least_units=means.MINIMUM_NONZERO / (share * requests),
        is_tuned=False,
    )
    return Asked(question, contrast_effort(contrast, math.exp(-proof_bar(policy))), contrast=contrast)


def _requests_of_a_unit(policy: Policy, question: Question) -> float:
    """Return how many requests a unit sends inside its window: its first, and its part of the others."""
    units, rate = policy.expect.units_per_day, policy.expect.requests_per_s
    if units is None or rate is None:
        return 1.0
    others = max(rate * DAY_S / units - 1.0, 0.0)
    return 1.0 + others * min(question.window_s / DAY_S, 1.0)


def _compared(policy: Policy, question: Question, metric: Metric, level: Level | None) -> Asked:
    effect = metric.min_effect if metric.margin is None else metric.margin
    if level is None or level.mean <= 0:
        return Asked(question, lacks=("level", "deviation") if metric.type in _VALUES else ("level",))
    if metric.type in _VALUES and not level.deviation:
        return Asked(question, level=level.mean, lacks=("deviation",))
    if not effect:
        return Asked(question, level=level.mean)
    up = metric.direction is Direction.INCREASE
    # Better by the effect, or like the baseline and compared with what is worse by the margin.
    lift = 0.0 if metric.margin is not None else (effect if up else -effect)
    null = (-effect if up else effect) if metric.margin is not None else 0.0
    variance = planning.contrast_variance(
        _variance(metric, level, 1.0), _variance(metric, level, 1.0 + lift), null_lift=null
    )
    contrast = Contrast(
        level=level.mean,
        distance=effect * level.mean,
        harm_distance=effect * level.mean,
        variance=float(variance),
        least_units=means.MINIMUM_NONZERO / level.mean if metric.type is MetricType.BINARY else 0.0,
        planned_information=planned_information(policy, metric),
    )
    effort = contrast_effort(contrast, math.exp(-proof_bar(policy))) if question.needs_proof else None
    return Asked(question, effort, level=level.mean, contrast=contrast)


def _variance(metric: Metric, level: Level, scale: float) -> float:
    """Return the variance of one unit's value; of a share that of its grown or shrunk mean."""
    if metric.type is MetricType.BINARY:
        mean = min(level.mean * scale, 1.0)
        return mean * (1.0 - mean)
    return (level.deviation or 0.0) ** 2


def is_contrast(effort: Effort | None) -> bool:
    """Return whether what can be proven is an effect, and not a level."""
    return isinstance(effort, ContrastEffort | EitherEffort)
