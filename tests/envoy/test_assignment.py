"""Assignment: a real Envoy and the Python twin agree on every request."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from rollout.domain.assignment import (
    HOLD_BACK_BUCKETS,
    Leaf,
    Placement,
    Split,
    arm_seed,
    assign,
    blocks,
    leaf_name,
    owner_of,
)
from rollout.domain.buckets import bucket_of
from rollout.domain.policy import WHOLE_BP, Hold, Policy, Step, Version
from rollout.envoy.publication import Acknowledged
from tests.domain.examples import POLICY
from tests.envoy.examples import logged, running
from tests.envoy.upstream import serving
from tests.envoy.users import Request, send

PATHS = ("/a", "/ab", "/a/b", "/a/b/c/", "/churn", "/churn-x", "/rank/v1", "/")
ENDINGS = ("", "", "/", "/x", "?q=1", "/y/z?q=/a", "/b", "x", "-x", "/bc", "/b/c?x")
UNIT_HEADERS = ("x-user-id", "X-Account")
REQUESTS = 12_000


def random_placement(chance: random.Random, path: str, url: str) -> Placement:
    candidates = chance.choice((1, 1, 1, 2, 3))
    weights = sorted(chance.sample(range(1, WHOLE_BP // (candidates + 1) + 1), chance.randint(1, 6)))
    name = f"model{PATHS.index(path)}"
    policy = replace(
        POLICY,
        name=name,
        path=path,
        salt=f"{name}-salt",
        baseline=Version("1", url),
        candidates=(Version("2", url),) * candidates,
        unit_header=chance.choice(UNIT_HEADERS),
        steps=tuple(Step(weight, Hold()) for weight in weights),
    )
    is_promoted = candidates == 1 and chance.random() < 0.4
    is_released = is_promoted and chance.random() < 0.5
    split = Split(chance.randint(0, len(weights)), is_promoted=is_promoted, is_released=is_released)
    return Placement(policy, chance.randint(1, 9), split)


def border_units(policy: Policy) -> list[str]:
    """Return units whose bucket lies on either side of a border between blocks."""
    edges = {edge for block in blocks(policy) for edge in (block.lo, block.hi)} | {0, HOLD_BACK_BUCKETS}
    borders = {bucket % WHOLE_BP for edge in edges for bucket in (edge - 1, edge)}
    return [unit for unit in map(str, range(30_000)) if bucket_of(unit, arm_seed(policy)) in borders]


def random_unit(chance: random.Random) -> str | None:
    rare = ("", " ", "\t", " \t ", None, f"ü{chance.randrange(999)}é 漢", f"a b\t{chance.randrange(99)}")
    usual = (
        f"user-{chance.randrange(10**6)}",
        f" \t{chance.randrange(10**9)} ",
        "x" * chance.randint(1, 3000),
    )
    return chance.choice(chance.choice((rare, usual, usual)))


def random_request(chance: random.Random, placements: tuple[Placement, ...]) -> Request:
    units = {header: random_unit(chance) for header in UNIT_HEADERS}
    path = chance.choice([placement.policy.path for placement in placements] + ["/none", "/a", "/churn"])
    return Request(
        "/" + (path.rstrip("/") + chance.choice(ENDINGS)).lstrip("/"),
        {header: unit for header, unit in units.items() if unit is not None},
    )


def expected(
    placements: tuple[Placement, ...], request: Request
) -> tuple[str | None, str | None, str | None]:
    """Return the route, the unit and the variant by the twin."""
    owner = owner_of(placements, request.path)
    if owner is None:
        return None, None, None
    unit = request.headers.get(owner.policy.unit_header)
    route = assign(owner, unit)
    outside = route == leaf_name(owner.policy, Leaf.OUTSIDE)
    arm = route.split("/")[1]
    variant = "candidate1" if arm == Leaf.PROMOTED else arm if route.count("/") == 2 else "control"
    named = None if outside or unit is None else unit.strip(" \t") or None
    return route, named, variant


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "paths"), [(3, PATHS), (4, PATHS[:-1])], ids=["with a root", "without"])
def test_every_request_takes_the_route_of_the_twin(seed: int, paths: tuple[str, ...], tmp_path: Path) -> None:
    chance = random.Random(seed)  # noqa: S311 (seeded on purpose)
    with serving("all") as upstream, running(tmp_path) as (proxy, port):
        placements = tuple(random_placement(chance, path, upstream.url) for path in paths)
        drawn = {(placement.split.is_promoted, placement.split.is_released) for placement in placements}
        assert drawn == {(False, False), (True, False), (True, True)}
        assert isinstance(proxy.publish(placements), Acknowledged)
        borders = [
            Request(placement.policy.path, {placement.policy.unit_header: unit})
            for placement in placements
            for unit in border_units(placement.policy)
        ]
        requests = [random_request(chance, placements) for _ in range(REQUESTS)] + borders
        answers = send(port, requests)
        lines = logged(proxy, len(requests))
    wanted = [expected(placements, request) for request in requests]
    variants = [answer.variant for answer in answers]
    assert variants == [variant for _, _, variant in wanted]
    assert Counter((line["route"], line["unit"]) for line in lines) == Counter(
        (route, unit) for route, unit, _ in wanted
    )
    assert {answer.code for answer in answers} == ({200} if "/" in paths else {200, 404})
    assert len(borders) > 100
