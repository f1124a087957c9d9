"""A step, a promotion and a rollback: the weights alone change, and every request follows."""

from __future__ import annotations

from pathlib import Path

from rollout.domain.assignment import CONTROL, Placement, assign
from rollout.envoy.document import Kind
from rollout.envoy.publication import Acknowledged
from tests.envoy.examples import placed, policy_for, running, until
from tests.envoy.upstream import serving
from tests.envoy.users import Answer, Request, send

UNITS = [f"user-{number}" for number in range(400)]
REQUESTS = [Request("/churn", {"x-user-id": unit}) for unit in UNITS]


def arm_of(placement: Placement, unit: str) -> str:
    arm = assign(placement, unit).split("/")[1]
    return {"promoted": "candidate1", "rest": CONTROL, "holdback": CONTROL}.get(arm, arm)


def all_as(placement: Placement, answers: list[Answer]) -> bool:
    return all(
        answer.code == 200 and answer.variant == answer.seen["name"] == arm_of(placement, unit)
        for unit, answer in zip(UNITS, answers, strict=True)
    )


def inodes(folder: Path) -> dict[Kind, int]:
    return {kind: (folder / kind.file_name).stat().st_ino for kind in Kind}


def test_only_the_weights_are_written_and_they_take_effect(tmp_path: Path) -> None:
    with (
        serving(CONTROL) as baseline,
        serving("candidate1") as candidate,
        running(tmp_path) as (proxy, port),
    ):
        policy = policy_for(baseline.url, candidate.url)
        assert isinstance(proxy.publish([placed(policy)]), Acknowledged)
        before = inodes(tmp_path)
        for split in (
            placed(policy, 1),
            placed(policy, 2),
            placed(policy, 3),
            placed(policy, 3, is_promoted=True),
            placed(policy),  # a rollback
        ):
            result = proxy.publish([split])
            assert isinstance(result, Acknowledged)
            assert result.live.splits.get((policy.name, 1), placed(policy).split) == split.split
            # A worker may be busy with a request when the weights reach it.
            assert until(lambda split=split: all_as(split, send(port, REQUESTS)))  # type: ignore[misc]
            after = inodes(tmp_path)
            assert {kind for kind in Kind if after[kind] != before[kind]} == {Kind.WEIGHTS}
            before = after


def test_a_new_revision_begins_all_baseline(tmp_path: Path) -> None:
    with (
        serving(CONTROL) as baseline,
        serving("candidate1") as candidate,
        running(tmp_path) as (proxy, port),
    ):
        policy = policy_for(baseline.url, candidate.url)
        proxy.publish([placed(policy, 3)])
        result = proxy.publish([placed(policy, revision=2)])
        assert isinstance(result, Acknowledged)
        assert not result.live.splits
        answers = send(port, REQUESTS)
        assert {answer.seen["name"] for answer in answers} == {CONTROL}


def test_headers_of_ours_are_taken_from_clients_and_answered_by_us(tmp_path: Path) -> None:
    forged = {
        "x-rollout-variant": "forged",
        "X-Rollout-Unit": "forged",
        "x-rollout-force": "candidate1",
        "x-envoy-upstream-rq-timeout-ms": "1",
        "x-envoy-max-retries": "9",
    }
    with serving(CONTROL, delay_s=0.02) as baseline, running(tmp_path) as (proxy, port):
        policy = policy_for(baseline.url, baseline.url)
        proxy.publish([placed(policy, 1)])
        for unit in ({"x-user-id": "somebody"}, {}):
            answer = send(port, [Request("/churn", forged | unit)])[0]
            assert answer.code == 200
            assert answer.variant == CONTROL
            seen = {
                name: value for name, value in answer.seen["headers"].items() if name.startswith("x-rollout-")
            }
            named = {"x-rollout-unit": "somebody"} if unit else {}
            assert seen == {"x-rollout-variant": CONTROL} | named
            assert "x-envoy-max-retries" not in answer.seen["headers"]
