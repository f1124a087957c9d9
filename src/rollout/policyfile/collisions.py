"""Policies that cannot run beside each other: one name, one route or one salt for two of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from rollout.domain.policy import Policy
from rollout.policyfile.finding import Complaint, Finding, Path
from rollout.policyfile.nodes import walk
from rollout.policyfile.reading import Reading, located

OWNED: Final[Mapping[str, tuple[Path, Callable[[Policy], str]]]] = {
    "name": (("metadata", "name"), lambda policy: policy.name),
    "route": (("spec", "route", "path"), lambda policy: policy.path),
    "salt": (("spec", "assignment", "salt"), lambda policy: policy.salt),
}
"""What belongs to one policy only."""


def collisions(readings: Iterable[Reading]) -> list[Finding]:
    """Return what several policies claim, named at each claim after the first.

    A salt that is only the name's default is not named again beside the name.
    """
    first: dict[tuple[str, str], Reading] = {}
    found = []
    for reading in readings:
        if reading.policy is None:
            continue
        same_name = ("name", reading.policy.name) in first
        for what, (path, owned) in OWNED.items():
            value = owned(reading.policy)
            other = first.setdefault((what, value), reading)
            is_default = what == "salt" and reading.policy.salt == reading.policy.name
            if other is not reading and not (same_name and is_default):
                line = walk(other.root, path)[1]
                what_is_wrong = f"two policies with one {what}: {other.file}:{line} has it too"
                complaint = Complaint(path, what_is_wrong, f"give each policy a {what} of its own")
                found.append(located(complaint, reading.file, reading.root))
    return found
