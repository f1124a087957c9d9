"""RDS: every block of every step as its own named route; a function of the frozen policies alone."""

from __future__ import annotations

from collections.abc import Sequence

from rollout.domain.assignment import Placement
from rollout.envoy import matchers
from rollout.envoy.destinations import server
from rollout.envoy.document import ROLLOUT, TYPE, Document, JsonObject, Kind
from rollout.envoy.tree import tree

EVERY_HOST = "*"


def routes(placements: Sequence[Placement]) -> Document:
    """Return the routes of all policies; the splits do not matter here."""
    by_host: dict[str, list[Placement]] = {}
    for placement in placements:
        by_host.setdefault(host_of(placement), []).append(placement)
    return Document.of(
        Kind.ROUTES,
        [
            {
                "@type": TYPE + "envoy.config.route.v3.RouteConfiguration",
                "name": ROLLOUT,
                "cluster_specifier_plugins": [
                    server(placement, arm) for placement in placements for arm in range(placement.policy.arms)
                ],
                "virtual_hosts": [_host(host, own) for host, own in by_host.items()],
            }
        ],
    )


def host_of(placement: Placement) -> str:
    """Return whose requests a policy gets: one host's, or those of every host without a policy of its own."""
    return (placement.policy.host or EVERY_HOST).lower()


def stem_of(placement: Placement) -> str:
    """Return a policy's path without the slash at its end: nothing for the root."""
    return placement.policy.path.rstrip("/")


def _host(host: str, placements: Sequence[Placement]) -> JsonObject:
    """Return one host: the longest path that ends at a boundary, then the next shorter one."""
    by_path = {stem_of(placement) or "/": _owned(placement) for placement in placements}
    return {
        "name": host,
        "domains": [host] if host == EVERY_HOST else [host, f"{host}:*"],
        "matcher": {
            "matcher_tree": {
                "input": matchers.header_input(matchers.PATH),
                "prefix_match_map": {"map": by_path},
            }
        },
    }


def _owned(placement: Placement) -> JsonObject:
    stem = stem_of(placement)
    if not stem:
        return {"matcher": tree(placement)}
    here = {"predicate": matchers.at_boundary(stem), "on_match": {"matcher": tree(placement)}}
    return {"matcher": {"matcher_list": {"matchers": [here]}}}
