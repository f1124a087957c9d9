"""Which version a unit gets, and why, without a proxy or a control plane: it depends on nothing but these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rollout.domain.account import account, group, number_in_file, version
from rollout.domain.assignment import NO_HEADERS, Placement, Split
from rollout.domain.buckets import Range
from rollout.domain.passage import passage
from rollout.domain.policy import WHOLE_BP, Policy


@dataclass(frozen=True, slots=True)
class Assignment:
    """What the proxy answers for one unit, and every question on the way there."""

    version: str
    """Of the model that answers."""
    arm: str
    """`control`, `candidate1` and so on; or why it is in none, such as `rest` or `outside`."""
    joins_at: int | None
    """The step of the policy, counted from 1, at which it joins an arm; none if it never does."""
    why: tuple[str, ...]
    """The whole way, a line each."""

    @property
    def is_compared(self) -> bool:
        """Whether its outcomes count in a comparison."""
        return self.arm == "control" or self.arm.startswith("candidate")


def assignment(
    policy: Policy,
    unit: str | None,
    headers: Mapping[str, str] = NO_HEADERS,
    *,
    step: int | None = None,
    layer_from_bp: int = 0,
) -> Assignment:
    """Return what a unit gets at a step of a policy, counted from 1; without one, at the last.

    `layer_from_bp` is where the policy's range of its layer begins: `rollout status` shows it.
    """
    last, copies = len(policy.stages), len(policy.mirror_steps)
    on = last if step is None else step
    if not 0 <= on <= last:
        raise ValueError(f"step: must be from 0 to {last} (got {on})")
    split = Split(mirror_on=on) if on <= copies else Split(steps_on=on - copies)
    placement = Placement(policy, 1, split, _range(policy, layer_from_bp))
    found = passage(placement, unit, headers)
    joins = found.joins_at
    return Assignment(
        version=version(placement, found),
        arm=group(found),
        joins_at=None if joins is None else number_in_file(policy, joins),
        why=tuple(account(placement, found, path=policy.path, host=policy.host)),
    )


def _range(policy: Policy, lo: int) -> Range | None:
    if policy.layer is None:
        return None
    if not 0 <= lo <= WHOLE_BP - policy.layer.share_bp:
        raise ValueError(f"layer_from_bp: must be from 0 to {WHOLE_BP - policy.layer.share_bp} (got {lo})")
    return Range(lo, lo + policy.layer.share_bp)
