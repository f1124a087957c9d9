"""Assignment: sticky, balanced, monotone in the ramp, and the same for every reader."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rollout.domain.assignment import (
    BASELINE,
    CONTROL,
    Block,
    Leaf,
    Placement,
    Split,
    arm_index,
    arm_name,
    arm_seed,
    assign,
    block_of,
    blocks,
    leaf_name,
    mirrored_bp,
    owner_of,
    place_of,
    server_of,
)
from rollout.domain.buckets import Range, bucket_of, seed_of
from rollout.domain.policy import WHOLE_BP, Hold, Layer, MirrorStep, Policy, Version
from tests.domain.drawn import headers, placements, policies, shaped, targeted, units
from tests.domain.examples import POLICY

CROWD = [f"user-{number}" for number in range(20_000)]


def placed(steps_on: int, *, is_promoted: bool = False) -> Placement:
    return Placement(POLICY, revision=1, split=Split(steps_on, is_promoted=is_promoted))


def at(policy: Policy, steps_on: int, stopped: frozenset[int] = frozenset()) -> Placement:
    return Placement(policy, 1, Split(steps_on, stopped=stopped))


def test_a_seed_and_a_bucket_never_change() -> None:
    assert seed_of("churn-2026q4") == 15_200_655_153_572_305_196
    assert bucket_of("user-1", arm_seed(POLICY)) == bucket_of(b" \tuser-1\t ", arm_seed(POLICY))
    assert bucket_of("user-1", 0) != bucket_of("User-1", 0)


def test_arms_have_names_and_indexes() -> None:
    assert [arm_name(arm) for arm in range(3)] == [CONTROL, "candidate1", "candidate2"]
    assert all(arm_index(arm_name(arm)) == arm for arm in range(5))


@given(policies())
def test_blocks_are_balanced_disjoint_and_inside_their_home(policy: Policy) -> None:
    home = WHOLE_BP // policy.arms
    owned = Counter[str]()
    seen: set[int] = set()
    for block in blocks(policy):
        buckets = set(range(block.lo, block.hi))
        assert not buckets & seen
        assert all(bucket // home == arm_index(block.arm) for bucket in buckets)
        seen |= buckets
        owned[block.arm] += len(buckets)
    assert set(owned.values()) == {policy.steps[-1].weight_bp}
    assert owned[CONTROL] <= WHOLE_BP / policy.arms


@given(st.integers(1, 4), st.integers(1, 3 * WHOLE_BP))
def test_a_weight_is_never_more_than_an_equal_share(candidates: int, weight: int) -> None:
    policy = shaped(POLICY, candidates=candidates, weights_bp=[weight])
    sizes = [block.hi - block.lo for block in blocks(policy)]
    assert sizes == [min(weight, WHOLE_BP // (candidates + 1))] * (candidates + 1)
    assert sum(sizes) <= WHOLE_BP


@given(policies(), st.integers(0, WHOLE_BP - 1))
def test_a_bucket_is_one_blocks_or_nobodys(policy: Policy, bucket: int) -> None:
    owners = [block for block in blocks(policy) if block.lo <= bucket < block.hi]
    assert owners == ([] if (owner := block_of(policy, bucket)) is None else [owner])


@given(policies(), units)
def test_a_step_only_adds_to_arms(policy: Policy, unit: str) -> None:
    places = [place_of(at(policy, on), unit) for on in range(len(policy.steps) + 1)]
    analysed = [place for place in places if isinstance(place, Block)]
    assert len(set(analysed)) <= 1
    assert places[len(places) - len(analysed) :] == analysed


@given(targeted(), units, headers, st.integers(0, 6))
def test_a_unit_takes_part_at_every_step_or_at_none(
    policy: Policy, unit: str, sent: Mapping[str, str], steps_on: int
) -> None:
    off, on = (place_of(at(policy, steps), unit, sent) for steps in (0, steps_on))
    assert (off is Leaf.OUTSIDE) == (on is Leaf.OUTSIDE)


@given(policies(), units, st.data())
def test_stopping_an_arm_moves_only_its_own_units(policy: Policy, unit: str, data: st.DataObject) -> None:
    steps_on = data.draw(st.integers(0, len(policy.steps)))
    arm = data.draw(st.integers(1, len(policy.candidates)))
    before = place_of(at(policy, steps_on), unit)
    after = place_of(at(policy, steps_on, frozenset({arm})), unit)
    if isinstance(before, Block) and before.arm == arm_name(arm):
        assert after is Leaf.STOPPED
        assert server_of(Split(), after) == BASELINE
    else:
        assert after == before


@given(placements(), units, headers, st.integers(1, 9))
def test_nothing_else_counts(placement: Placement, unit: str, sent: Mapping[str, str], revision: int) -> None:
    expected = assign(placement, unit, sent)
    policy = replace(
        placement.policy, owner="other", metrics=(), baseline=Version("9", "http://elsewhere:1"), path="/x"
    )
    assert assign(replace(placement, policy=policy, revision=revision), unit, sent) == expected
    padded, shouted = f"\t {unit} ", {name.swapcase(): value for name, value in reversed(list(sent.items()))}
    assume(len({name.lower() for name in sent}) == len(sent))
    assert assign(placement, padded, {**shouted, "x-unasked": "1"}) == expected


@settings(max_examples=20)
@given(policies(), st.integers(0, 10**9))
def test_shares_are_what_the_weights_say(policy: Policy, first: int) -> None:
    count, placement = 4_000, at(policy, len(policy.steps))
    arms = Counter(
        place.arm
        for number in range(first, first + count)
        if isinstance(place := place_of(placement, str(number)), Block)
    )
    share = policy.steps[-1].weight_bp / WHOLE_BP
    tolerance = 6 * math.sqrt(count * share * (1 - share)) + 1
    for arm in range(policy.arms):
        assert abs(arms[arm_name(arm)] - count * share) <= tolerance


@given(st.sampled_from(["", " ", "\t", " \t "]) | st.none(), placements(), headers)
def test_no_unit_is_outside_until_a_release(
    unit: str | None, placement: Placement, sent: Mapping[str, str]
) -> None:
    place = place_of(placement, unit, sent)
    is_released = placement.split.is_promoted and placement.split.is_released
    assert place is Leaf.OUTSIDE or (is_released and place is Leaf.PROMOTED)


def test_a_promotion_leaves_one_percent_behind() -> None:
    routes = Counter(assign(placed(3, is_promoted=True), unit) for unit in CROWD)
    assert set(routes) == {"churn-v2/promoted", "churn-v2/holdback"}
    assert 0.005 < routes["churn-v2/holdback"] / len(CROWD) < 0.015


def test_a_promotion_leads_to_the_winner_alone() -> None:
    policy = shaped(POLICY, candidates=3, weights_bp=[2_500])
    split = Split(steps_on=1, is_promoted=True, winner=2, stopped=frozenset({1}))
    served = Counter(server_of(split, place_of(Placement(policy, 1, split), unit)) for unit in CROWD)
    assert set(served) == {BASELINE, 2}
    assert served[BASELINE] < 0.015 * len(CROWD)


def test_a_promotion_spares_the_holdout_until_the_release() -> None:
    policy = replace(POLICY, holdout_bp=5_000)
    promoted = Split(is_promoted=True)
    watched = Counter(place_of(Placement(policy, 1, promoted), unit) for unit in CROWD)
    assert 0.48 < watched[Leaf.OUTSIDE] / len(CROWD) < 0.52
    released = Placement(policy, 1, replace(promoted, is_released=True))
    assert {place_of(released, unit) for unit in CROWD} == {Leaf.PROMOTED}


def test_a_promotion_reaches_beyond_the_layers_share_but_not_beyond_the_match() -> None:
    policy = replace(POLICY, layer=Layer("retention", 1_000))
    promoted = Placement(policy, 1, Split(is_promoted=True, is_released=True), Range(0, 1_000))
    assert {place_of(promoted, unit) for unit in CROWD} == {Leaf.PROMOTED}


@pytest.mark.parametrize(("mirror_on", "share_bp"), [(0, 0), (1, 1_000), (2, 5_000), (3, 0)])
def test_a_mirror_step_copies_and_moves_nobody(mirror_on: int, share_bp: int) -> None:
    policy = replace(POLICY, mirror_steps=(MirrorStep(1_000, Hold()), MirrorStep(5_000, Hold())))
    placement = Placement(policy, 1, Split(mirror_on=mirror_on))
    assert mirrored_bp(placement) == share_bp
    place = place_of(placement, "ada")
    assert place is (Leaf.MIRROR if share_bp else Leaf.REST)
    assert server_of(placement.split, place) == BASELINE
    assert place_of(placement, None) is Leaf.OUTSIDE


def test_the_longest_path_owns_a_request_and_only_at_a_boundary() -> None:
    wide = placed(1)
    narrow = Placement(replace(POLICY, name="vip", path="/churn/vip"), 1, Split(1))
    both = (wide, narrow)
    assert owner_of(both, "/churn/vip/1") is narrow
    assert owner_of(both, "/churn?x=1") is wide
    assert owner_of(both, "/churn/vipers") is wide
    assert owner_of(both, "/churned") is None


@pytest.mark.parametrize(
    ("host", "path", "owner"),
    [
        ("rank.example", "/any", "whole host"),
        ("RANK.example:8443", "/rank/1", "part of it"),
        ("rank.example:", "/any", None),
        ("other.example", "/churn", "churn-v2"),
        (None, "/churn", "churn-v2"),
        ("[::1]", "/v6", "address"),
        ("[::1]:80", "/v6", "address"),
        # Where a host has policies of its own, those of every host are not asked.
        ("[::1]", "/churn", None),
    ],
)
def test_a_host_has_policies_of_its_own(host: str | None, path: str, owner: str | None) -> None:
    named = (
        ("whole host", "Rank.Example", "/"),
        ("part of it", "rank.example", "/rank"),
        ("address", "[::1]", "/v6"),
    )
    everywhere = placed(1)
    known = (
        everywhere,
        *(Placement(replace(POLICY, name=name, host=one, path=at), 1, Split()) for name, one, at in named),
    )
    found = owner_of(known, path, host)
    assert (None if found is None else found.policy.name) == owner


def test_the_name_of_a_leaf() -> None:
    assert assign(placed(0), "ada") == leaf_name(POLICY, Leaf.REST) == "churn-v2/rest"
