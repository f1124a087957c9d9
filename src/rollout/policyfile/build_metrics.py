"""A checked metric of a file → the metric that the rest of the house reads."""

from __future__ import annotations

from typing import assert_never

from rollout.domain.metric import Direction, Metric, Role
from rollout.policyfile.metrics import (
    AnyMetric,
    Binary,
    CountOf,
    ErrorRate,
    Latency,
    Mean,
    OutcomeMetric,
    Ratio,
    Threshold,
)


def metric_of(shape: AnyMetric) -> Metric:
    """Return the metric that a file describes."""
    match shape:
        case Binary() | Mean() | Ratio() | CountOf():
            return _outcome(shape)
        case ErrorRate():
            return _error_rate(shape)
        case Latency():
            return Metric(
                name=shape.name,
                role=shape.role,
                source=shape.source,
                type=shape.type,
                direction=Direction.DECREASE,
                window_s=shape.window,
                quantile=shape.quantile,
                max_us=shape.max,
                margin=shape.margin,
            )
        case Threshold():
            return _threshold(shape)
    assert_never(shape)


def _outcome(shape: OutcomeMetric) -> Metric:
    ratio = shape if isinstance(shape, Ratio) else None
    return Metric(
        name=shape.name,
        role=shape.role,
        source=shape.source,
        type=shape.type,
        direction=shape.direction or Direction.INCREASE,
        window_s=shape.window,
        min_effect=shape.min_effect,
        margin=shape.margin,
        cap=shape.cap if isinstance(shape, Mean) else None,
        numerator=ratio.numerator if ratio else None,
        denominator=ratio.denominator if ratio else None,
        pre_window_s=shape.covariate.pre_window if shape.covariate else None,
    )


def _error_rate(shape: ErrorRate) -> Metric:
    is_judged = shape.role is not Role.OBSERVE
    return Metric(
        name=shape.name,
        role=shape.role,
        source=shape.source,
        type=shape.type,
        direction=Direction.DECREASE,
        window_s=shape.window,
        margin=shape.margin if is_judged else None,
        floor=shape.floor if is_judged else None,
    )


def _threshold(shape: Threshold) -> Metric:
    """Return a polled metric; as long as the polls that decide take, so long is its window."""
    only_least = shape.max is None and shape.min is not None
    return Metric(
        name=shape.name,
        role=shape.role,
        source=shape.source,
        type=shape.type,
        direction=Direction.INCREASE if only_least else Direction.DECREASE,
        window_s=shape.interval * shape.failure_limit,
        query=shape.query,
        maximum=shape.max,
        minimum=shape.min,
        interval_s=shape.interval,
        failure_limit=shape.failure_limit,
    )
