"""Policies that cannot run beside each other: one name, route or salt for two, or a layer that overflows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from rollout.domain.layers import share_layer
from rollout.domain.policy import WHOLE_BP, Policy
from rollout.policyfile.finding import Complaint, Finding, Path
from rollout.policyfile.nodes import walk
from rollout.policyfile.reading import Reading, located
from rollout.policyfile.writing import percent_text

NAME: Final[Path] = ("metadata", "name")
PATH: Final[Path] = ("spec", "route", "path")
HOST: Final[Path] = ("spec", "route", "host")
SALT: Final[Path] = ("spec", "assignment", "salt")
LAYER: Final[Path] = ("spec", "assignment", "layer")
UNIT: Final[Path] = ("spec", "assignment", "unit")

OWNED: Final[Mapping[str, Callable[[Policy], object]]] = {
    "name": lambda policy: policy.name,
    "route": lambda policy: (policy.host, policy.path),
    "salt": lambda policy: policy.salt,
}
"""What belongs to one policy only."""


def collisions(readings: Iterable[Reading]) -> list[Finding]:
    """Return what several policies claim, named at each claim after the first."""
    good = [(reading, reading.policy) for reading in readings if reading.policy is not None]
    return [
        located(complaint, reading.file, reading.root)
        for check in (_twice, _layers)
        for reading, complaint in check(good)
    ]


Policies = list[tuple[Reading, Policy]]


def _twice(policies: Policies) -> Iterator[tuple[Reading, Complaint]]:
    """Name what two policies own; a salt that is only the name's default is not named beside the name."""
    first: dict[tuple[str, object], tuple[Reading, Policy]] = {}
    for reading, policy in policies:
        same_name = ("name", policy.name) in first
        for what, owned in OWNED.items():
            other, others_policy = first.setdefault((what, owned(policy)), (reading, policy))
            is_default = what == "salt" and policy.salt == policy.name and same_name
            may_share = what == "salt" and share_layer(policy, others_policy)
            if other is not reading and not is_default and not may_share:
                line = walk(other.root, _path(what, others_policy, other))[1]
                what_is_wrong = f"two policies with one {what}: {other.file}:{line} has it too"
                remedy = f"give each policy a {what} of its own"
                yield reading, Complaint(_path(what, policy, reading), what_is_wrong, remedy)


def _path(what: str, policy: Policy, reading: Reading) -> Path:
    if what == "route":
        path_is_written = policy.host is None or walk(reading.root, PATH)[0] is not None
        return PATH if path_is_written else HOST
    return {"name": NAME, "salt": SALT}[what]


def _layers(policies: Policies) -> Iterator[tuple[Reading, Complaint]]:
    """Name each policy that asks for more of a layer than is left, or that sorts other units."""
    taken: dict[str, int] = {}
    first: dict[str, tuple[Reading, Policy]] = {}
    for reading, policy in policies:
        if policy.layer is None:
            continue
        layer = policy.layer.name
        other, others_policy = first.setdefault(layer, (reading, policy))
        if policy.unit_header != others_policy.unit_header:
            line = walk(other.root, UNIT)[1]
            what = (
                f"layer {layer} sorts other units: {other.file}:{line} has header:{others_policy.unit_header}"
            )
            yield reading, Complaint(UNIT, what, "give all policies of a layer one unit")
        before = taken.get(layer, 0)
        taken[layer] = before + policy.layer.share_bp
        if taken[layer] > WHOLE_BP:
            left = percent_text(max(0, WHOLE_BP - before) / WHOLE_BP)
            what = f"layer {layer} has only {left} left beside the other policies"
            yield reading, Complaint((*LAYER, "share"), what, "lower the shares until they fit into 100%")
