"""Assignment: a real Envoy and the Python twin agree on every request, and a twin that is wrong is caught."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from scipy import stats

from rollout.domain.assignment import Leaf, Placement, Split
from rollout.domain.buckets import HOLDOUT_SALT, bucket_of, layer_salt, seed_of
from rollout.domain.layers import allot
from rollout.domain.policy import WHOLE_BP, Hold, Layer, Step, Version
from rollout.envoy.proxy import Proxy
from rollout.envoy.publication import Acknowledged
from tests.domain.examples import POLICY
from tests.envoy.examples import logged, running
from tests.envoy.upstream import serving
from tests.envoy.users import Request, send
from tests.envoy.worlds import (
    Wanted,
    border_requests,
    random_placements,
    random_request,
    wanted,
    wrong_by_one_bucket,
)

WORLDS = 8
REQUESTS = 13_000
"""In each world: together more than 100,000."""
LEAVES = {*Leaf, "control", *(f"candidate{arm}" for arm in range(1, 5)), None}


def answered(proxy: Proxy, port: int, world: int, requests: Sequence[Request]) -> list[Wanted]:
    """Send the requests and return what was logged and answered for each."""
    numbered = [
        replace(request, headers={**request.headers, "x-request-id": f"{world}-{number}"})
        for number, request in enumerate(requests)
    ]
    answers = send(port, numbered)
    assert not [answer.body for answer in answers if answer.body], "a forged header reached a server"
    lines = {line.pop("id"): line for line in logged(proxy, len(requests))}
    proxy.rotate_log(f"world-{world}.log")
    found = []
    for number, answer in enumerate(answers):
        line = lines[f"{world}-{number}"]
        assert (answer.code, line["att"] or 0) == ((404, 0) if line["route"] is None else (200, 1))
        found.append(Wanted(line["route"], line["unit"], line["rev"], line["served"], answer.variant))
    return found


@pytest.mark.slow
def test_every_request_takes_the_route_of_the_twin(tmp_path: Path) -> None:
    visited, caught = Counter[str | None](), Counter[str]()
    with serving("all", is_brief=True) as upstream, running(tmp_path, attempt_log=True) as (proxy, port):
        for world in range(WORLDS):
            chance = random.Random(world)  # noqa: S311 (seeded on purpose)
            placements = random_placements(chance, upstream.url)
            assert isinstance(proxy.publish(placements), Acknowledged)
            borders = border_requests(placements)
            others = [random_request(chance, placements) for _ in range(REQUESTS - len(borders))]
            requests = borders + others
            results = answered(proxy, port, world, requests)
            for request, got in zip(requests, results, strict=True):
                assert got == wanted(placements, request), request
                visited[got.route and got.route.split("/")[1]] += 1
            for name, twin in wrong_by_one_bucket():
                wrongs = (wanted(placements, request, twin) for request in borders)
                caught[name] += sum(got != wrong for got, wrong in zip(results, wrongs, strict=False))
    assert visited.total() == WORLDS * REQUESTS
    assert set(visited) == LEAVES
    assert all(caught[name] > WORLDS for name, _ in wrong_by_one_bucket()), caught


def arms_of(port: int, proxy: Proxy, paths: Sequence[str], units: Sequence[str]) -> list[list[str]]:
    """Return, by path, what each unit's request was logged as, without the experiment."""
    send(port, [Request(path, {"x-user-id": unit}) for path in paths for unit in units])
    lines = logged(proxy, len(paths) * len(units))
    proxy.rotate_log(f"{lines[0]['ts']}.log")
    by_unit = {(line["route"].split("/")[0], line["unit"]): line["route"].split("/")[1] for line in lines}
    return [[by_unit.get((path.strip("/"), unit), Leaf.OUTSIDE) for unit in units] for path in paths]


@pytest.mark.parametrize("candidates", [1, 2, 4])
def test_users_never_move_between_arms_as_weights_grow(candidates: int, tmp_path: Path) -> None:
    top = WHOLE_BP // (candidates + 1)
    units = [f"user-{number}" for number in range(300)]
    with serving("all", is_brief=True) as upstream, running(tmp_path) as (proxy, port):
        versions = (Version("2", upstream.url),) * candidates
        weights = [top * part // 5 for part in range(1, 6)]
        policy = replace(
            POLICY,
            name="churn",
            baseline=Version("1", upstream.url),
            candidates=versions,
            steps=tuple(Step(weight, Hold()) for weight in weights),
        )
        before = [str(Leaf.REST)] * len(units)
        for step in range(1, len(weights) + 1):
            assert isinstance(proxy.publish([Placement(policy, 1, Split(step))]), Acknowledged)
            [now] = arms_of(port, proxy, ["/churn"], units)
            assert all(old in {new, Leaf.REST} for old, new in zip(before, now, strict=True))
            assert now != before
            before = now
        assert len(set(before) - {Leaf.REST}) == policy.arms


def test_policies_of_one_layer_never_share_a_user(tmp_path: Path) -> None:
    units = [f"user-{number}" for number in range(1_500)]
    with serving("all", is_brief=True) as upstream, running(tmp_path) as (proxy, port):
        placements: list[Placement] = []
        for name, share in (("one", 4_000), ("two", 3_500), ("three", 2_500)):
            policy = replace(
                POLICY,
                name=name,
                path=f"/{name}",
                salt=name,
                layer=Layer("page", share),
                baseline=Version("1", upstream.url),
                candidates=(Version("2", upstream.url),),
            )
            placements.append(Placement(policy, 1, Split(3), allot(policy, placements)))
        assert isinstance(proxy.publish(placements), Acknowledged)
        by_policy = arms_of(port, proxy, [placement.policy.path for placement in placements], units)
    owners = Counter(sum(arm != Leaf.OUTSIDE for arm in arms) for arms in zip(*by_policy, strict=True))
    assert owners == {1: len(units)}  # the three share all of the layer, and no user is in two
    assert all({"control", "candidate1"} <= set(arms) for arms in by_policy)


@pytest.mark.parametrize("salt", ["arm:churn-2026q4", HOLDOUT_SALT, layer_salt("search-page")])
def test_buckets_are_uniform(salt: str) -> None:
    """The units are fixed, so the statistics are: each is below what one seed in a thousand exceeds."""
    seed = seed_of(salt)
    counts = Counter(bucket_of(f"user-{number}", seed) for number in range(200_000))
    observed = [counts[bucket] for bucket in range(WHOLE_BP)]
    assert stats.chisquare(observed).pvalue > 0.001
    assert stats.chisquare([sum(observed[lo : lo + 100]) for lo in range(0, WHOLE_BP, 100)]).pvalue > 0.001


def test_two_salts_sort_independently() -> None:
    salts = [seed_of(salt) for salt in ("arm:a", "arm:b")]
    units = [f"user-{number}" for number in range(100_000)]
    halves = Counter(tuple(bucket_of(unit, seed) < WHOLE_BP // 2 for seed in salts) for unit in units)
    table = [[halves[one, other] for other in (False, True)] for one in (False, True)]
    assert stats.contingency.chi2_contingency(table).pvalue > 0.001
