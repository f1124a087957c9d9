"""Requests and outcomes of one experiment as columns, and the lines that they leave in Envoy's log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Final

import numpy as np

from rollout.domain.assignment import Leaf, arm_index, arm_name, arm_seed, blocks, leaf_name, route_name
from rollout.domain.buckets import bucket_of
from rollout.domain.policy import WHOLE_BP, Policy
from rollout.lake.outcomes import MICRO, Outcome
from rollout.stats.arrays import BoolArray, FloatArray, IntArray
from tests.lake.histories import HASHING

SECOND_US: Final = 1_000_000
REST: Final = -1
"""The arm of a unit that no step ever reaches."""
REVISION: Final = 1
USUAL_US: Final = 20_000
_NO_TIMES: Final = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True)
class People:
    """The units of one experiment, each where its bucket puts it: a home's block, or none."""

    policy: Policy
    units: tuple[str, ...]
    arm: IntArray
    """0 is the control, 1 the candidate."""
    block: IntArray
    """The step that first reaches the unit, counted from 1."""

    def taken_at(self, steps_on: int) -> list[str]:
        """Return what Envoy writes of each unit's route and of who served it, while so many steps are on."""
        policy, own = self.policy, f"{self.policy.name}/{REVISION}"
        rest = f'"route":"{leaf_name(policy, Leaf.REST)}","served":"{own}/baseline"'
        active = {(arm_index(one.arm), one.number) for one in blocks(policy) if one.number <= steps_on}
        texts = {
            (arm, number): f'"route":"{route_name(policy, arm_name(arm), number)}","served":"{own}/{version}"'
            for arm, number in active
            for version in ("candidate1" if arm else "baseline",)
        }
        pairs = zip(self.arm.tolist(), self.block.tolist(), strict=True)
        return [texts.get(pair, rest) for pair in pairs]


def people(policy: Policy, number: int, *, reached_by: IntArray | None = None) -> People:
    """Return so many units; with `reached_by`, each is one whom that step has reached: others do not come."""
    seed, arm, block = arm_seed(policy), np.full(WHOLE_BP, REST), np.zeros(WHOLE_BP, dtype=np.int64)
    for one in blocks(policy):
        arm[one.lo : one.hi], block[one.lo : one.hi] = arm_index(one.arm), one.number
    due = np.full(number, len(policy.steps) + 1) if reached_by is None else reached_by
    # Whom no step reaches stands behind all steps, and is only asked for where anybody will do.
    reached = np.where(arm == REST, len(policy.steps) + 1, block).tolist()
    asked = ((unit, bucket_of(unit, seed)) for unit in (f"{policy.name}-{drawn}" for drawn in count()))
    found = [next(one for one in asked if reached[one[1]] <= step) for step in due.tolist()]
    units, buckets = tuple(unit for unit, _ in found), [bucket for _, bucket in found]
    return People(policy, units, arm[buckets], block[buckets])


@dataclass(frozen=True)
class Requests:
    """What Envoy sees, in any order; `unit` counts the people, times are from the start on."""

    unit: IntArray
    at_us: IntArray
    failed: BoolArray | None = None
    dur_us: IntArray | None = None


@dataclass(frozen=True)
class Outcomes:
    """What an application reports of the goal; each is told once."""

    unit: IntArray = field(default_factory=lambda: _NO_TIMES)
    at_us: IntArray = field(default_factory=lambda: _NO_TIMES)
    value: FloatArray | IntArray = field(default_factory=lambda: _NO_TIMES)


def lines_of(who: People, requests: Requests, begin_us: int, step: IntArray) -> list[bytes]:
    """Return a line for each request; `step` says how many steps were on when it came."""
    failed = np.zeros(len(requests.unit), dtype=np.bool_) if requests.failed is None else requests.failed
    durations = np.full(len(requests.unit), USUAL_US) if requests.dur_us is None else requests.dur_us
    taken = {steps_on: who.taken_at(steps_on) for steps_on in np.unique(step).tolist()}
    columns = (
        requests.unit.tolist(),
        (begin_us + requests.at_us).tolist(),
        failed.tolist(),
        durations.tolist(),
        step.tolist(),
    )
    units = who.units
    return [
        (
            f'{{"att":1,"code":{503 if fails else 200},"det":"via_upstream","dur_us":{lasted},"flags":"-",'
            f'"rev":"{REVISION}",{taken[steps_on][unit]},'
            f'"ts":"{at_us // SECOND_US}.{at_us % SECOND_US:06d}","unit":"{units[unit]}"}}\n'
        ).encode()
        for unit, at_us, fails, lasted, steps_on in zip(*columns, strict=True)
    ]


def told(who: People, goal: str, outcomes: Outcomes, begin_us: int) -> list[Outcome]:
    """Return the outcomes as the door hands them on: with units that are hashed, and a key for each."""
    hashed, _ = HASHING.units([who.units[unit] for unit in outcomes.unit.tolist()])
    times, values = (
        (begin_us + outcomes.at_us).tolist(),
        np.rint(outcomes.value * float(MICRO)).astype(np.int64).tolist(),
    )
    # A key is one outcome of a unit: its time tells two of them apart.
    return [
        Outcome(unit, goal, at_us, value, at_us)
        for unit, at_us, value in zip(hashed.tolist(), times, values, strict=True)
    ]


def in_order(lines: Sequence[bytes], at_us: IntArray) -> bytes:
    """Return lines in the order of their times, as one log has them."""
    return b"".join([lines[place] for place in np.argsort(at_us, kind="stable").tolist()])
