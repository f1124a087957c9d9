"""Policies to plan, and changes to them."""

from __future__ import annotations

from dataclasses import replace

from rollout.domain.look import Patience
from rollout.domain.plan.plan import Plan, plan
from rollout.domain.policy import (
    Level,
    Policy,
)
from rollout.policyfile.reading import parse
from tests.command import ROOT

CHURN = parse((ROOT / "tests" / "golden" / "plans" / "churn.yaml").read_text(encoding="utf-8"), "churn.yaml")
DAY_S = 86_400.0
POWER = 0.8


def made(policy: Policy) -> Plan:
    return plan(policy, Patience())


def expecting(policy: Policy, units: float | None = None, **levels: float) -> Policy:
    known = dict(policy.expect.levels or {}) | {name: Level(level) for name, level in levels.items()}
    found = replace(policy.expect, levels=known)
    return replace(policy, expect=found if units is None else replace(found, units_per_day=units))


def metric(policy: Policy, name: str, **changes: object) -> Policy:
    metrics = tuple(
        replace(one, **changes) if one.name == name else one  # type: ignore[arg-type]
        for one in policy.metrics
    )
    return replace(policy, metrics=metrics)


def last_hold(policy: Policy, **changes: float) -> Policy:
    last = policy.steps[-1]
    hold = replace(last.hold, **changes)  # type: ignore[arg-type]
    return replace(policy, steps=(*policy.steps[:-1], replace(last, hold=hold)))
