"""A small valid policy, and changes to it, for every test of the domain."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from rollout.domain.metric import Direction, Metric, MetricType, Role, Source
from rollout.domain.policy import Hold, Policy, Step, Version

HOUR_S: Final = 3600.0

POLICY: Final = Policy(
    name="churn-v2",
    owner="growth-ml",
    path="/churn",
    baseline=Version("1.4.2", "http://127.0.0.1:8001"),
    candidates=(Version("2.0.0", "http://127.0.0.1:8002"),),
    unit_header="x-user-id",
    salt="churn-2026q4",
    metrics=(
        Metric(
            name="converted",
            role=Role.PRIMARY,
            source=Source.OUTCOMES,
            type=MetricType.BINARY,
            direction=Direction.INCREASE,
            window_s=24 * HOUR_S,
            min_effect=0.05,
        ),
        Metric(
            name="errors",
            role=Role.GUARDRAIL,
            source=Source.PROXY,
            type=MetricType.ERROR_RATE,
            direction=Direction.DECREASE,
            window_s=600.0,
            margin=0.10,
            floor=0.001,
        ),
        Metric(
            name="p99",
            role=Role.SLO,
            source=Source.PROXY,
            type=MetricType.LATENCY,
            direction=Direction.DECREASE,
            window_s=600.0,
            quantile=0.99,
            max_us=250_000,
        ),
    ),
    steps=(
        Step(100, Hold(for_s=0.5 * HOUR_S, min_units=500)),
        Step(1_000, Hold(for_s=12 * HOUR_S)),
        Step(5_000, Hold(until_verdict=True, at_most_s=14 * 24 * HOUR_S)),
    ),
)


def with_weights(*weights_bp: int) -> Policy:
    """Return the policy with other weight steps."""
    return replace(POLICY, steps=tuple(Step(weight, Hold()) for weight in weights_bp))
