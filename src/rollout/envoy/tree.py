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
    """Return the matcher of every request to a policy's path; what leads nowhere ends outside."""
    policy = placement.policy
    named = matchers.unit_present(policy.unit_header, seed_of(HOLDOUT_SALT), policy.holdout_bp)
    asked = [_release(placement), _entry(named, _tried_on(placement))]
    conditions = [matchers.condition_holds(condition) for condition in policy.match]
    if conditions:
        asked = [_entry(matchers.all_of(*conditions), _matcher(asked))]
    return _first_of(asked, leaf_action(placement, Leaf.OUTSIDE))


def _release(placement: Placement) -> JsonObject:
    """Return who gets the winner after the watch: whoever matches, and so it is asked before all else."""
    name, revision = placement.policy.name, placement.revision
    winners = [
        _entry(
            matchers.key_is_on(matchers.PATH, promoted_key(name, revision, arm)),
            leaf_action(placement, Leaf.PROMOTED, arm),
        )
        for arm in range(1, placement.policy.arms)
    ]
    return _entry(matchers.key_is_on(matchers.PATH, released_key(name, revision)), _matcher(winners))


def _promotions(placement: Placement) -> list[JsonObject]:
    """Return, for each candidate, who gets it once it is promoted, in the layer's share or not."""
    policy, unit = placement.policy, placement.policy.unit_header
    held_back = leaf_action(placement, Leaf.HOLD_BACK)
    others = matchers.bucket_at_least(unit, arm_seed(policy), HOLD_BACK_BUCKETS)
    return [
        _entry(
            matchers.key_is_on(unit, promoted_key(policy.name, placement.revision, arm)),
            _matcher([_entry(others, leaf_action(placement, Leaf.PROMOTED, arm))], held_back),
        )
        for arm in range(1, policy.arms)
    ]


def _tried_on(placement: Placement) -> JsonObject:
    """Return what becomes of a unit that is named and not held out: a winner, or its part in the trial."""
    layer, own, promotions = placement.policy.layer, placement.layer_range, _promotions(placement)
    places = [*_arms(placement), *_mirrors(placement)]
    rest = leaf_action(placement, Leaf.REST)
    if layer is None:
        return _matcher([*promotions, *places], rest)
    if own is None:  # no part of its layer is its own, so nobody takes part
        return _matcher(promotions)
    seed = seed_of(layer_salt(layer.name))
    share = matchers.all_of(
        matchers.bucket_at_least(placement.policy.unit_header, seed, own.lo),
        *matchers.bucket_below(placement.policy.unit_header, seed, own.hi),
    )
    return _matcher([*promotions, _entry(share, _matcher(places, rest))])


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
