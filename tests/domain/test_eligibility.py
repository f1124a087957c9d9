"""Who takes part: conditions on headers, and the holdout that all policies share."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.domain.assignment import Block, Leaf, Placement, Split, place_of
from rollout.domain.eligibility import Bar, barred, headers_seen, holdout_bucket, holds
from rollout.domain.policy import WHOLE_BP, Condition, Policy
from rollout.domain.policy import Test as Asks
from tests.domain.drawn import policies, units
from tests.domain.examples import POLICY

FREE_OR_PRO = Condition("x-tier", Asks.IN, ("free", "pro"))


@pytest.mark.parametrize(
    ("test", "values", "holds_for", "fails_for"),
    [
        (Asks.IN, ("free", "pro"), ["free", "pro"], ["fre", "Free", "free,pro", "", None]),
        (Asks.PREFIX, ("eu-", "us-"), ["eu-west", "us-"], ["eu", "EU-west", "", None]),
        (Asks.PRESENT, (), ["free", ""], [None]),
        (Asks.ABSENT, (), [None], ["free", ""]),
        (Asks.IN, (), [], ["", None]),
        (Asks.PREFIX, (), [], ["", None]),
    ],
)
def test_conditions(
    test: Asks, values: tuple[str, ...], holds_for: list[str | None], fails_for: list[str | None]
) -> None:
    condition = Condition("X-Tier", test, values)
    for value in (*holds_for, *fails_for):
        seen = {} if value is None else {"x-tier": value}
        assert holds(condition, seen) == (value in holds_for)


def test_a_condition_may_ask_about_the_unit_itself() -> None:
    policy = replace(POLICY, match=(Condition("X-User-Id", Asks.PREFIX, ("test-",)),))
    assert barred(policy, None, "test-1", {}) is None
    assert barred(policy, None, "ada", {}) is Bar.NO_MATCH
    assert headers_seen(policy, "ada", {"X-Tier": "free"}) == {"x-tier": "free", "x-user-id": "ada"}


def test_every_condition_must_hold() -> None:
    policy = replace(POLICY, match=(FREE_OR_PRO, Condition("x-bot", Asks.ABSENT)))
    assert barred(policy, None, "ada", {"x-tier": "pro"}) is None
    assert barred(policy, None, "ada", {"x-tier": "pro", "X-Bot": "1"}) is Bar.NO_MATCH
    assert place_of(Placement(policy, 1, Split(3)), "ada", {"x-tier": "gold"}) is Leaf.OUTSIDE


@given(st.lists(policies(), min_size=2, max_size=4), st.integers(1, WHOLE_BP), units)
def test_a_unit_in_the_holdout_is_in_no_arm_of_any_policy_with_a_holdout(
    drawn: list[Policy], holdout_bp: int, unit: str
) -> None:
    held_out = [replace(policy, holdout_bp=holdout_bp) for policy in drawn]
    places = [place_of(Placement(policy, 1, Split(len(policy.steps))), unit) for policy in held_out]
    spared = [place is Leaf.OUTSIDE for place in places]
    assert len(set(spared)) == 1
    assert not (spared[0] and any(isinstance(place, Block) for place in places))


@given(units, st.integers(0, WHOLE_BP), st.integers(0, WHOLE_BP))
def test_a_larger_holdout_holds_the_smaller_one(unit: str, one: int, other: int) -> None:
    small, large = sorted((one, other))
    if barred(replace(POLICY, holdout_bp=small), None, unit, {}) is Bar.HELD_OUT:
        assert barred(replace(POLICY, holdout_bp=large), None, unit, {}) is Bar.HELD_OUT


def test_the_holdout_has_its_size_and_falls_to_all_arms_alike() -> None:
    crowd = [f"user-{number}" for number in range(20_000)]
    held_out = [unit for unit in crowd if holdout_bucket(unit) < 2_000]
    assert 0.19 < len(held_out) / len(crowd) < 0.21
    arms = [place_of(Placement(POLICY, 1, Split(3)), unit) for unit in held_out]
    control = sum(isinstance(place, Block) and place.arm == "control" for place in arms)
    assert 0.45 < control / len(held_out) < 0.55
