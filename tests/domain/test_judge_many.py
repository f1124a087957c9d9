"""Many replicates judged in one call: each gets what it would get alone, whatever is asked of it."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollout.domain.evidence import Evidence
from rollout.domain.experiment import Experiment
from rollout.domain.judge import Patience, judge, judge_many
from rollout.domain.metric import Direction, MetricType, Role
from rollout.domain.policy import Hold, MirrorStep, Policy
from rollout.domain.verdict import Finding
from tests.domain.batches import CTR, EVERYTHING, GPU, P95, REVENUE, VISITS, Draws, drawn_runs, metric, only
from tests.domain.scenes import EXPERIMENT, NOW_US

REPLICATES = 5
"""No other axis is as long, so that a replicate can be cut out of any array."""
PATIENCE = Patience()
MIRRORED = replace(EVERYTHING, mirror_steps=(MirrorStep(1_000, Hold()),))
NO_PROMISES = replace(
    EVERYTHING,
    metrics=(
        metric("clicked", Role.GUARDRAIL, MetricType.BINARY, direction=Direction.DECREASE),
        metric("paid", Role.PRIMARY, MetricType.BINARY, margin=0.02),
        replace(CTR, role=Role.PRIMARY, min_effect=0.02),
        replace(VISITS, role=Role.OBSERVE, direction=Direction.DECREASE),
        replace(REVENUE, pre_window_s=None, margin=None),
        replace(P95, role=Role.OBSERVE),
        replace(GPU, role=Role.OBSERVE),
    ),
    resilience=replace(EVERYTHING.resilience, falls_back=False),
)
"""Roles and types the other way round."""


def renamed(evidence: Evidence, policy: Policy) -> Evidence:
    """Return the same evidence under the names that another policy has for it."""
    names = {"converted": [one.name for one in policy.metrics if one.type is MetricType.BINARY]}
    arms = []
    for arm in evidence.arms:
        parts: dict[str, Any] = {}
        for field in ("binary", "means", "errors", "limits", "latencies", "polls"):
            known = getattr(arm, field)
            parts[field] = {new: one for old, one in known.items() for new in names.get(old, [old])}
        arms.append(replace(arm, **parts))
    return replace(evidence, arms=tuple(arms))


def forgetful(evidence: Evidence, names: set[str]) -> Evidence:
    """Return the same look, at which some metrics were not measured."""
    arms = [
        replace(
            arm,
            **{
                field: {name: one for name, one in getattr(arm, field).items() if name not in names}
                for field in ("binary", "means", "errors", "limits", "latencies", "polls")
            },
            fallbacks=None if "fallback" in names else arm.fallbacks,
            mirrored=None if "mirror" in names else arm.mirrored,
        )
        for arm in evidence.arms
    ]
    return replace(evidence, arms=tuple(arms))


def assert_alike(found: Any, wanted: Any) -> None:  # noqa: ANN401 (any part of a judgement)
    """Compare two judgements to the last few bits, and everything but numbers exactly."""
    match wanted:
        case float():
            assert found == pytest.approx(wanted, rel=1e-9, abs=1e-12)
        case tuple():
            assert len(found) == len(wanted)
            for one, other in zip(found, wanted, strict=True):
                assert_alike(one, other)
        case dict():
            assert set(found) == set(wanted)
            for name in wanted:
                assert_alike(found[name], wanted[name])
        case _ if hasattr(wanted, "__dataclass_fields__"):
            for field in fields(wanted):
                assert_alike(getattr(found, field.name), getattr(wanted, field.name))
        case _:
            assert found == wanted
            assert type(found) is type(wanted)


def looked_at(policy: Policy, seed: int, lost: set[str]) -> tuple[tuple[Experiment, ...], Evidence]:
    """Return runs of a policy, and what is known of them, without what was lost."""
    draws = Draws(np.random.default_rng(seed), REPLICATES)
    return drawn_runs(draws, policy), forgetful(renamed(draws.look(policy), policy), lost)


@settings(max_examples=30)
@given(
    st.sampled_from([EVERYTHING, MIRRORED, NO_PROMISES]),
    st.integers(0, 2**32),
    st.sets(st.sampled_from([*(one.name for one in EVERYTHING.metrics), "fallback", "mirror"]), max_size=3),
)
def test_all_at_once_is_each_alone(policy: Policy, seed: int, lost: set[str]) -> None:
    runs, seen = looked_at(policy, seed, lost)
    together = judge_many(runs, seen, NOW_US, PATIENCE)
    alone = [
        judge(run, only(seen, number, replicates=REPLICATES), NOW_US, PATIENCE)
        for number, run in enumerate(runs)
    ]
    assert_alike(together, tuple(alone))


def test_the_draws_reach_every_finding_of_every_type() -> None:
    seen: dict[MetricType, set[Finding]] = {kind: set() for kind in MetricType}
    reached: set[str] = set()
    for policy in (EVERYTHING, MIRRORED, NO_PROMISES):
        types = {one.name: one.type for one in policy.metrics}
        for seed in range(20):
            for look in judge_many(
                *looked_at(policy, seed, {"visits"} if seed == 1 else set()), NOW_US, PATIENCE
            ):
                for verdict in (*look.verdicts, *look.observed):
                    if verdict.metric in types:
                        seen[types[verdict.metric]].add(verdict.finding)
                    reached |= {"immature"} if verdict.is_immature else set()
                    reached |= {"outage"} if verdict.is_outage else set()
                reached |= {"observed"} if look.observed else set()
                reached |= set() if look.split_holds else {"mismatch"}
                reached |= set() if look.evidence_is_fresh else {"stale"}
                reached |= {"failing shadow"} if any(one.is_failing for one in look.mirrors) else set()
    assert reached >= {"immature", "outage", "observed", "mismatch", "stale", "failing shadow"}
    for kind in MetricType:
        assert {Finding.UNCLEAR, Finding.HARMED} <= seen[kind], kind
        assert seen[kind] & {Finding.SAFE, Finding.BETTER}, kind


def test_no_runs_are_no_judgements() -> None:
    draws = Draws(np.random.default_rng(1), 1)
    assert judge_many((), draws.look(EVERYTHING), NOW_US, PATIENCE) == ()


def test_runs_of_different_policies_are_refused() -> None:
    draws = Draws(np.random.default_rng(1), 2)
    runs = (replace(EXPERIMENT, policy=EVERYTHING), replace(EXPERIMENT, policy=MIRRORED))
    with pytest.raises(ValueError, match="must all have the same policy"):
        judge_many(runs, draws.look(EVERYTHING), NOW_US, PATIENCE)
