"""A request's way to its arm in plain words: for `rollout assign`, and for applications."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import assert_never

from rollout.domain.assignment import (
    BASELINE,
    CONTROL,
    HOLD_BACK_BUCKETS,
    Block,
    Leaf,
    Placement,
    arm_name,
    homes,
    owner_of,
)
from rollout.domain.buckets import HOLDOUT_SALT, arm_salt, layer_salt
from rollout.domain.eligibility import Bar
from rollout.domain.passage import Answered, Passage
from rollout.domain.policy import Policy, Test
from rollout.domain.written import weight
from rollout.errors import choices

LABEL_WIDTH = 9
BUCKETS = (
    "A bucket is a number from 0 to 9,999, computed from the unit and a seed. The same unit and seed always",
    "give the same bucket, so nothing is stored, and everyone keeps the version they have.",
)
ASSUMED = "where this range begins is assumed: the experiment's start settles it (--layer-from)"
MEANINGS: Mapping[str, str] = {
    CONTROL: "the control, compared with every candidate",
    Leaf.REST: "in no arm at this step",
    Leaf.OUTSIDE: "takes no part, and is never compared",
    Leaf.MIRROR: "in no arm at this step; candidates get copies of some requests, their answers nobody",
    Leaf.STOPPED: "its arm was stopped, and is compared no more",
    Leaf.PROMOTED: "has what was promoted",
    Leaf.HOLD_BACK: "held back, to watch what was promoted",
}


def account(placement: Placement, found: Passage, *, path: str, host: str | None) -> Iterator[str]:
    """Tell one request's whole way, one question on each line."""
    policy = placement.policy
    if owner_of((placement,), path, host) is None:
        yield not_owned(policy, path, host)
        return
    yield scene(placement)
    yield ""
    yield from _labelled("route", [f"{_where(path, host)} is this policy's: {_route(policy)} and below"])
    yield from _labelled("unit", [_unit(policy, found)])
    yield from _labelled("match", [_condition(one) for one in found.conditions])
    yield from _labelled("holdout", _holdout(policy, found))
    yield from _labelled("layer", _layer(placement, found))
    if placement.split.is_promoted:
        yield from _labelled("promoted", [_promotion(found)])
    else:
        yield from _labelled("arm", _arm(policy, found))
        yield from _labelled("step", _step(placement, found))
    yield from _labelled("answer", [_answer(placement, found), f"the proxy logs it as {found.route}"])
    yield ""
    yield from BUCKETS
    yield f"Seeds: {_seeds(policy)}."


def scene(placement: Placement) -> str:
    """Say at which point of the policy's way this is."""
    policy, split = placement.policy, placement.split
    if split.is_promoted:
        return f"{policy.name}, after the promotion of {arm_name(split.winner)}"
    stages = len(policy.stages)
    if split.mirror_on:
        share = weight(policy.mirror_steps[split.mirror_on - 1].share_bp)
        return f"{policy.name}, at step {split.mirror_on} of {stages}: {share} of the requests are copied"
    if not split.steps_on:
        return f"{policy.name}, before the first of {stages} steps: the baseline has all traffic"
    share = weight(policy.steps[split.steps_on - 1].weight_bp)
    number = number_in_file(policy, split.steps_on)
    return f"{policy.name}, at step {number} of {stages}: {share} for each candidate, as much for the control"


def not_owned(policy: Policy, path: str, host: str | None) -> str:
    """Say that a request is not this policy's."""
    return f"{_where(path, host)} is not this policy's, which has {_route(policy)} and what is below it"


def _labelled(label: str, sentences: Sequence[str]) -> Iterator[str]:
    for number, sentence in enumerate(sentences):
        yield f"  {label if not number else '':<{LABEL_WIDTH}}{sentence}"


def _where(path: str, host: str | None) -> str:
    return f"{host or ''}{path}"


def _route(policy: Policy) -> str:
    return f"{policy.host or ''}{policy.path}"


def _unit(policy: Policy, found: Passage) -> str:
    if found.bar is Bar.NO_UNIT:
        return f"no: {policy.unit_header} is blank, so nobody can be told apart: the baseline answers"
    return f"yes: {policy.unit_header} is '{found.unit}'"


def _condition(answered: Answered) -> str:
    condition, value = answered.condition, answered.value
    is_there = "is not there" if value is None else f"is '{value}'"
    match condition.test:
        case Test.IN:
            wish = f"must be {choices(condition.values)}"
        case Test.PREFIX:
            wish = f"must begin with {choices(condition.values)}"
        case Test.PRESENT:
            wish = "must be there"
        case Test.ABSENT:
            wish = "must not be there"
        case _:
            assert_never(condition.test)
    return f"{'yes' if answered.holds else 'no'}: {condition.header} {is_there}, and {wish}"


def _holdout(policy: Policy, found: Passage) -> list[str]:
    if not policy.holdout_bp or found.holdout_bucket is None:
        return []
    size = f"{_buckets(0, policy.holdout_bp)} ({weight(policy.holdout_bp)}) are held out of every try"
    is_out = "held out" if found.holdout_bucket < policy.holdout_bp else "not held out"
    return [f"{is_out}: its holdout bucket is {found.holdout_bucket:,}, and {size}"]


def _layer(placement: Placement, found: Passage) -> list[str]:
    layer, owned = placement.policy.layer, placement.layer_range
    if layer is None or owned is None or found.layer_bucket is None:
        return []
    is_in = "in" if found.layer_bucket in owned else "out, in another policy's share or in nobody's"
    size = f"this policy has {_buckets(owned.lo, owned.hi)} ({weight(owned.size)})"
    lines = [f"{is_in}: its bucket in layer '{layer.name}' is {found.layer_bucket:,}, and {size}"]
    if placement.split.is_promoted:
        return [*lines, "a promotion reaches beyond this share: it was only for trying"]
    return [*lines, ASSUMED]


def _arm(policy: Policy, found: Passage) -> list[str]:
    """Say whose home range the arm bucket lies in."""
    if found.arm_bucket is None:
        return []
    home = next((arm for arm, owned in enumerate(homes(policy)) if found.arm_bucket in owned), None)
    if home is None:
        return [f"none: its arm bucket is {found.arm_bucket:,}, which is left over when all arms are equal"]
    owned = homes(policy)[home]
    would_be = (
        "would be " if found.bar is not None else "none, on the side of " if found.owner is None else ""
    )
    place = (
        f"its arm bucket is {found.arm_bucket:,}, and {arm_name(home)} owns {_buckets(owned.lo, owned.hi)}"
    )
    return [f"{would_be}{arm_name(home)}: {place}"]


def _step(placement: Placement, found: Passage) -> list[str]:
    """Say which step adds the bucket to its arm, and whether it has come."""
    policy, owner = placement.policy, found.owner
    if found.arm_bucket is None:
        return []
    if owner is None:
        return [
            f"joins at none: {weight(policy.steps[-1].weight_bp)}, the last weight, does not reach so far"
        ]
    number = number_in_file(policy, owner.number)
    share = weight(policy.steps[owner.number - 1].weight_bp)
    adds = f"step {number}, at {share}, which adds {_buckets(owner.lo, owner.hi)} to {owner.arm}"
    if found.bar is not None:
        return [f"would join with {adds}"]
    has_come = "joined" if owner.number <= placement.split.steps_on else "will join"
    return [f"{has_come} with {adds}"]


def _promotion(found: Passage) -> str:
    kept = f"buckets 0 to {HOLD_BACK_BUCKETS - 1} are held back until the watch is over"
    if found.place is Leaf.HOLD_BACK:
        return f"not yet: its arm bucket is {found.arm_bucket:,}, and {kept}"
    if found.place is Leaf.PROMOTED:
        return f"yes: its arm bucket is {found.arm_bucket:,}, and only {kept}"
    return "no: it does not take part"


def _answer(placement: Placement, found: Passage) -> str:
    policy, answering = placement.policy, version(placement, found)
    if found.arm != BASELINE:
        fails = "; when it fails, the baseline answers" if policy.resilience.falls_back else ""
        return f"{arm_name(found.arm)} answers, version {answering}{fails}"
    return f"the baseline answers, version {answering}: {meaning(group(found))}"


def meaning(group: str) -> str:
    """Say what being in an arm or leaf means for the comparison."""
    return MEANINGS.get(group, "compared with the control")


def _seeds(policy: Policy) -> str:
    named = [f"arm '{arm_salt(policy.salt)}'"]
    if policy.layer is not None:
        named.insert(0, f"layer '{layer_salt(policy.layer.name)}'")
    if policy.holdout_bp:
        named.insert(0, f"holdout '{HOLDOUT_SALT}'")
    return ", ".join(named)


def group(found: Passage) -> str:
    """Return the arm or the leaf that a request is in."""
    return found.place.arm if isinstance(found.place, Block) else found.place.value


def version(placement: Placement, found: Passage) -> str:
    """Return which version answers first."""
    arms = (placement.policy.baseline, *placement.policy.candidates)
    return arms[found.arm].version


def number_in_file(policy: Policy, step: int) -> int:
    """Return a weight step's number in the file, which counts mirror steps too."""
    return len(policy.mirror_steps) + step


def _buckets(lo: int, hi: int) -> str:
    return f"buckets {lo:,} to {hi - 1:,}"
