"""The benchmark of many policies: what is measured really changed, and a goal that is missed is said."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench import traffic
from bench.traffic import Plan, Row, lines

ONE = Row(
    policies=1,
    translated_ms=0.5,
    first_ms=5.0,
    update_ms=5.0,
    step_cpu_ms=0.5,
    acknowledged_ms=2.0,
    effect_ms=2.0,
    renamed_ms=1.0,
    last=1.0,
    all=1.0,
    memory_mb=60.0,
    routes_kb=20.0,
    weights_kb=0.2,
)


@pytest.mark.parametrize(("effect_ms", "verdict"), [(19.9, "met"), (20.1, "**missed**")])
def test_the_goal_is_the_most_policies_s(effect_ms: float, verdict: str) -> None:
    found = lines([ONE, replace(ONE, policies=1_000, effect_ms=effect_ms)])
    assert found[:2] == [
        f"With 1,000 policies a request follows a step {effect_ms} ms after the call;",
        f"the goal of at most 20 ms is {verdict}.",
    ]
    assert any(f"{effect_ms} ms ({effect_ms / 2:.1f})" in line for line in found)


@pytest.mark.slow
def test_routes_grow_with_the_policies_and_a_step_leaves_them_alone() -> None:
    one, many = traffic.table(Plan(sizes=(1, 20), changes=2, updates=1, rounds=1, burst_s=0.3))
    assert many.routes_kb > 15 * one.routes_kb
    assert many.weights_kb < many.routes_kb / 50
    assert many.translated_ms > many.step_cpu_ms / 100
    assert min(one.last, one.all, many.last, many.all) > 0
