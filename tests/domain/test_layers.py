"""Layers: policies that share one never share a unit, and a full one says what is free."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.domain.assignment import Block, Leaf, Placement, Split, assign, place_of
from rollout.domain.buckets import Range
from rollout.domain.layers import allot, free_ranges
from rollout.domain.policy import WHOLE_BP, Layer, Policy
from rollout.errors import WrongTraffic
from tests.domain.drawn import units
from tests.domain.examples import POLICY

ranges = st.tuples(st.integers(0, WHOLE_BP - 1), st.integers(1, 3_000)).map(
    lambda drawn: Range(drawn[0], min(sum(drawn), WHOLE_BP))
)


def wanting(name: str, share_bp: int, layer: str = "retention") -> Policy:
    return replace(POLICY, name=name, salt=name, path=f"/{name}", layer=Layer(layer, share_bp))


def live(policy: Policy, found: Range | None) -> Placement:
    return Placement(policy, 1, Split(3), found)


def started(*shares: int) -> list[Placement]:
    """Return placements that started one after the other."""
    found: list[Placement] = []
    for number, share in enumerate(shares):
        policy = wanting(f"p{number}", share)
        found.append(live(policy, allot(policy, found)))
    return found


def allotted(placements: Sequence[Placement]) -> list[tuple[int, int]]:
    found = [one.layer_range for one in placements]
    return [(one.lo, one.hi) for one in found if one is not None]


def test_ranges_are_allotted_in_the_order_of_starts() -> None:
    assert allotted(started(4_000, 1_000, 5_000)) == [(0, 4_000), (4_000, 5_000), (5_000, 10_000)]


def test_a_policy_without_a_layer_needs_no_range() -> None:
    assert allot(POLICY, started(10_000)) is None


def test_another_layer_and_a_policy_without_one_take_nothing() -> None:
    others = [*started(9_000), live(wanting("x", 9_000, "other"), Range(0, 9_000)), live(POLICY, None)]
    assert allot(wanting("y", 1_000), others) == Range(9_000, 10_000)


def test_what_ended_is_free_again() -> None:
    first, second, third = started(4_000, 1_000, 5_000)
    assert allot(wanting("next", 1_000), [first, third]) == Range(4_000, 5_000)
    assert allot(wanting("next", 500), [second, third]) == Range(0, 500)


def test_a_new_revision_begins_where_the_old_one_did() -> None:
    first, second, third = started(4_000, 1_000, 2_000)
    assert allot(replace(second.policy, layer=Layer("retention", 800)), [first, second, third]) == Range(
        4_000, 4_800
    )
    assert allot(second.policy, [second, third]) == Range(4_000, 5_000)
    assert allot(replace(second.policy, layer=Layer("retention", 3_000)), [first, second, third]) == Range(
        7_000, 10_000
    )


def test_a_full_layer_says_what_is_free() -> None:
    with pytest.raises(WrongTraffic) as refused:
        allot(wanting("late", 5_000), started(4_000, 3_000))
    assert str(refused.value) == (
        "late: layer 'retention' has 30% free, and 50% is asked for; "
        "ask for at most 30%, or wait until one of these ends: p0, p1"
    )
    with pytest.raises(
        WrongTraffic, match="has 0% free, and 1% is asked for; wait until one of these ends: p0"
    ):
        allot(wanting("late", 100), started(10_000))


def test_a_layer_sorts_one_kind_of_units() -> None:
    with pytest.raises(WrongTraffic, match="layer 'retention' sorts by x-user-id for p0, not by x-device"):
        allot(replace(wanting("late", 1_000), unit_header="x-device"), started(4_000))


def test_free_pieces_are_not_put_together() -> None:
    first, second, _ = started(4_000, 2_000, 4_000)
    with pytest.raises(WrongTraffic, match="has 40% free in one piece, and 50% is asked for"):
        allot(wanting("late", 5_000), [second, live(wanting("p3", 1_000), Range(6_000, 7_000))])
    assert first.layer_range == Range(0, 4_000)


@given(st.lists(ranges, max_size=6))
def test_free_and_taken_are_the_whole_layer(taken: list[Range]) -> None:
    free = free_ranges(taken)
    assert all(not gap.meets(one) for gap in free for one in taken)
    covered = {bucket for one in (*free, *taken) for bucket in range(one.lo, one.hi)}
    assert len(covered) == WHOLE_BP
    assert sum(gap.size for gap in free) == len({b for gap in free for b in range(gap.lo, gap.hi)})


@given(st.lists(st.integers(1, 4_000), min_size=2, max_size=6), units, st.sets(st.integers(0, 5)))
def test_policies_of_one_layer_never_share_a_unit(shares: list[int], unit: str, ended: set[int]) -> None:
    found: list[Placement] = []
    for number, share in enumerate(shares):
        policy = wanting(f"p{number}", share)
        try:
            found.append(live(policy, allot(policy, found)))
        except WrongTraffic:
            found = [one for index, one in enumerate(found) if index not in ended]
    places = [place_of(one, unit) for one in found]
    assert sum(place is not Leaf.OUTSIDE for place in places) <= 1
    assert sum(isinstance(place, Block) for place in places) <= 1


def test_a_layer_has_its_share_and_arms_are_independent_of_it() -> None:
    policy = wanting("p0", 3_000)
    crowd = [f"user-{number}" for number in range(20_000)]
    places = [place_of(live(policy, Range(2_000, 5_000)), unit) for unit in crowd]
    inside = [place for place in places if place is not Leaf.OUTSIDE]
    assert 0.29 < len(inside) / len(crowd) < 0.31
    control = sum(isinstance(place, Block) and place.arm == "control" for place in inside)
    assert 0.47 < control / len(inside) < 0.53


def test_without_a_range_nobody_takes_part() -> None:
    assert assign(live(wanting("p0", 10_000), None), "ada") == "p0/outside"
