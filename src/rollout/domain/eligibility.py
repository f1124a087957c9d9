"""Who takes part in an experiment: the first question of the way that says no, or nobody's."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import assert_never

from rollout.domain.buckets import BLANKS, HOLDOUT_SALT, Range, bucket_of, layer_salt, seed_of
from rollout.domain.policy import Condition, Policy, Test


class Bar(StrEnum):
    """What keeps a request out of an experiment; asked in this order."""

    NO_UNIT = "no unit"
    """Nobody can be told apart, so nobody can be compared."""
    NO_MATCH = "match"
    HELD_OUT = "holdout"
    OUT_OF_RANGE = "layer"
    """Another policy's share of the layer, or no share was allotted."""


def headers_seen(policy: Policy, unit: str | None, headers: Mapping[str, str]) -> Mapping[str, str]:
    """Return the headers that conditions ask about, by their names in lower case, the unit's among them."""
    seen = {name.lower(): value for name, value in headers.items()}
    return seen if unit is None else {**seen, policy.unit_header.lower(): unit.strip(BLANKS)}


def holds(condition: Condition, seen: Mapping[str, str]) -> bool:
    """Return whether headers meet a condition; no value of an absent header is ever right."""
    value = seen.get(condition.header.lower())
    match condition.test:
        case Test.IN:
            return value is not None and value in condition.values
        case Test.PREFIX:
            return value is not None and value.startswith(condition.values)
        case Test.PRESENT:
            return value is not None
        case Test.ABSENT:
            return value is None
        case _:
            assert_never(condition.test)


def matches(policy: Policy, seen: Mapping[str, str]) -> bool:
    """Return whether a request meets every condition of `match`."""
    return all(holds(condition, seen) for condition in policy.match)


def is_named(unit: str | None) -> bool:
    """Return whether a unit header names anybody."""
    return unit is not None and bool(unit.strip(BLANKS))


def holdout_bucket(unit: str) -> int:
    """Return the bucket that decides whether a unit is held out: the same for every policy."""
    return bucket_of(unit, seed_of(HOLDOUT_SALT))


def layer_bucket(layer: str, unit: str) -> int:
    """Return the bucket that decides which policy of a layer a unit belongs to."""
    return bucket_of(unit, seed_of(layer_salt(layer)))


def barred(
    policy: Policy, layer_range: Range | None, unit: str | None, headers: Mapping[str, str]
) -> Bar | None:
    """Return what keeps a request out, or None when it takes part; a layer without a range has no part."""
    if unit is None or not is_named(unit):
        return Bar.NO_UNIT
    if not matches(policy, headers_seen(policy, unit, headers)):
        return Bar.NO_MATCH
    if holdout_bucket(unit) < policy.holdout_bp:
        return Bar.HELD_OUT
    if policy.layer is not None and (
        layer_range is None or layer_bucket(policy.layer.name, unit) not in layer_range
    ):
        return Bar.OUT_OF_RANGE
    return None
