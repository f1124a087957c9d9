"""Where a request goes in the end: named routes, each with who answers, who helps out and what is logged."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from rollout.domain.assignment import (
    BASELINE,
    Block,
    Leaf,
    Placement,
    arm_index,
    arm_name,
    leaf_name,
    route_name,
)
from rollout.domain.policy import RETRY_PAUSE_S, MirrorStep, Resilience
from rollout.envoy.clusters import cluster_name
from rollout.envoy.document import ROLLOUT, TYPE, Json, JsonObject
from rollout.envoy.endpoints import endpoint_of
from rollout.envoy.own_headers import KEPT_BY_COPY, kept, own_headers, setting

VARIANT_HEADER: Final = "x-rollout-variant"
UNIT_HEADER: Final = "x-rollout-unit"
SHADOW_HEADER: Final = "x-rollout-shadow"
"""Marks a copy, so that its server and the log of attempts tell it from a request."""

NOTHING_MORE: Final[Mapping[str, Json]] = MappingProxyType({})
_PRIORITY_GROUPS: Final = (
    TYPE + "envoy.extensions.router.cluster_specifiers.priority_group.v3.PriorityGroupClusterSpecifier"
)


def block_action(placement: Placement, block: Block) -> JsonObject:
    """Return the route of an analysed block."""
    name = route_name(placement.policy, block.arm, block.number)
    return _action(placement, name, arm_index(block.arm))


def leaf_action(placement: Placement, leaf: Leaf, arm: int = BASELINE) -> JsonObject:
    """Return the route of a leaf, which `arm` answers."""
    return _action(placement, leaf_name(placement.policy, leaf), arm, is_logged=leaf is not Leaf.OUTSIDE)


def mirror_action(placement: Placement, step: MirrorStep) -> JsonObject:
    """Return the route whose requests are copied to every candidate, each by its own chance."""
    copies = [_copies(placement, arm, step.share_bp) for arm in range(1, placement.policy.arms)]
    name = leaf_name(placement.policy, Leaf.MIRROR)
    return _action(placement, name, BASELINE, {"request_mirror_policies": copies})


def server(placement: Placement, arm: int) -> JsonObject:
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


def header(name: str, value: str) -> JsonObject:
    """Return a header that is set whether or not it was there."""
    return {"header": {"key": name, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}


def _action(
    placement: Placement,
    name: str,
    arm: int,
    more: Mapping[str, Json] = NOTHING_MORE,
    *,
    is_logged: bool = True,
) -> JsonObject:
    policy = placement.policy
    unit = header(UNIT_HEADER, f"%REQ({policy.unit_header})%")
    # The arm stands in every route as it is: looking it up in the route's labels costs 3 % of a request.
    variant = header(VARIANT_HEADER, arm_name(arm))
    labels: JsonObject = {"revision": str(placement.revision)}
    names = own_headers(policy)
    route: dict[str, Json] = {
        "@type": TYPE + "envoy.config.route.v3.Route",
        "name": name,
        "match": {"prefix": "/"},
        "metadata": {"filter_metadata": {ROLLOUT: labels}},
        "route": {
            "cluster_specifier_plugin": cluster_name(policy, placement.revision, arm),
            "auto_host_rewrite": True,
            **_resilience(policy.resilience),
            **more,
        },
        "request_headers_to_add": [variant, unit] if is_logged else [variant],
        "response_headers_to_add": [variant],
        **({"typed_per_filter_config": kept(names)} if names else {}),
    }
    return {"action": {"name": "route", "typed_config": route}}


def _copies(placement: Placement, arm: int, share_bp: int) -> JsonObject:
    policy = placement.policy
    mutations = [setting(SHADOW_HEADER, "1"), setting(VARIANT_HEADER, arm_name(arm))]
    mutations += [setting(KEPT_BY_COPY + name, f"%REQ({name})%") for name in own_headers(policy)]
    return {
        "cluster": cluster_name(policy, placement.revision, arm),
        "runtime_fraction": {"default_value": {"numerator": share_bp, "denominator": "TEN_THOUSAND"}},
        "disable_shadow_host_suffix_append": True,
        "host_rewrite_literal": endpoint_of(policy.candidates[arm - 1].url).authority,
        "request_headers_mutations": mutations,
    }


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


def _seconds(duration_s: float) -> str:
    return f"{duration_s:.3f}s"
