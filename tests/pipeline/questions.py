"""The policies of the traps: few metrics, so that each decision is about one of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from rollout.domain.metric import Direction, Metric, MetricType, Role, Source
from rollout.domain.policy import Expect, Hold, Level, Policy, Resilience, Risk, Step
from tests.domain.examples import POLICY

LIMIT_US: Final = 250_000
SLOW_US: Final = 2 * LIMIT_US
RISK: Final = Risk()
MISMATCH_ALPHA: Final = 0.001
ERRORS: Final = "errors"
SLOW: Final = "slow"
SLOWER: Final = "slower"


def goal(window_s: float, *, min_effect: float = 0.5) -> Metric:
    """Return the goal that more units have an outcome; its name becomes the experiment's.

    The effect that it is planned for sets where its test is tightest: about where a world ends.
    """
    return Metric(
        *("goal", Role.PRIMARY, Source.OUTCOMES, MetricType.BINARY, Direction.INCREASE, window_s),
        min_effect=min_effect,
    )


def value(window_s: float, *, min_effect: float) -> Metric:
    """Return the goal that units' outcomes are worth more in all."""
    return replace(goal(window_s, min_effect=min_effect), type=MetricType.MEAN)


def errors(window_s: float, *, margin: float, floor: float) -> Metric:
    """Return the guardrail on errors."""
    return Metric(
        *(ERRORS, Role.GUARDRAIL, Source.PROXY, MetricType.ERROR_RATE, Direction.DECREASE, window_s),
        margin=margin,
        floor=floor,
    )


def limit(window_s: float, *, share: float) -> Metric:
    """Return the limit that at most this share of the answers may exceed."""
    return Metric(
        *(SLOW, Role.SLO, Source.PROXY, MetricType.LATENCY, Direction.DECREASE, window_s),
        quantile=1.0 - share,
        max_us=LIMIT_US,
    )


def slower(window_s: float, *, quantile: float, margin: float) -> Metric:
    """Return the guardrail on answers slower than the baseline's; `level` is its quantile, then."""
    return Metric(
        *(SLOWER, Role.GUARDRAIL, Source.PROXY, MetricType.LATENCY, Direction.DECREASE, window_s),
        quantile=quantile,
        margin=margin,
    )


def policy_of(
    rng: np.random.Generator, weights_bp: tuple[int, ...], *metrics: Metric, level: float | Level = 0.2
) -> Policy:
    """Return a policy whose name, route, salt and goal are drawn: no two have the same buckets."""
    name = f"trap-{rng.integers(2**48):012x}"
    expected = level if isinstance(level, Level) else Level(level)
    return replace(
        POLICY,
        name=name,
        path=f"/{name}",
        salt=name,
        metrics=tuple(replace(one, name=name) if one.source is Source.OUTCOMES else one for one in metrics),
        steps=tuple(Step(weight, Hold()) for weight in weights_bp),
        resilience=Resilience(falls_back=False),
        expect=Expect(levels=dict.fromkeys((name, SLOWER), expected)),
        risk=RISK,
    )
