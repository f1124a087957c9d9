"""Who gets what: the decision tree of which `rollout.domain.assignment.place_of` is the twin.

It is a function of the frozen policy, its revision and its range of a layer. Everything that a run's state
decides is asked of a runtime key, so that a step, a stop, a promotion or a rollback alters nothing here.
"""

from __future__ import annotations

from collections.abc import Iterable

from rollout.domain.assignment import (
    HOLD_BACK_BUCKETS,
    Block,
    Leaf,
    Placement,
    arm_index,
    arm_seed,
    blocks,
)
from rollout.domain.buckets import HOLDOUT_SALT, layer_salt, seed_of
from rollout.envoy import matchers
from rollout.envoy.destinations import block_action, leaf_action, mirror_action
from rollout.envoy.document import JsonObject
from rollout.envoy.weights import mirror_key, promoted_key, released_key, step_key, stopped_key


def tree(placement: Placement) -> JsonObject:
    """Return the matcher of every request to a policy's path; who does not match is nobody's to compare."""
    everyone = _promotions(placement) + _trial(placement)
    outside = leaf_action(placement, Leaf.OUTSIDE)
    conditions = [matchers.condition_holds(condition) for condition in placement.policy.match]
    if not conditions:
        return _first_of(everyone, outside)
    return _first_of([_entry(matchers.all_of(*conditions), _matcher(everyone))], outside)


def _promotions(placement: Placement) -> list[JsonObject]:
    """Return, for each candidate, who gets it once it is promoted; asked of every request that matches."""
    policy, revision, unit = placement.policy, placement.revision, placement.policy.unit_header
    held_back = leaf_action(placement, Leaf.HOLD_BACK)
    outside = leaf_action(placement, Leaf.OUTSIDE)
    released = matchers.key_is_on(matchers.PATH, released_key(policy.name, revision))
    others = matchers.bucket_at_least(unit, arm_seed(policy), HOLD_BACK_BUCKETS)
    found = []
    for arm in range(1, policy.arms):
        promoted = leaf_action(placement, Leaf.PROMOTED, arm)
        who = [
            _entry(released, promoted),
            _entry(_tried_on(placement), _matcher([_entry(others, promoted)], held_back)),
        ]
        key = promoted_key(policy.name, revision, arm)
        found.append(_entry(matchers.key_is_on(matchers.PATH, key), _matcher(who, outside)))
    return found


def _trial(placement: Placement) -> list[JsonObject]:
    """Return what happens while it is tried; without a range of its layer, nobody takes part."""
    policy, unit = placement.policy, placement.policy.unit_header
    if policy.layer is not None and placement.layer_range is None:
        return []
    share: list[JsonObject] = []
    if policy.layer is not None and placement.layer_range is not None:
        seed = seed_of(layer_salt(policy.layer.name))
        share = matchers.bucket_within(unit, seed, placement.layer_range.lo, placement.layer_range.hi)
    eligible = matchers.all_of(_tried_on(placement), *share)
    places = [*_arms(placement), *_mirrors(placement)]
    return [_entry(eligible, _matcher(places, leaf_action(placement, Leaf.REST)))]


def _tried_on(placement: Placement) -> JsonObject:
    """Hold for a unit that is named and not held out."""
    policy = placement.policy
    return matchers.unit_present(policy.unit_header, seed_of(HOLDOUT_SALT), policy.holdout_bp)


def _arms(placement: Placement) -> Iterable[JsonObject]:
    """Return each arm's buckets; who is in none of its active blocks goes on to what follows."""
    policy, unit, seed = placement.policy, placement.policy.unit_header, arm_seed(placement.policy)
    every = blocks(policy)
    for name in dict.fromkeys(block.arm for block in every):
        own = [block for block in every if block.arm == name]
        reach = matchers.bucket_within(unit, seed, own[0].lo, own[-1].hi)
        active = [_active(placement, block, own) for block in own]
        yield _entry(matchers.all_of(*reach), _matcher([*_stopped(placement, own), *active]))


def _active(placement: Placement, block: Block, own: list[Block]) -> JsonObject:
    """Return the entry of a block; it is asked of buckets between its arm's first and last."""
    unit, seed = placement.policy.unit_header, arm_seed(placement.policy)
    above = [matchers.bucket_at_least(unit, seed, block.lo)] if block.lo > own[0].lo else []
    below = matchers.bucket_below(unit, seed, block.hi) if block.hi < own[-1].hi else []
    predicate = matchers.all_of(*above, *below, _is_on(placement, block))
    return _entry(predicate, block_action(placement, block))


def _stopped(placement: Placement, own: list[Block]) -> list[JsonObject]:
    """Return what the units of a stopped candidate get who are in one of its active blocks."""
    policy, unit, seed = placement.policy, placement.policy.unit_header, arm_seed(placement.policy)
    arm = arm_index(own[0].arm)
    if not arm:
        return []
    is_stopped = matchers.key_is_on(unit, stopped_key(policy.name, placement.revision, arm))
    is_active = matchers.any_of(
        *(
            matchers.all_of(*matchers.bucket_below(unit, seed, block.hi), _is_on(placement, block))
            for block in own
        )
    )
    return [_entry(matchers.all_of(is_stopped, is_active), leaf_action(placement, Leaf.STOPPED))]


def _mirrors(placement: Placement) -> Iterable[JsonObject]:
    policy, unit = placement.policy, placement.policy.unit_header
    for number, step in enumerate(policy.mirror_steps, start=1):
        if step.share_bp > 0:
            on = matchers.key_is_on(unit, mirror_key(policy.name, placement.revision, number))
            yield _entry(on, mirror_action(placement, step))


def _is_on(placement: Placement, block: Block) -> JsonObject:
    policy = placement.policy
    return matchers.key_is_on(policy.unit_header, step_key(policy.name, placement.revision, block.number))


def _first_of(entries: list[JsonObject], otherwise: JsonObject | None = None) -> JsonObject:
    """Return the matcher that takes the first entry that holds; one that leads nowhere is passed over."""
    found: dict[str, JsonObject] = {"matcher_list": {"matchers": entries}}
    return found if otherwise is None else {**found, "on_no_match": otherwise}


def _matcher(entries: list[JsonObject], otherwise: JsonObject | None = None) -> JsonObject:
    return {"matcher": _first_of(entries, otherwise)}


def _entry(predicate: JsonObject, on_match: JsonObject) -> JsonObject:
    return {"predicate": predicate, "on_match": on_match}
