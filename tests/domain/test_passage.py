"""The way that is explained is the way that is taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from hypothesis import given

from rollout.domain.assignment import Block, Leaf, Placement, Split, assign, place_of, server_of
from rollout.domain.eligibility import Bar
from rollout.domain.passage import passage
from rollout.domain.policy import Condition
from rollout.domain.policy import Test as Asks
from tests.domain.drawn import headers, placements, units
from tests.domain.examples import POLICY


@given(placements(), units, headers)
def test_a_passage_ends_where_the_assignment_does(
    placement: Placement, unit: str, sent: Mapping[str, str]
) -> None:
    found = passage(placement, unit, sent)
    assert found.route == assign(placement, unit, sent)
    assert found.place == place_of(placement, unit, sent)
    assert found.arm == server_of(placement.split, found.place)
    if isinstance(found.place, Block):
        assert found.place == found.owner
        assert found.joins_at == found.place.number
        assert all(answer.holds for answer in found.conditions)


def test_every_answer_is_there() -> None:
    policy = replace(POLICY, match=(Condition("x-tier", Asks.IN, ("pro",)), Condition("x-bot", Asks.ABSENT)))
    found = passage(Placement(policy, 1, Split(3)), "ada", {"X-Tier": "free"})
    assert [(one.value, one.holds) for one in found.conditions] == [("free", False), (None, True)]
    assert (found.bar, found.place, found.joins_at) == (Bar.NO_MATCH, Leaf.OUTSIDE, None)
    assert found.layer_bucket is None
    assert found.holdout_bucket is not None
    assert found.owner is not None


def test_nobody_has_no_bucket() -> None:
    found = passage(Placement(POLICY, 1, Split(3)), " ")
    assert (found.bar, found.arm_bucket, found.holdout_bucket, found.owner) == (Bar.NO_UNIT, None, None, None)
