"""Any policy has a plan: every number is a number, and more traffic is never worse."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from rollout.domain.look import Patience
from rollout.domain.metric import Direction, Metric, MetricType, Role, Source
from rollout.domain.plan.plan import Plan, plan
from rollout.domain.policy import Expect, Hold, Level, MirrorStep, Opening, Policy, Resilience, Risk, Step
from rollout.render.plan_words import tables
from tests.domain.examples import POLICY

EXAMPLES = 60
DAY_S = 86_400.0
WINDOWS = st.sampled_from([5.0, 300.0, 3_600.0, DAY_S, 14 * DAY_S])
SHARES = st.one_of(st.sampled_from([0.0, 1e-6, 0.001, 0.01, 0.12, 0.5, 0.999]), st.floats(1e-5, 0.99))
EFFECTS = st.sampled_from([0.0005, 0.01, 0.05, 0.3])


@st.composite
def metrics(draw: st.DrawFn, name: str) -> Metric:
    """Return a metric that lint would let pass: its role has the keys it needs."""
    kind = draw(st.sampled_from(MetricType))
    is_proxy = kind in {MetricType.ERROR_RATE, MetricType.LATENCY}
    role = draw(st.sampled_from([Role.SLO] if kind is MetricType.THRESHOLD else list(Role)))
    found = Metric(
        name=name,
        role=role,
        source=Source.PROXY if is_proxy else Source.OUTCOMES,
        type=kind,
        direction=Direction.DECREASE if is_proxy else draw(st.sampled_from(Direction)),
        window_s=draw(WINDOWS),
    )
    return replace(found, **draw(limits(kind, role)))


def limits(kind: MetricType, role: Role) -> st.SearchStrategy[dict[str, Any]]:
    """Return what a metric of this kind and role compares with."""
    quantile = st.sampled_from([0.5, 0.95, 0.99, 0.9999])
    absolute = st.fixed_dictionaries({"quantile": quantile, "max_us": st.just(250_000)})
    margin, effect = (st.fixed_dictionaries({key: EFFECTS}) for key in ("margin", "min_effect"))
    match kind:
        case MetricType.ERROR_RATE:
            return st.fixed_dictionaries({"margin": EFFECTS, "floor": st.sampled_from([0.0, 0.001, 0.02])})
        case MetricType.LATENCY if role is Role.SLO:
            return absolute
        case MetricType.LATENCY:
            return absolute | st.fixed_dictionaries({"quantile": quantile, "margin": EFFECTS})
        case MetricType.THRESHOLD:
            return st.just({"maximum": 0.9, "interval_s": 30.0, "failure_limit": 3})
        case _:
            return margin | (st.just({}) if role is Role.GUARDRAIL else effect)


@st.composite
def levels(draw: st.DrawFn, metric: Metric) -> Level | None:
    if draw(st.integers(0, 4)) == 0:
        return None
    if metric.type in {MetricType.MEAN, MetricType.RATIO, MetricType.COUNT}:
        return Level(draw(st.floats(0.001, 1e6)), draw(st.none() | st.floats(0.001, 1e6)))
    share = draw(SHARES)
    return Level(max(share, 1e-4) if metric.type is MetricType.BINARY else share)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """Return a policy with any traffic, any levels and any steps."""
    found = [draw(metrics(f"m{number}")) for number in range(draw(st.integers(1, 3)))]
    known = {metric.name: level for metric in found if (level := draw(levels(metric))) is not None}
    candidates = draw(st.integers(1, 4))
    most = 10_000 // (candidates + 1)
    weights = sorted(set(draw(st.lists(st.integers(1, most), min_size=1, max_size=4))))
    holds = [
        Hold(for_s=draw(st.sampled_from([0.0, 60.0, DAY_S])), min_units=draw(st.sampled_from([0, 5, 10**6])))
        for _ in weights
    ]
    holds[-1] = replace(
        holds[-1], until_verdict=True, at_most_s=draw(st.sampled_from([60.0, DAY_S, 30 * DAY_S]))
    )
    hours = Opening(draw(st.sampled_from([(0,), (0, 3), (5, 6)])), 540, 960, "Europe/London")
    return replace(
        POLICY,
        candidates=POLICY.candidates * candidates,
        metrics=tuple(found),
        steps=tuple(Step(weight, hold) for weight, hold in zip(weights, holds, strict=True)),
        mirror_steps=(MirrorStep(1_000, Hold(for_s=60.0)),) if draw(st.booleans()) else (),
        expect=Expect(
            draw(st.none() | st.floats(0.1, 1e9)), draw(st.none() | st.floats(0.001, 1e6)), known or None
        ),
        resilience=Resilience(falls_back=draw(st.booleans())),
        risk=Risk(draw(st.sampled_from([0.001, 0.05, 0.4])), draw(st.sampled_from([0.001, 0.01]))),
        advance=hours if draw(st.booleans()) else None,
    )


def made(policy: Policy) -> Plan:
    return plan(policy, Patience())


@given(policies())
@settings(max_examples=EXAMPLES)
def test_any_policy_has_a_plan_of_numbers(policy: Policy) -> None:
    found = made(policy)
    # Refuses infinity and what is not a number.
    json.dumps(asdict(found), allow_nan=False)
    for metric in found.metrics:
        assert metric.chance is None or 0.0 <= metric.chance <= 1.0
        assert metric.units is None or metric.units > 0
        if metric.expected_s is not None and metric.longest_s is not None:
            assert 0 <= metric.expected_s <= metric.longest_s
        if metric.proves is not None and metric.proves_level and metric.limit is not None:
            assert 0 <= metric.proves <= metric.limit
    units = [step.units for step in found.steps if step.units is not None]
    assert units == sorted(units)
    for harm in (*(one.harm for one in found.metrics), *(one.disaster for one in found.steps)):
        if harm is not None and harm.exposed is not None:
            assert harm.exposed >= 0
            assert harm.off_s is None or math.isfinite(harm.off_s)
    for advice in found.advice:
        assert advice.what
        assert advice.remedy
        assert advice.path[0] == "spec"
    assert found.concludes is not (found.is_refused or bool(found.unknowns))
    for rows in tables(found).values():
        assert all(cell for row in rows for cell in row.values())


@given(policies(), st.floats(1.5, 100))
@settings(max_examples=EXAMPLES)
def test_more_traffic_is_never_worse(policy: Policy, times: float) -> None:
    """Without `minUnits`, which more traffic meets sooner: then the whole policy ends sooner too."""
    free = tuple(replace(step, hold=replace(step.hold, min_units=0)) for step in policy.steps)
    policy, expect = replace(policy, steps=free), policy.expect
    if expect.units_per_day is None:
        return
    rate = None if expect.requests_per_s is None else expect.requests_per_s * times
    more = replace(expect, units_per_day=expect.units_per_day * times, requests_per_s=rate)
    before, after = made(policy), made(replace(policy, expect=more))
    for few, many in zip(before.metrics, after.metrics, strict=True):
        if few.chance is not None and many.chance is not None:
            assert many.chance >= few.chance - 1e-6, few.name
        if few.expected_s is not None and many.expected_s is not None:
            assert many.expected_s <= few.expected_s * (1 + 1e-9) + 1e-6, few.name
