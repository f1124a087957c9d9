"""Many units' ways as rows and as shares of each arm, for `rollout assign`."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rollout.domain.account import group, meaning, number_in_file, version
from rollout.domain.assignment import Placement
from rollout.domain.passage import Passage

ABSENT = "-"


def row(placement: Placement, found: Passage) -> Mapping[str, str]:
    """Return one line of the table of many units."""
    return {
        "unit": found.unit or "",
        "bucket": ABSENT if found.arm_bucket is None else str(found.arm_bucket),
        "joins at step": ABSENT
        if found.joins_at is None
        else str(number_in_file(placement.policy, found.joins_at)),
        "arm": group(found),
        "answered by": f"version {version(placement, found)}",
        "route": found.route,
    }


@dataclass(frozen=True, slots=True)
class Share:
    """How many of the units asked about are in one arm or leaf, and which version answers them."""

    arm: str
    version: str
    units: int
    share: float


def shares(placement: Placement, found: Sequence[Passage]) -> list[Share]:
    """Count the units of each arm and each leaf."""
    counted = Counter((group(one), version(placement, one)) for one in found)
    return [Share(*which, units, units / len(found)) for which, units in sorted(counted.items())]


def share_row(one: Share) -> Mapping[str, str]:
    """Return one line of the summary."""
    return {
        "arm": one.arm,
        "units": str(one.units),
        "share": f"{100 * one.share:.1f}%",
        "answered by": f"version {one.version}",
        "meaning": meaning(one.arm),
    }


def entry(placement: Placement, found: Passage) -> Mapping[str, object]:
    """Return one request's way for programs."""
    policy = placement.policy
    owner = found.owner
    return {
        "unit": found.unit,
        "conditions": [
            {
                "header": one.condition.header,
                "test": one.condition.test.value,
                "value": one.value,
                "holds": one.holds,
            }
            for one in found.conditions
        ],
        "holdout_bucket": found.holdout_bucket,
        "layer_bucket": found.layer_bucket,
        "arm_bucket": found.arm_bucket,
        "kept_out_by": None if found.bar is None else found.bar.value,
        "block": None
        if owner is None
        else {
            "arm": owner.arm,
            "step": number_in_file(policy, owner.number),
            "from": owner.lo,
            "below": owner.hi,
        },
        "joins_at_step": None if found.joins_at is None else number_in_file(policy, found.joins_at),
        "arm": group(found),
        "version": version(placement, found),
        "route": found.route,
    }
