"""CDS: one cluster for each version that answers, named after experiment, revision and arm."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from rollout.domain.assignment import Placement, arm_name
from rollout.domain.policy import Policy, Version
from rollout.envoy.document import TYPE, Document, Json, JsonObject, Kind

HTTP_PORT: Final = 80
# The defaults (3 retries, 1,024 requests at once) turn a fallback of many into a 503: an overflow is never
# retried.
_UNLIMITED: Final = 100_000
_LIMITS: Final = ("max_connections", "max_pending_requests", "max_requests", "max_retries")
# Shorter than the 5 s after which common model servers close a connection: a request sent into the closing
# would count as a failed attempt.
_IDLE: Final = "4s"


def cluster_name(policy: Policy, revision: int, arm: int) -> str:
    """Return the name under which Envoy logs who served; no revision alters the clusters of another."""
    return f"{policy.name}/{revision}/{arm_name(arm)}"


def clusters(placements: Iterable[Placement]) -> Document:
    """Return the clusters of all arms."""
    return Document.of(
        Kind.CLUSTERS,
        [
            _cluster(cluster_name(placement.policy, placement.revision, arm), version)
            for placement in placements
            for arm, version in enumerate((placement.policy.baseline, *placement.policy.candidates))
        ],
    )


def address_of(url: str) -> tuple[str, int]:
    """Return host and port of `http://host:port`, or raise ValueError with what is wrong."""
    parts = urlsplit(url)
    if parts.scheme == "https":
        raise ValueError("TLS to a model server is not supported yet")
    if parts.scheme != "http" or not parts.hostname:
        raise ValueError("it is not of the form http://host:port")
    if parts.path not in {"", "/"} or parts.query or parts.fragment or parts.username is not None:
        raise ValueError("it holds more than a host and a port")
    return parts.hostname, parts.port or HTTP_PORT


def _cluster(name: str, version: Version) -> JsonObject:
    host, port = address_of(version.url)
    address: JsonObject = {"socket_address": {"address": host, "port_value": port}}
    thresholds: dict[str, Json] = dict.fromkeys(_LIMITS, _UNLIMITED)
    options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    return {
        "@type": TYPE + "envoy.config.cluster.v3.Cluster",
        "name": name,
        "connect_timeout": "0.25s",
        **_resolution(host),
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
        },
        "circuit_breakers": {"thresholds": [thresholds]},
        # The panic threshold stays at its default: with 0, and every host ejected, nothing falls back.
        "outlier_detection": {
            "consecutive_5xx": 5,
            "interval": "1s",
            "base_ejection_time": "5s",
            "max_ejection_percent": 100,
        },
        "typed_extension_protocol_options": {
            options: {
                "@type": TYPE + options,
                "common_http_protocol_options": {"idle_timeout": _IDLE},
                "explicit_http_config": {"http_protocol_options": {}},
            }
        },
    }


def _resolution(host: str) -> JsonObject:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return {"type": "STRICT_DNS", "dns_lookup_family": "V4_PREFERRED"}
    return {"type": "STATIC"}
