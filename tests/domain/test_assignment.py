"""Assignment: sticky, balanced, monotone in the ramp, and the same for every reader."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from rollout.domain.assignment import (
    Leaf,
    Placement,
    Split,
    arm_seed,
    assign,
    blocks,
    bucket_of,
    leaf_name,
    owner_of,
    seed_of,
)
from rollout.domain.policy import WHOLE_BP, Version
from tests.domain.examples import POLICY, with_weights

weights = st.lists(st.integers(1, 5_000), min_size=1, max_size=6).map(sorted)


def placed(steps_on: int, *, is_promoted: bool = False) -> Placement:
    return Placement(POLICY, revision=1, split=Split(steps_on, is_promoted=is_promoted))


def test_a_seed_and_a_bucket_never_change() -> None:
    assert seed_of("churn-2026q4") == 15_200_655_153_572_305_196
    assert bucket_of("user-1", arm_seed(POLICY)) == bucket_of(b" \tuser-1\t ", arm_seed(POLICY))
    assert bucket_of("user-1", 0) != bucket_of("User-1", 0)


@given(weights, st.integers(1, 4))
def test_blocks_are_balanced_and_inside_their_home(steps: list[int], candidates: int) -> None:
    policy = replace(with_weights(*steps), candidates=(Version("2", "http://127.0.0.1:1"),) * candidates)
    home = WHOLE_BP // (candidates + 1)
    owned = Counter[str]()
    seen: set[int] = set()
    for block in blocks(policy):
        buckets = set(range(block.lo, block.hi))
        assert not buckets & seen
        seen |= buckets
        owned[block.arm] += len(buckets)
    assert len(set(owned.values())) == 1
    assert owned["control"] == min(steps[-1], home)


@given(st.text(min_size=1, max_size=20), weights)
def test_a_unit_never_changes_its_arm_while_weights_grow(unit: str, steps: list[int]) -> None:
    policy = with_weights(*steps)
    routes = [assign(Placement(policy, 1, Split(on)), unit) for on in range(len(steps) + 1)]
    analysed = [route for route in routes if route.split("/")[1] in {"control", "candidate1"}]
    assert len(set(analysed)) <= 1
    assert routes[len(routes) - len(analysed) :] == analysed


@given(st.sampled_from(["", " ", "\t", " \t "]) | st.none())
def test_no_unit_is_outside(unit: str | None) -> None:
    assert assign(placed(3), unit) == leaf_name(POLICY, Leaf.OUTSIDE)


def test_a_promotion_leaves_one_percent_behind() -> None:
    routes = Counter(assign(placed(3, is_promoted=True), f"user-{i}") for i in range(20_000))
    assert set(routes) == {"churn-v2/promoted", "churn-v2/holdback"}
    assert 0.005 < routes["churn-v2/holdback"] / 20_000 < 0.015


def test_the_longest_path_owns_a_request_and_only_at_a_boundary() -> None:
    wide = placed(1)
    narrow = Placement(replace(POLICY, name="vip", path="/churn/vip"), 1, Split(1))
    both = (wide, narrow)
    assert owner_of(both, "/churn/vip/1") is narrow
    assert owner_of(both, "/churn?x=1") is wide
    assert owner_of(both, "/churn/vipers") is wide
    assert owner_of(both, "/churned") is None
