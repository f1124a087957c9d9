"""Every metric's level in every arm between two looks: what is expected, changed by the scenario."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from rollout.domain.metric import Direction, Metric, MetricType, Role
from rollout.domain.policy import Expect, Policy
from rollout.domain.question import FALLBACK
from rollout.simulation.scenario import Effect, Moment, Scenario
from rollout.stats.arrays import BoolArray, FloatArray

PRIMARY: Final = "primary"
ERRORS: Final = "errors"
LATENCY: Final = "latency"
GROUPS: Final = (PRIMARY, ERRORS, LATENCY, FALLBACK)
"""Names that mean all metrics of a kind, so that one scenario fits many policies."""
_SHARES: Final = frozenset({MetricType.BINARY, MetricType.RATIO, MetricType.ERROR_RATE, MetricType.THRESHOLD})
_USUAL: Final = {
    MetricType.BINARY: 0.1,
    MetricType.MEAN: 1.0,
    MetricType.RATIO: 0.1,
    MetricType.COUNT: 3.0,
    MetricType.THRESHOLD: 0.001,
    MetricType.ERROR_RATE: 0.002,
}
_ALMOST_ALL: Final = 0.9999


@dataclass(frozen=True, slots=True)
class Span:
    """The time between two looks, in seconds since the start."""

    from_s: float
    to_s: float

    @property
    def lasts_s(self) -> float:
        """How long it is."""
        return self.to_s - self.from_s


def usual_level(metric: Metric, expect: Expect) -> float:
    """Return the baseline's level: as expected, else a usual one; a slowness without limit is 1."""
    if metric.type is MetricType.LATENCY and metric.max_us is None:
        return 1.0
    known = (expect.levels or {}).get(metric.name)
    if known is not None:
        return known.mean
    if metric.type is MetricType.LATENCY:
        # A limit is usually kept with some room.
        return (1.0 - (metric.quantile or 0.0)) / 2
    return _USUAL[metric.type]


def metrics_of(policy: Policy, name: str) -> tuple[str, ...]:
    """Return the policy's metrics that an effect's name means; none when there is no such metric."""
    exact = tuple(metric.name for metric in policy.metrics if metric.name == name)
    if exact or name not in GROUPS:
        return exact
    if name == FALLBACK:
        return (FALLBACK,) if policy.resilience.falls_back else ()
    return tuple(
        metric.name
        for metric in policy.metrics
        if (name == PRIMARY and metric.role is Role.PRIMARY)
        or (name == ERRORS and metric.type is MetricType.ERROR_RATE)
        or (name == LATENCY and metric.type is MetricType.LATENCY)
    )


def left_out(policy: Policy, scenario: Scenario) -> tuple[str, ...]:
    """Return the kinds of metrics that a scenario speaks of and a policy has none of."""
    named = dict.fromkeys(effect.metric for effect in scenario.effects)
    return tuple(name for name in named if not metrics_of(policy, name))


def _aim(metric: Metric | None) -> float:
    """Return what `1x` of a metric is: its effect or margin, and of a goal the way that is better."""
    if metric is None:
        return 0.0
    is_less_better = metric.role is Role.PRIMARY and metric.direction is Direction.DECREASE
    return (metric.min_effect or metric.margin or 0.0) * (-1.0 if is_less_better else 1.0)


def begins_s(moment: Moment, entered_s: FloatArray) -> FloatArray:
    """Return when something begins in each replicate; `entered_s` [replicate, step] is infinite if ahead."""
    if moment.step is None:
        return np.full(len(entered_s), moment.after_s)
    if moment.step > entered_s.shape[1]:
        return np.full(len(entered_s), np.inf)
    return np.asarray(entered_s[:, moment.step - 1] + moment.after_s)


def activity(begins: FloatArray, ramp_s: float, lasts_s: float | None, span: Span) -> FloatArray:
    """Return how much of an effect a span sees, [replicate]: the part of it, times the ramp half-way."""
    ends = begins + (np.inf if lasts_s is None else lasts_s)
    overlap = np.clip(np.minimum(ends, span.to_s) - np.maximum(begins, span.from_s), 0.0, None)
    if ramp_s > 0:
        middle = (span.from_s + span.to_s) / 2
        overlap = overlap * np.clip((middle - begins) / ramp_s, 0.0, 1.0)
    return np.asarray(overlap / span.lasts_s)


class Levels:
    """The levels of one policy's metrics in one scenario."""

    def __init__(self, policy: Policy, scenario: Scenario) -> None:
        self._arms = policy.arms
        self._metrics = {metric.name: metric for metric in policy.metrics}
        self._usual = {metric.name: usual_level(metric, policy.expect) for metric in policy.metrics}
        self._usual[FALLBACK] = next(
            (self._usual[m.name] for m in policy.metrics if m.type is MetricType.ERROR_RATE), 0.001
        )
        self._most_fallback = policy.resilience.max_fallback
        self._effects: dict[str, list[Effect]] = {name: [] for name in self._usual}
        for effect in scenario.effects:
            for name in metrics_of(policy, effect.metric):
                self._effects[name].append(effect)
                if effect.metric != FALLBACK and self._is_errors(name) and policy.resilience.falls_back:
                    # A failed first attempt is answered by the baseline.
                    self._effects[FALLBACK].append(effect)

    def _is_errors(self, name: str) -> bool:
        return name in self._metrics and self._metrics[name].type is MetricType.ERROR_RATE

    def at(self, name: str, span: Span, entered_s: FloatArray) -> FloatArray:
        """Return a metric's level, [replicate, arm]."""
        level = np.full((len(entered_s), self._arms), self._usual[name])
        for effect in self._effects[name]:
            active = activity(begins_s(effect.begins, entered_s), effect.ramp_s, effect.lasts_s, span)
            felt = active[:, np.newaxis] * self._feels(effect)
            level += felt * (self._changed(name, effect, level) - level)
        metric = self._metrics.get(name)
        if metric is None or metric.type in _SHARES or metric.max_us is not None:
            level = np.minimum(level, _ALMOST_ALL)
        return level

    def is_harmful(self, name: str, level: FloatArray) -> BoolArray:
        """Return which arms [replicate, arm] are beyond what the policy allows, beside the baseline."""
        metric = self._metrics.get(name)
        if metric is None:
            return np.asarray((level > self._most_fallback) & (level > level[:, :1]))
        base, margin = level[:, :1], metric.margin or 0.0
        slack = 1e-9
        if metric.type is MetricType.THRESHOLD or metric.role is Role.OBSERVE:
            return np.zeros(level.shape, dtype=np.bool_)
        if metric.max_us is not None:
            return np.asarray((level > 1.0 - (metric.quantile or 0.0)) & (level > base))
        if metric.type is MetricType.ERROR_RATE:
            return np.asarray((level > (1.0 + margin) * base * (1 + slack)) & (level > (metric.floor or 0.0)))
        if metric.direction is Direction.INCREASE:
            return np.asarray(level < (1.0 - margin) * base * (1 - slack))
        return np.asarray(level > (1.0 + margin) * base * (1 + slack))

    def _feels(self, effect: Effect) -> FloatArray:
        felt = np.ones(self._arms)
        if not effect.is_shared:
            felt[0] = 0.0
            if effect.arm is not None:
                felt[1:] = np.arange(1, self._arms) == effect.arm
        return felt

    def _changed(self, name: str, effect: Effect, level: FloatArray) -> FloatArray:
        change = effect.change
        if change.level is not None:
            return np.full(level.shape, change.level)
        relative = change.relative
        if relative is None:
            relative = (change.aims or 0.0) * _aim(self._metrics.get(name))
        return level * max(1.0 + relative, 0.0)
