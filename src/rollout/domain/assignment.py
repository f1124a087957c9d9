"""Who gets what: the pure twin of the routes that Envoy matches, so that any assignment can be explained."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import xxhash

from rollout.domain.policy import WHOLE_BP, Policy

CONTROL: Final = "control"
HOLD_BACK_BUCKETS: Final = 100
"""The first buckets of the control's home range, which stay on the baseline after a promotion."""


class Leaf(StrEnum):
    """Where a request ends that is in no active block."""

    REST = "rest"
    """Eligible, served by the baseline, compared only through its errors."""
    OUTSIDE = "outside"
    """Not eligible: never compared."""
    PROMOTED = "promoted"
    HOLD_BACK = "holdback"


@dataclass(frozen=True, slots=True)
class Block:
    """The buckets lo ≤ b < hi that one step adds to one arm: a stratum of the analysis."""

    arm: str
    number: int
    lo: int
    hi: int


@dataclass(frozen=True, slots=True)
class Split:
    """The traffic that an experiment should get now, derived from its recorded state."""

    steps_on: int = 0
    """How many of the policy's weight steps have been activated."""
    is_promoted: bool = False
    """Everyone but the hold-back goes to the candidate."""


@dataclass(frozen=True, slots=True)
class Placement:
    """One experiment as the data plane sees it: a frozen policy, its revision, and its present split."""

    policy: Policy
    revision: int
    split: Split


def seed_of(salt: str) -> int:
    """Return the unsigned 64-bit seed of a stable text."""
    return int.from_bytes(hashlib.blake2b(salt.encode(), digest_size=8).digest(), "big")


def arm_seed(policy: Policy) -> int:
    """Return the seed that sorts a policy's units into buckets."""
    return seed_of(f"arm:{policy.salt}")


def bucket_of(unit: str | bytes, seed: int) -> int:
    """Return the bucket, 0 to 9,999, of a unit: blanks and tabs at both ends do not count, case does."""
    raw = unit.encode() if isinstance(unit, str) else unit
    return xxhash.xxh64_intdigest(raw.strip(b" \t"), seed=seed) % WHOLE_BP


def arm_name(index: int) -> str:
    """Return an arm's name: `control`, then `candidate1` and so on."""
    return CONTROL if index == 0 else f"candidate{index}"


def blocks(policy: Policy) -> tuple[Block, ...]:
    """Return every block of every arm; block n is what weight step n adds to each arm's home range.

    Arm j owns the home range [jR, (j+1)R) with R = ⌊10000/arms⌋, so arms stay 1:1 at every step, and no
    analysed unit ever changes its arm.
    """
    home = WHOLE_BP // policy.arms
    found = []
    for arm in range(policy.arms):
        low = 0
        for number, step in enumerate(policy.steps, start=1):
            high = min(step.weight_bp, home)
            if high > low:
                found.append(Block(arm_name(arm), number, arm * home + low, arm * home + high))
                low = high
    return tuple(found)


def route_name(policy: Policy, arm: str, number: int) -> str:
    """Return the name under which Envoy logs a block's route."""
    return f"{policy.name}/{arm}/{number}"


def leaf_name(policy: Policy, leaf: Leaf) -> str:
    """Return the name under which Envoy logs a request that is in no active block."""
    return f"{policy.name}/{leaf}"


def assign(placement: Placement, unit: str | None) -> str:
    """Return the name of the route that a unit takes; no unit, or a blank one, is outside."""
    policy, split = placement.policy, placement.split
    if unit is None or not unit.strip(" \t"):
        return leaf_name(policy, Leaf.OUTSIDE)
    bucket = bucket_of(unit, arm_seed(policy))
    if split.is_promoted:
        return leaf_name(policy, Leaf.HOLD_BACK if bucket < HOLD_BACK_BUCKETS else Leaf.PROMOTED)
    for block in blocks(policy):
        if block.lo <= bucket < block.hi and block.number <= split.steps_on:
            return route_name(policy, block.arm, block.number)
    return leaf_name(policy, Leaf.REST)


def owner_of(placements: tuple[Placement, ...], path: str) -> Placement | None:
    """Return whose a path is, as Envoy normalised it: the longest that ends at a boundary, or nobody's."""
    for placement in sorted(placements, key=lambda one: -len(one.policy.path)):
        stem = placement.policy.path.rstrip("/")
        if path == stem or path.startswith((stem + "/", stem + "?")):
            return placement
    return None
