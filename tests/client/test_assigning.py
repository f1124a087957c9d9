"""Which version a unit gets: the client says what the proxy's own rule says, and why."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollout.client import assignment
from rollout.domain.assignment import Placement, Split, assign
from rollout.domain.buckets import Range
from rollout.domain.policy import Hold, Layer, MirrorStep
from tests.domain.examples import POLICY

UNITS = [f"user {number}" for number in range(300)]


def test_it_agrees_with_the_rule_at_every_step() -> None:
    for step in range(4):
        placement = Placement(POLICY, 1, Split(steps_on=step))
        for unit in UNITS:
            found = assignment(POLICY, unit, step=step)
            assert assign(placement, unit) in found.why[-1] + "\n".join(found.why)
            assert found.is_compared is (found.arm in {"control", "candidate1"})
            assert (found.version == "2.0.0") is (found.arm == "candidate1")


def test_who_joins_at_a_step_is_in_an_arm_from_then_on() -> None:
    found = {unit: assignment(POLICY, unit) for unit in UNITS}
    for unit, one in found.items():
        for step in range(1, 4):
            assert assignment(POLICY, unit, step=step).is_compared is (
                one.joins_at is not None and one.joins_at <= step
            )
    assert {one.joins_at for one in found.values()} >= {2, 3}


def test_a_step_of_copies_is_none_of_weights_and_a_layer_has_its_range() -> None:
    mirrored = replace(POLICY, mirror_steps=(MirrorStep(1_000, Hold(for_s=60.0)),))
    assert {assignment(mirrored, unit, step=1).version for unit in UNITS} == {"1.4.2"}
    layered = replace(POLICY, layer=Layer("retention", 4_000))
    placement = Placement(layered, 1, Split(steps_on=3), Range(6_000, 10_000))
    for unit in UNITS[:50]:
        assert assign(placement, unit) in "\n".join(assignment(layered, unit, layer_from_bp=6_000).why)
    with pytest.raises(ValueError, match="from 0 to 6000"):
        assignment(layered, "ada", layer_from_bp=6_001)
    with pytest.raises(ValueError, match="step: must be from 0 to 3"):
        assignment(POLICY, "ada", step=4)


def test_without_a_unit_it_takes_no_part() -> None:
    found = assignment(POLICY, None)
    assert (found.version, found.arm, found.joins_at) == ("1.4.2", "outside", None)
