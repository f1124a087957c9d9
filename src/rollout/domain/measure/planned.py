"""What is frozen before the start: the information at which each test is tightest."""

from __future__ import annotations

from rollout.domain.metric import Metric, MetricType
from rollout.domain.policy import Level, Policy
from rollout.stats import means, planning

_SHARES = frozenset({MetricType.BINARY, MetricType.ERROR_RATE})
_VALUES = frozenset({MetricType.MEAN, MetricType.RATIO, MetricType.COUNT})


def planned_information(policy: Policy, metric: Metric) -> float:
    """Return W*, frozen before the start: from what is expected of the baseline, else a round number."""
    level = (policy.expect.levels or {}).get(metric.name)
    effect = metric.min_effect if metric.min_effect is not None else metric.margin
    variance = None if level is None else _variance(metric.type, level)
    if level is None or not effect or variance is None:
        return means.PLANNED_INFORMATION
    needed = planning.sequential_information(
        effect * level.mean,
        variance=planning.contrast_variance(variance, variance),
        alpha=policy.risk.wrong_promotion,
    )
    return float(needed)


def _variance(kind: MetricType, level: Level) -> float | None:
    """Return the variance of one unit's value, or None where the expectation does not tell it."""
    if kind in _SHARES and 0.0 < level.mean < 1.0:
        return level.mean * (1.0 - level.mean)
    if kind in _VALUES and level.deviation and level.mean:
        return level.deviation**2
    return None
