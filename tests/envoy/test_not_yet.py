"""What the proxy does not carry out yet is refused by name, and never ignored."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from rollout.domain.assignment import Placement, Split
from rollout.domain.policy import Condition, Hold, Layer, MirrorStep, Policy, Tls, Version
from rollout.domain.policy import Test as Asks
from rollout.envoy.not_yet import NOT_YET
from rollout.envoy.translate import translate
from rollout.errors import WrongTraffic
from tests.domain.examples import POLICY

# What says nothing to the proxy: it is read by the loop, the reports and the people.
OTHERS_READ_IT = {
    *("name", "owner", "metrics", "steps", "expect", "risk", "decide", "actions"),
    *("approvers", "watch_s", "advance", "notify"),
}
CARRIED_OUT = {"path", "baseline", "candidates", "unit_header", "salt", "resilience"}
POLICIES: dict[str, tuple[str, dict[str, Any]]] = {
    "host": ("route.host", {"host": "rank.example"}),
    "layer": ("assignment.layer", {"layer": Layer("retention", 5_000)}),
    "holdout_bp": ("assignment.holdout", {"holdout_bp": 200}),
    "match": ("assignment.match", {"match": (Condition("x-tier", Asks.PRESENT),)}),
    "mirror_steps": ("a mirror step", {"mirror_steps": (MirrorStep(1_000, Hold()),)}),
}
VERSIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "http2": ("http2", {"http2": True}),
    "tls": ("tls", {"tls": Tls()}),
    "headers": ("headers", {"headers": {"x-key": "1"}}),
    "credential": ("credential", {"credential": "churn-v2"}),
    "health_check": ("healthCheck", {"health_check": "/healthz"}),
}
SPLITS = {
    "stopped": ("a stopped arm", Split(1, stopped=frozenset({1}))),
    "winner": ("a promotion of one of several candidates", Split(is_promoted=True, winner=2)),
}


def refused(policy: Policy, split: Split | None = None) -> list[str]:
    with pytest.raises(WrongTraffic) as error:
        translate([Placement(policy, 1, split or Split())])
    return [problem.what for problem in error.value.problems]


@pytest.mark.parametrize("field", POLICIES)
def test_a_wish_of_the_policy_is_refused(field: str) -> None:
    name, changes = POLICIES[field]
    assert refused(replace(POLICY, **changes)) == [f"{name} {NOT_YET}"]


@pytest.mark.parametrize("field", VERSIONS)
@pytest.mark.parametrize("is_baseline", [True, False])
def test_a_way_to_call_a_version_is_refused(field: str, *, is_baseline: bool) -> None:
    name, changes = VERSIONS[field]
    version = replace(POLICY.baseline if is_baseline else POLICY.candidates[0], **changes)
    policy = replace(POLICY, **({"baseline": version} if is_baseline else {"candidates": (version,)}))
    assert refused(policy) == [f"{name} of version {version.version} {NOT_YET}"]


@pytest.mark.parametrize("field", SPLITS)
def test_a_split_is_refused(field: str) -> None:
    name, split = SPLITS[field]
    policy = replace(POLICY, candidates=POLICY.candidates * 2) if field == "winner" else POLICY
    assert refused(policy, split) == [f"{name} {NOT_YET}"]


def test_every_field_is_carried_out_refused_or_not_the_proxys() -> None:
    assert {field.name for field in fields(Policy)} == CARRIED_OUT | set(POLICIES) | OTHERS_READ_IT
    assert {field.name for field in fields(Version)} == {"version", "url"} | set(VERSIONS)
    # A mirror step that is on needs one in the policy, which is refused.
    carried_out = {"steps_on", "is_promoted", "is_released", "mirror_on"}
    assert {field.name for field in fields(Split)} == carried_out | set(SPLITS)


def test_two_hosts_may_have_one_path() -> None:
    one, other = (replace(POLICY, name=name, host=f"{name}.example") for name in ("one", "other"))
    with pytest.raises(WrongTraffic) as error:
        translate([Placement(one, 1, Split()), Placement(other, 1, Split())])
    assert len(error.value.problems) == 2
