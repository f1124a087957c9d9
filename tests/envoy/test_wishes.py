"""Every word of a policy and of a split is carried out: whatever the proxy should hear changes a file."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from rollout.domain.assignment import Placement, Split
from rollout.domain.buckets import Range
from rollout.domain.policy import Condition, Hold, Layer, MirrorStep, Policy, Resilience, Step, Tls, Version
from rollout.domain.policy import Test as Asks
from rollout.envoy.document import Kind
from rollout.envoy.translate import translate
from rollout.envoy.upstreams import Upstreams
from tests.domain.examples import POLICY

UPSTREAMS = Upstreams({"internal": "ca.pem"}, "public.pem", {"churn": "churn.json"})
# What says nothing to the proxy: it is read by the loop, the reports and the people.
OTHERS_READ_IT = {
    "owner",
    "metrics",
    "expect",
    "risk",
    "decide",
    "actions",
    "approvers",
    "watch_s",
    "advance",
    "notify",
}
POLICIES: dict[str, tuple[Any, set[Kind]]] = {
    "name": ("other", set(Kind)),
    "path": ("/other", {Kind.ROUTES}),
    "host": ("rank.example", {Kind.ROUTES}),
    "unit_header": ("x-account", {Kind.ROUTES}),
    "salt": ("other", {Kind.ROUTES}),
    "steps": ((Step(200, Hold()), *POLICY.steps[1:]), {Kind.ROUTES}),
    "layer": (Layer("retention", 5_000), {Kind.ROUTES}),
    "holdout_bp": (200, {Kind.ROUTES}),
    "match": ((Condition("x-tier", Asks.PRESENT),), {Kind.ROUTES}),
    "mirror_steps": ((MirrorStep(1_000, Hold()),), {Kind.ROUTES}),
    "resilience": (Resilience(timeout_s=9), {Kind.ROUTES}),
    "baseline": (Version("1", "http://127.0.0.1:8009"), {Kind.CLUSTERS}),
    "candidates": (POLICY.candidates * 2, {Kind.CLUSTERS, Kind.ROUTES}),
}
VERSIONS: dict[str, tuple[Any, set[Kind]]] = {
    "version": ("a new name", set()),
    "url": ("https://localhost", {Kind.CLUSTERS}),
    "http2": (True, {Kind.CLUSTERS}),
    "tls": (Tls("internal", "churn.example"), {Kind.CLUSTERS}),
    "headers": ({"x-key": "1"}, {Kind.CLUSTERS, Kind.ROUTES}),
    "credential": ("churn", {Kind.CLUSTERS, Kind.ROUTES}),
    "health_check": ("/healthz", {Kind.CLUSTERS}),
}
TWO = replace(POLICY, candidates=POLICY.candidates * 2, mirror_steps=(MirrorStep(1_000, Hold()),))
SPLITS: dict[str, tuple[Split, Split]] = {
    "steps_on": (Split(1), Split(2)),
    "is_promoted": (Split(1), Split(1, is_promoted=True)),
    "winner": (Split(is_promoted=True), Split(is_promoted=True, winner=2)),
    "stopped": (Split(1), Split(1, stopped=frozenset({1}))),
    "mirror_on": (Split(), Split(mirror_on=1)),
    "is_released": (Split(is_promoted=True), Split(is_promoted=True, is_released=True)),
}


def changed(before: Placement, after: Placement) -> set[Kind]:
    one, other = translate([before], UPSTREAMS), translate([after], UPSTREAMS)
    return {kind for kind in Kind if one.of_kind(kind) != other.of_kind(kind)}


def test_every_word_is_somebodys() -> None:
    assert {field.name for field in fields(Policy)} == OTHERS_READ_IT | set(POLICIES)
    assert {field.name for field in fields(Version)} == set(VERSIONS)
    assert {field.name for field in fields(Split)} == set(SPLITS)
    assert {field.name for field in fields(Placement)} == {"policy", "revision", "split", "layer_range"}


@pytest.mark.parametrize("field", POLICIES)
def test_a_policy_is_carried_out(field: str) -> None:
    value, kinds = POLICIES[field]
    split = Split(1)
    assert (
        changed(Placement(POLICY, 1, split), Placement(replace(POLICY, **{field: value}), 1, split)) == kinds
    )


@pytest.mark.parametrize("field", VERSIONS)
@pytest.mark.parametrize("is_baseline", [True, False])
def test_a_version_is_called_as_it_asks(field: str, *, is_baseline: bool) -> None:
    value, kinds = VERSIONS[field]
    before = Version("1", "https://localhost:8443" if field == "tls" else "http://localhost:8443")
    after = replace(before, **{field: value})
    policies = [
        replace(POLICY, **{"baseline": one} if is_baseline else {"candidates": (one,)})
        for one in (before, after)
    ]
    assert changed(*(Placement(policy, 1, Split()) for policy in policies)) == kinds


@pytest.mark.parametrize("field", SPLITS)
def test_a_split_changes_the_weights_alone(field: str) -> None:
    before, after = SPLITS[field]
    assert changed(Placement(TWO, 1, before), Placement(TWO, 1, after)) == {Kind.WEIGHTS}


def test_a_revision_is_another_run_and_a_range_another_tree() -> None:
    policy = replace(POLICY, layer=Layer("retention", 5_000))
    first = Placement(policy, 1, Split(1), Range(0, 5_000))
    assert changed(first, replace(first, revision=2)) == set(Kind)
    assert changed(first, replace(first, layer_range=Range(5_000, 10_000))) == {Kind.ROUTES}
    assert changed(first, replace(first, layer_range=None)) == {Kind.ROUTES}
