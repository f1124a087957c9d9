"""Random worlds: what policies may ask for, all of it mixed, and requests that try to be sorted wrongly."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from rollout.domain.assignment import (
    HOLD_BACK_BUCKETS,
    Block,
    Leaf,
    Placement,
    Split,
    arm_name,
    arm_seed,
    blocks,
    owner_of,
    place_of,
    server_of,
)
from rollout.domain.buckets import HOLDOUT_SALT, Range, bucket_of, layer_salt, seed_of
from rollout.domain.policy import WHOLE_BP, Condition, Hold, Layer, MirrorStep, Policy, Step, Version
from rollout.domain.policy import Test as Asks
from rollout.envoy.clusters import cluster_name
from tests.domain.examples import POLICY
from tests.envoy.users import Request

PATHS: Final = ("/a", "/ab", "/a/b", "/a/b/c/", "/churn", "/churn-x", "/rank/v1", "/")
PLACES: Final = (
    *((None, path) for path in PATHS),
    *(("one.example", path) for path in ("/", "/a", "/a/b")),
    ("Two.example", "/churn"),
)
ENDINGS: Final = ("", "", "/", "/x", "?q=1", "/y/z?q=/a", "/b", "x", "-x", "/bc", "/b/c?x")
HOSTS: Final = ("one.example", "ONE.example", "two.example", *("other.example",) * 5)
PORTS: Final = ("", "", "", ":80", ":8443", ":", ":80:90", ":x", ".")
UNIT_HEADERS: Final = ("x-user-id", "X-Account")
ASKED: Final[Mapping[str, tuple[str, ...]]] = {
    "x-tier": ("free", "pro", "gold", "Pro", "", "free,pro"),
    "x-client": ("ios/17", "android/14", "ios", "web", ""),
    "x-beta": ("1", ""),
    "x-bot": ("yes", ""),
}
CONDITIONS: Final = (
    Condition("x-tier", Asks.IN, ("free", "pro")),
    Condition("X-Tier", Asks.IN, ("gold",)),
    Condition("x-client", Asks.PREFIX, ("ios", "android")),
    Condition("x-beta", Asks.PRESENT),
    Condition("x-bot", Asks.ABSENT),
)
FORGED: Final = {"x-rollout-variant": "forged", "X-Rollout-Unit": "forged", "x-rollout-force": "forged"}
UNITS: Final = tuple(str(number) for number in range(8_000))
PlaceOf: TypeAlias = Callable[[Placement, str | None, Mapping[str, str]], Block | Leaf]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the twin says that Envoy will log and answer; nothing, where a path is nobody's."""

    route: str | None = None
    unit: str | None = None
    revision: str | None = None
    served: str | None = None
    variant: str | None = None


def random_placements(chance: random.Random, url: str) -> tuple[Placement, ...]:
    """Return one policy for most of the places, each in some state of its life."""
    ends = {"blue": 0, "green": 0}
    places = [place for place in PLACES if chance.random() < 0.85]
    return tuple(_placement(chance, f"m{number}", place, url, ends) for number, place in enumerate(places))


def border_requests(placements: Sequence[Placement]) -> list[Request]:
    """Return requests of units on either side of every border of every policy."""
    return [request for placement in placements for request in _at_borders(placement)]


def random_request(chance: random.Random, placements: Sequence[Placement]) -> Request:
    """Return a request of anybody to anything, often to some policy."""
    placement = chance.choice(placements)
    path = chance.choice((placement.policy.path, "/none", "/a", "/churn", *(placement.policy.path,) * 5))
    host = placement.policy.host if placement.policy.host and chance.random() < 0.8 else chance.choice(HOSTS)
    return Request(
        "/" + (path.rstrip("/") + chance.choice(ENDINGS)).lstrip("/"),
        headers := _headers(chance, placement.policy),
        host + chance.choice(PORTS),
        tuple((name, chance.choice(("again", "pro", ""))) for name in headers if chance.random() < 0.01),
    )


def wanted(placements: Sequence[Placement], request: Request, twin: PlaceOf = place_of) -> Wanted:
    """Return what becomes of a request by the twin."""
    owner = owner_of(placements, request.path, request.host)
    if owner is None:
        return Wanted()
    headers = as_seen(request)
    unit = headers.get(owner.policy.unit_header.lower())
    place = twin(owner, unit, headers)
    arm = server_of(owner.split, place)
    is_outside = place is Leaf.OUTSIDE
    what = place if isinstance(place, Leaf) else f"{place.arm}/{place.number}"
    return Wanted(
        route=f"{owner.policy.name}/{what}",
        # A doubled header is sorted by both values, and logged by the first.
        unit=None if is_outside else first(request, owner.policy.unit_header) or None,
        revision=str(owner.revision),
        served=cluster_name(owner.policy, owner.revision, arm),
        variant=arm_name(arm),
    )


def as_seen(request: Request) -> dict[str, str]:
    """Return headers as the proxy sees them: stripped, and doubled ones joined by a comma."""
    seen: dict[str, str] = {}
    for name, value in (*request.headers.items(), *request.again):
        key, bare = name.lower(), value.strip(" \t")
        seen[key] = f"{seen[key]},{bare}" if key in seen else bare
    return seen


def first(request: Request, header: str) -> str:
    """Return the first value of a header, or nothing."""
    values = (value for name, value in request.headers.items() if name.lower() == header.lower())
    return next(values, "").strip(" \t")


def wrong_by_one_bucket() -> Iterable[tuple[str, PlaceOf]]:
    """Return twins that are wrong by one bucket, each in another question."""

    def arms(placement: Placement, unit: str | None, headers: Mapping[str, str]) -> Block | Leaf:
        steps = tuple(replace(step, weight_bp=step.weight_bp + 1) for step in placement.policy.steps)
        return place_of(replace(placement, policy=replace(placement.policy, steps=steps)), unit, headers)

    def holdout(placement: Placement, unit: str | None, headers: Mapping[str, str]) -> Block | Leaf:
        policy = replace(placement.policy, holdout_bp=placement.policy.holdout_bp + 1)
        return place_of(replace(placement, policy=policy), unit, headers)

    def layer(placement: Placement, unit: str | None, headers: Mapping[str, str]) -> Block | Leaf:
        own = placement.layer_range
        shifted = None if own is None else Range(own.lo + 1, own.hi + 1)
        return place_of(replace(placement, layer_range=shifted), unit, headers)

    return (("arms", arms), ("holdout", holdout), ("layer", layer))


def _placement(
    chance: random.Random, name: str, place: tuple[str | None, str], url: str, ends: dict[str, int]
) -> Placement:
    candidates = chance.randint(1, 4)
    weights = sorted(chance.sample(range(1, WHOLE_BP // (candidates + 1) + 1), chance.randint(1, 6)))
    layer = Layer(chance.choice(list(ends)), chance.randint(500, 6_000)) if chance.random() < 0.35 else None
    policy = replace(
        POLICY,
        name=name,
        host=place[0],
        path=place[1],
        salt=f"{name}-salt",
        baseline=Version("1", url),
        candidates=(Version("2", url),) * candidates,
        unit_header=chance.choice(UNIT_HEADERS),
        steps=tuple(Step(weight, Hold()) for weight in weights),
        layer=layer,
        holdout_bp=chance.choice((0, 0, 200, 1_000, 5_000)),
        match=tuple(chance.sample(CONDITIONS, chance.choice((0, 0, 0, 1, 2)))),
        mirror_steps=tuple(MirrorStep(500, Hold()) for _ in range(chance.choice((0, 0, 1, 2)))),
    )
    return Placement(policy, chance.randint(1, 12), _split(chance, policy), _allotted(layer, ends))


def _allotted(layer: Layer | None, ends: dict[str, int]) -> Range | None:
    """Return the layer's next range, or none where it is full, or where nobody needs one."""
    if layer is None or ends[layer.name] + layer.share_bp > WHOLE_BP:
        return None
    lo = ends[layer.name]
    ends[layer.name] += layer.share_bp
    return Range(lo, ends[layer.name])


def _split(chance: random.Random, policy: Policy) -> Split:
    candidates = range(1, policy.arms)
    if chance.random() < 0.3:
        return Split(
            chance.choice((0, len(policy.steps))),
            is_promoted=True,
            winner=chance.choice(candidates),
            is_released=chance.random() < 0.4,
        )
    stopped = frozenset(arm for arm in candidates if chance.random() < 0.2)
    return Split(
        chance.randint(0, len(policy.steps)),
        stopped=stopped,
        mirror_on=chance.randint(0, len(policy.mirror_steps)),
    )


def _at_borders(placement: Placement) -> Iterable[Request]:
    """Return requests of units whose bucket lies on either side of a border, of arms, holdout or layer."""
    policy, own = placement.policy, placement.layer_range
    asked: list[tuple[int, set[int]]] = [
        (arm_seed(policy), {edge for block in blocks(policy) for edge in (block.lo, block.hi)}),
        (arm_seed(policy), {0, HOLD_BACK_BUCKETS}),
        (seed_of(HOLDOUT_SALT), {policy.holdout_bp}),
    ]
    if policy.layer is not None and own is not None:
        asked.append((seed_of(layer_salt(policy.layer.name)), {own.lo, own.hi}))
    headers = _matching(policy)
    for seed, edges in asked:
        borders = {bucket % WHOLE_BP for edge in edges for bucket in (edge - 1, edge)}
        for unit in UNITS:
            if bucket_of(unit, seed) in borders:
                host = policy.host or "other.example"
                yield Request(policy.path, {**headers, policy.unit_header: unit}, host)


def _matching(policy: Policy) -> dict[str, str]:
    """Return headers that meet a policy's conditions, where any do."""
    found = {}
    for condition in policy.match:
        if condition.test in {Asks.IN, Asks.PREFIX}:
            found[condition.header] = condition.values[0]
        elif condition.test is Asks.PRESENT:
            found[condition.header] = "1"
    return found


def _unit(chance: random.Random) -> str | None:
    number = chance.randrange(10**9)
    rare = (
        "",
        " ",
        "\t",
        " \t ",
        None,
        f"ü{number % 999}é 漢",
        f"a b\t{number % 99}",
        "x" * (number % 6_000),
    )
    usual = (f"user-{number % 10**6}", f" \t{number} ", f"{number:x}", f"{number}@example.com")
    return chance.choice(rare) if chance.random() < 0.1 else chance.choice(usual)


def _headers(chance: random.Random, policy: Policy) -> dict[str, str]:
    units = {header: _unit(chance) for header in UNIT_HEADERS}
    headers = {header: unit for header, unit in units.items() if unit is not None}
    headers |= {name: chance.choice(values) for name, values in ASKED.items() if chance.random() < 0.4}
    if chance.random() < 0.9:
        headers |= _matching(policy)
    if chance.random() < 0.1:
        headers |= FORGED
    return headers
