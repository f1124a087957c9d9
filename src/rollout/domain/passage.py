"""A request's way to its arm, question by question, so that a person can follow each answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rollout.domain.assignment import (
    NO_HEADERS,
    Block,
    Leaf,
    Placement,
    arm_seed,
    assign,
    block_of,
    place_of,
    server_of,
)
from rollout.domain.buckets import bucket_of
from rollout.domain.eligibility import (
    Bar,
    barred,
    headers_seen,
    holdout_bucket,
    holds,
    is_named,
    layer_bucket,
)
from rollout.domain.policy import Condition


@dataclass(frozen=True, slots=True)
class Answered:
    """One condition of `match`, what the request has there, and whether that is right."""

    condition: Condition
    value: str | None
    holds: bool


@dataclass(frozen=True, slots=True)
class Passage:
    """Every answer on the way; a bucket that no unit names is not there."""

    unit: str | None
    conditions: tuple[Answered, ...]
    holdout_bucket: int | None
    layer_bucket: int | None
    arm_bucket: int | None
    owner: Block | None
    """The block that owns the arm bucket, whether or not its step has come."""
    bar: Bar | None
    """The first answer that keeps the request out."""
    place: Block | Leaf
    route: str
    """What the proxy logs."""
    arm: int
    """Who answers first: 0 is the baseline."""

    @property
    def joins_at(self) -> int | None:
        """The weight step at which the unit joins an arm; none for those who never do."""
        return self.owner.number if self.owner is not None and self.bar is None else None


def passage(placement: Placement, unit: str | None, headers: Mapping[str, str] = NO_HEADERS) -> Passage:
    """Return the way that `assign` goes, with every bucket, even those that no longer matter."""
    policy = placement.policy
    seen = headers_seen(policy, unit, headers)
    name = unit if unit is not None and is_named(unit) else None
    bucket = None if name is None else bucket_of(name, arm_seed(policy))
    place = place_of(placement, unit, headers)
    return Passage(
        unit=unit,
        conditions=tuple(
            Answered(one, seen.get(one.header.lower()), holds(one, seen)) for one in policy.match
        ),
        holdout_bucket=None if name is None else holdout_bucket(name),
        layer_bucket=None if name is None or policy.layer is None else layer_bucket(policy.layer.name, name),
        arm_bucket=bucket,
        owner=None if bucket is None else block_of(policy, bucket),
        bar=barred(policy, placement.layer_range, unit, headers),
        place=place,
        route=assign(placement, unit, headers),
        arm=server_of(placement.split, place),
    )
