"""CDS: one cluster for each version that answers, named after experiment, revision and arm."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rollout.domain.assignment import Placement, arm_name
from rollout.domain.policy import Policy, Version
from rollout.envoy.document import TYPE, Document, Json, JsonObject, Kind
from rollout.envoy.endpoints import Endpoint, endpoint_of, is_ip
from rollout.envoy.own_headers import upstream_filters
from rollout.envoy.upstreams import Upstreams, ca_file

# The defaults (3 retries, 1,024 requests at once) turn a fallback of many into a 503: an overflow is never
# retried.
_UNLIMITED: Final = 100_000
_LIMITS: Final = ("max_connections", "max_pending_requests", "max_requests", "max_retries")
# Shorter than the 5 s after which common model servers close a connection: a request sent into the closing
# would count as a failed attempt.
_IDLE: Final = "4s"
_HEALTH_EVERY: Final = "2s"
_HEALTH_WITHIN: Final = "1s"
_OPTIONS: Final = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_TLS: Final = TYPE + "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"


def cluster_name(policy: Policy, revision: int, arm: int) -> str:
    """Return the name under which Envoy logs who served; no revision alters the clusters of another."""
    return f"{policy.name}/{revision}/{arm_name(arm)}"


def clusters(placements: Iterable[Placement], upstreams: Upstreams) -> Document:
    """Return the clusters of all arms; every name that they use is known."""
    return Document.of(
        Kind.CLUSTERS,
        [
            _cluster(placement, arm, upstreams)
            for placement in placements
            for arm in range(placement.policy.arms)
        ],
    )


def _cluster(placement: Placement, arm: int, upstreams: Upstreams) -> JsonObject:
    policy = placement.policy
    name = cluster_name(policy, placement.revision, arm)
    version = (policy.baseline, *policy.candidates)[arm]
    endpoint = endpoint_of(version.url)
    address: JsonObject = {"socket_address": {"address": endpoint.host, "port_value": endpoint.port}}
    # Always named: what one version hears as its host must not be left over for the next attempt.
    server: JsonObject = {"address": address, "hostname": endpoint.authority}
    thresholds: dict[str, Json] = dict.fromkeys(_LIMITS, _UNLIMITED)
    return {
        "@type": TYPE + "envoy.config.cluster.v3.Cluster",
        "name": name,
        "connect_timeout": "0.25s",
        **_resolution(endpoint),
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": server}]}],
        },
        **_transport(version, endpoint, upstreams),
        "circuit_breakers": {"thresholds": [thresholds]},
        # The panic threshold stays at its default: with 0, and every host ejected, nothing falls back.
        "outlier_detection": {
            "consecutive_5xx": 5,
            "interval": "1s",
            "base_ejection_time": "5s",
            "max_ejection_percent": 100,
        },
        **_health_checks(version, endpoint),
        "typed_extension_protocol_options": {_OPTIONS: _protocol(policy, version, upstreams)},
    }


def _protocol(policy: Policy, version: Version, upstreams: Upstreams) -> JsonObject:
    spoken = "http2_protocol_options" if version.http2 else "http_protocol_options"
    file = None if version.credential is None else upstreams.credential_files[version.credential]
    filters = upstream_filters(policy, version, file)
    return {
        "@type": TYPE + _OPTIONS,
        "common_http_protocol_options": {"idle_timeout": _IDLE},
        "explicit_http_config": {spoken: {}},
        **({"http_filters": filters} if filters else {}),
    }


def _transport(version: Version, endpoint: Endpoint, upstreams: Upstreams) -> JsonObject:
    """Return TLS, where the address asks for it: by a trusted authority, for the right name."""
    if not endpoint.is_tls:
        return {}
    name = (version.tls.server_name if version.tls is not None else None) or endpoint.host
    kind = "IP_ADDRESS" if is_ip(name) else "DNS"
    trusted: JsonObject = {"trusted_ca": {"filename": ca_file(version, upstreams)}}
    names: list[Json] = [{"san_type": kind, "matcher": {"exact": name}}]
    context: dict[str, Json] = {
        "@type": _TLS,
        "common_tls_context": {
            "alpn_protocols": ["h2" if version.http2 else "http/1.1"],
            "validation_context": {**trusted, "match_typed_subject_alt_names": names},
        },
    }
    if not is_ip(name):
        context["sni"] = name
    return {"transport_socket": {"name": "tls", "typed_config": context}}


def _health_checks(version: Version, endpoint: Endpoint) -> JsonObject:
    if version.health_check is None:
        return {}
    asked: JsonObject = {
        "path": version.health_check,
        "host": endpoint.authority,
        "codec_client_type": "HTTP2" if version.http2 else "HTTP1",
        "expected_statuses": [{"start": 200, "end": 300}],
    }
    check: JsonObject = {
        "timeout": _HEALTH_WITHIN,
        "interval": _HEALTH_EVERY,
        # Else a version that no request has reached yet would be asked once a minute.
        "no_traffic_interval": _HEALTH_EVERY,
        "unhealthy_threshold": 2,
        "healthy_threshold": 1,
        "http_health_check": asked,
    }
    return {"health_checks": [check]}


def _resolution(endpoint: Endpoint) -> JsonObject:
    if endpoint.is_ip:
        return {"type": "STATIC"}
    return {"type": "STRICT_DNS", "dns_lookup_family": "V4_PREFERRED"}
