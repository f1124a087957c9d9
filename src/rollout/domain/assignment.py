"""Who gets what: the pure twin of the routes that Envoy matches, so that any assignment can be explained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from rollout.domain.buckets import Range, arm_salt, bucket_of, seed_of
from rollout.domain.eligibility import barred, headers_seen, holdout_bucket, is_named, matches
from rollout.domain.policy import WHOLE_BP, Policy

CONTROL: Final = "control"
CANDIDATE: Final = "candidate"
BASELINE: Final = 0
"""The control's index among the arms, and that of the version that serves whoever is in no arm."""
HOLD_BACK_BUCKETS: Final = 100
"""The first buckets of the control's home range, which stay on the baseline after a promotion."""
NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})


class Leaf(StrEnum):
    """Where a request ends that is in no active block."""

    REST = "rest"
    """Eligible, served by the baseline, compared only through its errors."""
    OUTSIDE = "outside"
    """Not eligible: never compared."""
    MIRROR = "mirror"
    """Eligible, served by the baseline, and every candidate is sent a copy of a share of them."""
    STOPPED = "stopped"
    """In a block of a stopped arm: served by the baseline, and left out of every comparison."""
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
    """Everyone but the holdout and the hold-back goes to the winner."""
    winner: int = 1
    """The candidate that a promotion leads to, counted from 1."""
    stopped: frozenset[int] = frozenset()
    """Candidates that have done harm, counted from 1: the baseline serves their units."""
    mirror_on: int = 0
    """The mirror step that the run is in, counted from 1; in none, nothing is copied."""
    is_released: bool = False
    """After the watch of a promotion: holdout, hold-back and who names no unit get the winner too."""


@dataclass(frozen=True, slots=True)
class Placement:
    """One experiment as the data plane sees it: a frozen policy, its revision, and its present split."""

    policy: Policy
    revision: int
    split: Split
    layer_range: Range | None = None
    """What `layers.allot` gave it at its start; without one, nobody takes part in a policy with a layer."""


def arm_seed(policy: Policy) -> int:
    """Return the seed that sorts a policy's units into buckets."""
    return seed_of(arm_salt(policy.salt))


def arm_name(index: int) -> str:
    """Return an arm's name: `control`, then `candidate1` and so on."""
    return CONTROL if index == BASELINE else f"{CANDIDATE}{index}"


def arm_index(name: str) -> int:
    """Return the index of an arm's name: 0 is the control."""
    return BASELINE if name == CONTROL else int(name.removeprefix(CANDIDATE))


def homes(policy: Policy) -> tuple[Range, ...]:
    """Return each arm's home range: [jR, (j+1)R) for arm j, with R = ⌊10000/arms⌋."""
    size = WHOLE_BP // policy.arms
    return tuple(Range(arm * size, (arm + 1) * size) for arm in range(policy.arms))


def blocks(policy: Policy) -> tuple[Block, ...]:
    """Return every block of every arm; block n is what weight step n adds to each arm's home range.

    So arms stay 1:1 at every step, and no analysed unit ever changes its arm.
    """
    found = []
    for arm, home in enumerate(homes(policy)):
        low = home.lo
        for number, step in enumerate(policy.steps, start=1):
            high = home.lo + min(step.weight_bp, home.size)
            if high > low:
                found.append(Block(arm_name(arm), number, low, high))
                low = high
    return tuple(found)


def block_of(policy: Policy, bucket: int) -> Block | None:
    """Return the block that owns a bucket, whether or not its step has come; no step reaches some."""
    return next((block for block in blocks(policy) if block.lo <= bucket < block.hi), None)


def route_name(policy: Policy, arm: str, number: int) -> str:
    """Return the name under which Envoy logs a block's route."""
    return f"{policy.name}/{arm}/{number}"


def leaf_name(policy: Policy, leaf: Leaf) -> str:
    """Return the name under which Envoy logs a request that is in no active block."""
    return f"{policy.name}/{leaf}"


def assign(placement: Placement, unit: str | None, headers: Mapping[str, str] = NO_HEADERS) -> str:
    """Return the name of the route that a request takes: a block's or a leaf's."""
    found = place_of(placement, unit, headers)
    if isinstance(found, Leaf):
        return leaf_name(placement.policy, found)
    return route_name(placement.policy, found.arm, found.number)


def place_of(placement: Placement, unit: str | None, headers: Mapping[str, str] = NO_HEADERS) -> Block | Leaf:
    """Return the active block that a request is in, or the leaf where it ends.

    Headers are as the proxy sees them: a doubled one is joined by a comma. No unit, or a blank one, is
    outside. A promotion reaches whoever matches, in the layer's share or not: shares are for trying.
    """
    policy, split = placement.policy, placement.split
    if split.is_promoted:
        return _after_promotion(placement, unit, headers)
    if unit is None or barred(policy, placement.layer_range, unit, headers) is not None:
        return Leaf.OUTSIDE
    block = block_of(policy, bucket_of(unit, arm_seed(policy)))
    if block is not None and block.number <= split.steps_on:
        return Leaf.STOPPED if arm_index(block.arm) in split.stopped else block
    return Leaf.MIRROR if mirrored_bp(placement) else Leaf.REST


def _after_promotion(placement: Placement, unit: str | None, headers: Mapping[str, str]) -> Leaf:
    """Return who gets the winner: whoever matches, and until the release neither holdout nor hold-back."""
    policy = placement.policy
    if not matches(policy, headers_seen(policy, unit, headers)):
        return Leaf.OUTSIDE
    if placement.split.is_released:
        return Leaf.PROMOTED
    if unit is None or not is_named(unit) or holdout_bucket(unit) < policy.holdout_bp:
        return Leaf.OUTSIDE
    is_held_back = bucket_of(unit, arm_seed(policy)) < HOLD_BACK_BUCKETS
    return Leaf.HOLD_BACK if is_held_back else Leaf.PROMOTED


def server_of(split: Split, place: Block | Leaf) -> int:
    """Return the arm that answers first: a leaf is the baseline's, but for what is promoted."""
    if isinstance(place, Block):
        return arm_index(place.arm)
    return split.winner if place is Leaf.PROMOTED else BASELINE


def mirrored_bp(placement: Placement) -> int:
    """Return the share of the mirrored requests of which each candidate is sent a copy, by chance alone."""
    step, steps = placement.split.mirror_on, placement.policy.mirror_steps
    return steps[step - 1].share_bp if 0 < step <= len(steps) else 0


def owner_of(placements: Sequence[Placement], path: str, host: str | None = None) -> Placement | None:
    """Return whose a request is, or nobody's: its host's own policies, else those of every host.

    A path is as Envoy normalised it; the longest that ends at a boundary wins. Where a host has policies of
    its own, those of every host are not asked, even when none of its own fits.
    """
    named = [] if host is None else [one for one in placements if _is_of(one.policy, host)]
    asked = named or [one for one in placements if one.policy.host is None]
    for placement in sorted(asked, key=lambda one: -len(one.policy.path)):
        stem = placement.policy.path.rstrip("/")
        if path == stem or path.startswith((stem + "/", stem + "?")):
            return placement
    return None


def _is_of(policy: Policy, host: str) -> bool:
    """Return whether a request's host is a policy's: its case does not count, nor what follows a colon."""
    if policy.host is None:
        return False
    own, asked = policy.host.lower(), host.lower()
    return asked == own or (asked.startswith(f"{own}:") and asked != f"{own}:")
