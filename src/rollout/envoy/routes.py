"""RDS: every block of every step as its own named route; a function of the frozen policies alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rollout.domain.assignment import (
    HOLD_BACK_BUCKETS,
    Leaf,
    Placement,
    arm_name,
    arm_seed,
    blocks,
    leaf_name,
    route_name,
)
from rollout.domain.policy import RETRY_PAUSE_S, WHOLE_BP, Policy, Resilience
from rollout.envoy import matchers
from rollout.envoy.clusters import cluster_name
from rollout.envoy.document import ROLLOUT, TYPE, Document, JsonObject, Kind
from rollout.envoy.weights import promoted_key, released_key, step_key

VARIANT_HEADER: Final = "x-rollout-variant"
UNIT_HEADER: Final = "x-rollout-unit"
BASELINE, CANDIDATE = 0, 1

_PRIORITY_GROUPS: Final = (
    TYPE + "envoy.extensions.router.cluster_specifiers.priority_group.v3.PriorityGroupClusterSpecifier"
)


def routes(placements: Sequence[Placement]) -> Document:
    """Return the routes of all policies; the splits do not matter here."""
    variant = _header(VARIANT_HEADER, f"%METADATA(ROUTE:{ROLLOUT}:arm)%")
    return Document.of(
        Kind.ROUTES,
        [
            {
                "@type": TYPE + "envoy.config.route.v3.RouteConfiguration",
                "name": ROLLOUT,
                "request_headers_to_add": [variant],
                "response_headers_to_add": [variant],
                "cluster_specifier_plugins": [
                    _server(placement, arm)
                    for placement in placements
                    for arm in range(placement.policy.arms)
                ],
                "virtual_hosts": [_host(placements)] if placements else [],
            }
        ],
    )


def _host(placements: Sequence[Placement]) -> JsonObject:
    """Return the host of every name: the longest path that ends at a boundary, then the next shorter one."""
    by_path = {_stem(placement.policy) or "/": _owned(placement) for placement in placements}
    return {
        "name": ROLLOUT,
        "domains": ["*"],
        "matcher": {
            "matcher_tree": {"input": matchers.header_input(":path"), "prefix_match_map": {"map": by_path}}
        },
    }


def _stem(policy: Policy) -> str:
    return policy.path.rstrip("/")


def _owned(placement: Placement) -> JsonObject:
    stem = _stem(placement.policy)
    if not stem:
        return {"matcher": _tree(placement)}
    entry = _entry(matchers.at_boundary(stem), {"matcher": _tree(placement)})
    return {"matcher": {"matcher_list": {"matchers": [entry]}}}


def _tree(placement: Placement) -> JsonObject:
    """Return who gets what: the tree of which `rollout.domain.assignment.assign` is the twin."""
    policy = placement.policy
    leaves = {leaf: _route(placement, leaf_name(policy, leaf), _arm_of(leaf), leaf) for leaf in Leaf}
    eligible = {
        "matcher": {
            "matcher_list": {"matchers": [*_promotion(placement, leaves), *_analysed(placement)]},
            "on_no_match": leaves[Leaf.REST],
        }
    }
    present = matchers.unit_present(policy.unit_header, arm_seed(policy))
    # The key is asked of a header that every request has: without a unit too.
    released = matchers.key_is_on(":path", released_key(policy.name, placement.revision))
    return {
        "matcher_list": {
            "matchers": [_entry(released, leaves[Leaf.PROMOTED]), _entry(present, eligible)],
        },
        "on_no_match": leaves[Leaf.OUTSIDE],
    }


def _promotion(placement: Placement, leaves: dict[Leaf, JsonObject]) -> list[JsonObject]:
    policy, unit = placement.policy, placement.policy.unit_header
    on = matchers.key_is_on(unit, promoted_key(policy.name, placement.revision))
    everyone = matchers.bucket_within(unit, arm_seed(policy), HOLD_BACK_BUCKETS, WHOLE_BP)
    return [
        _entry(matchers.all_of(on, *everyone), leaves[Leaf.PROMOTED]),
        _entry(on, leaves[Leaf.HOLD_BACK]),
    ]


def _analysed(placement: Placement) -> list[JsonObject]:
    policy, unit = placement.policy, placement.policy.unit_header
    arms = {arm_name(arm): arm for arm in range(policy.arms)}
    return [
        _entry(
            matchers.all_of(
                *matchers.bucket_within(unit, arm_seed(policy), block.lo, block.hi),
                matchers.key_is_on(unit, step_key(policy.name, placement.revision, block.number)),
            ),
            _route(placement, route_name(policy, block.arm, block.number), arms[block.arm]),
        )
        for block in blocks(policy)
    ]


def _arm_of(leaf: Leaf) -> int:
    return CANDIDATE if leaf is Leaf.PROMOTED else BASELINE


def _route(placement: Placement, name: str, arm: int, leaf: Leaf | None = None) -> JsonObject:
    policy = placement.policy
    unit = _header(UNIT_HEADER, f"%REQ({policy.unit_header})%")
    labels: JsonObject = {"arm": arm_name(arm), "revision": str(placement.revision)}
    route: dict[str, JsonObject | str | list[JsonObject]] = {
        "@type": TYPE + "envoy.config.route.v3.Route",
        "name": name,
        "match": {"prefix": "/"},
        "metadata": {"filter_metadata": {ROLLOUT: labels}},
        "route": {
            "cluster_specifier_plugin": cluster_name(policy, placement.revision, arm),
            "auto_host_rewrite": True,
            **_resilience(policy.resilience),
        },
        "request_headers_to_add": [] if leaf is Leaf.OUTSIDE else [unit],
    }
    return {"action": {"name": "route", "typed_config": route}}


def _resilience(resilience: Resilience) -> JsonObject:
    """Return the time limits and, where a policy falls back, the second attempt; the same for every arm."""
    timeout: JsonObject = {"timeout": _seconds(resilience.timeout_s)}
    if not resilience.falls_back:
        return timeout
    return {
        **timeout,
        "retry_policy": {
            "retry_on": "5xx,reset,connect-failure,refused-stream,retriable-status-codes",
            "retriable_status_codes": [429],
            "num_retries": 1,
            "per_try_timeout": _seconds(resilience.per_try_timeout_s),
            "refresh_cluster_on_retry": True,
            "retry_back_off": {"base_interval": "0.005s", "max_interval": _seconds(RETRY_PAUSE_S)},
        },
    }


def _server(placement: Placement, arm: int) -> JsonObject:
    """Return who answers for an arm; control has one group in the same plugin, so both arms pay alike."""
    policy, revision = placement.policy, placement.revision
    order = [arm, BASELINE] if arm and policy.resilience.falls_back else [arm]
    names = [cluster_name(policy, revision, one) for one in order]
    groups: list[JsonObject] = [
        {"name": name, "clusters": [{"cluster_name": name, "weight": 1}]} for name in names
    ]
    return {
        "extension": {
            "name": names[0],
            "typed_config": {"@type": _PRIORITY_GROUPS, "priority_groups": groups},
        }
    }


def _entry(predicate: JsonObject, on_match: JsonObject) -> JsonObject:
    return {"predicate": predicate, "on_match": on_match}


def _header(name: str, value: str) -> JsonObject:
    return {"header": {"key": name, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}


def _seconds(duration_s: float) -> str:
    return f"{duration_s:.3f}s"
