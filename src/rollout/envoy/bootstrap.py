"""What Envoy reads once, at its start: where it listens, its limits, and where its files are."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from rollout.envoy import degradation
from rollout.envoy.access_log import access_log, attempt_lines
from rollout.envoy.document import ROLLOUT, TYPE, Json, JsonObject, Kind
from rollout.envoy.own_headers import keep_filter

LISTENER: Final = "in"
HEALTH_PATH: Final = "/rollout-health"
"""Answers 200 to a load balancer, and 503 while the proxy drains."""
DRAIN_S: Final = 5
_OWNER_ONLY: Final = 0o600
_HTTP: Final = TYPE + "envoy.extensions.filters.http."
_HEAP_BYTES: Final = 2 * 1024**3
_CONNECTIONS: Final = 20_000


@dataclass(frozen=True, slots=True)
class Address:
    """Where the proxy accepts requests, and how long a client may take."""

    port: int
    host: str = "127.0.0.1"
    headers_within_s: float = 10.0
    """From a request's first byte to its headers' last."""
    silent_s: float = 60.0
    """How long nothing may move on a request."""
    idle_s: float = 300.0
    """How long a connection may stay without a request."""


def bootstrap(listen: Address, admin_socket: str, *, attempt_log: bool = False) -> JsonObject:
    """Return the start file; every path in it but the admin's is relative to Envoy's working folder.

    `attempt_log` writes a line for every attempt too, which copies of requests need and the rest pays for.
    """
    return {
        "node": {"id": ROLLOUT, "cluster": ROLLOUT},
        "admin": {"address": {"pipe": {"path": admin_socket, "mode": _OWNER_ONLY}}},
        "dynamic_resources": {"cds_config": _file(Kind.CLUSTERS)},
        "layered_runtime": {
            "layers": [{"name": ROLLOUT, "rtds_layer": {"name": ROLLOUT, "rtds_config": _file(Kind.WEIGHTS)}}]
        },
        "overload_manager": _overload(),
        "stats_config": _stats(),
        "static_resources": {"listeners": [_listener(listen, logs_attempts=attempt_log)]},
    }


def _file(kind: Kind) -> JsonObject:
    # No watched_directory: with one, any rename in the folder re-reads every file of it.
    return {"resource_api_version": "V3", "path_config_source": {"path": f"./{kind.file_name}"}}


def _overload() -> JsonObject:
    monitors = TYPE + "envoy.extensions.resource_monitors."
    return {
        "refresh_interval": "0.25s",
        "resource_monitors": [
            {
                "name": "envoy.resource_monitors.fixed_heap",
                "typed_config": {
                    "@type": monitors + "fixed_heap.v3.FixedHeapConfig",
                    "max_heap_size_bytes": _HEAP_BYTES,
                },
            },
            {
                "name": "envoy.resource_monitors.global_downstream_max_connections",
                "typed_config": {
                    "@type": monitors + "downstream_connections.v3.DownstreamConnectionsConfig",
                    "max_active_downstream_connections": _CONNECTIONS,
                },
            },
        ],
        "actions": [
            _when_heap_is("envoy.overload_actions.disable_http_keepalive", 0.92),
            _when_heap_is("envoy.overload_actions.stop_accepting_requests", 0.95),
        ],
    }


def _when_heap_is(action: str, share: float) -> JsonObject:
    trigger: JsonObject = {"name": "envoy.resource_monitors.fixed_heap", "threshold": {"value": share}}
    return {"name": action, "triggers": [trigger]}


def _stats() -> JsonObject:
    """Return what is counted: with everything, a thousand policies make 40 MB a scrape."""
    kept = ("cluster_manager.", f"http.{LISTENER}.", "listener.", "listener_manager.", "overload.")
    of_clusters = ("upstream_cx_active", "upstream_rq_active", *map(re.escape, degradation.KEPT))
    patterns: list[Json] = [{"prefix": prefix} for prefix in (*kept, "runtime.", "server.")]
    patterns.append({"safe_regex": {"regex": rf"cluster\..*\.({'|'.join(of_clusters)})"}})
    return {"stats_matcher": {"inclusion_list": {"patterns": patterns}}}


def _listener(listen: Address, *, logs_attempts: bool) -> JsonObject:
    return {
        "name": LISTENER,
        "address": {"socket_address": {"address": listen.host, "port_value": listen.port}},
        "per_connection_buffer_limit_bytes": 1024**2,
        "filter_chains": [
            {"filters": [{"name": "http", "typed_config": _connections(listen, logs_attempts=logs_attempts)}]}
        ],
    }


def _connections(listen: Address, *, logs_attempts: bool) -> JsonObject:
    return {
        "@type": TYPE + "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": LISTENER,
        "codec_type": "AUTO",
        "normalize_path": True,
        "merge_slashes": True,
        "path_with_escaped_slashes_action": "REJECT_REQUEST",
        "use_remote_address": True,
        # Drawing one costs, and only attempts are joined by it; a client's own is never replaced.
        "generate_request_id": logs_attempts,
        "preserve_external_request_id": True,
        "max_request_headers_kb": 16,
        "request_headers_timeout": f"{listen.headers_within_s:g}s",
        "stream_idle_timeout": f"{listen.silent_s:g}s",
        "drain_timeout": f"{DRAIN_S}s",
        "common_http_protocol_options": {
            "idle_timeout": f"{listen.idle_s:g}s",
            "max_headers_count": 64,
            "headers_with_underscores_action": "REJECT_REQUEST",
        },
        "http2_protocol_options": {"max_concurrent_streams": 100},
        "rds": {"route_config_name": ROLLOUT, "config_source": _file(Kind.ROUTES)},
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "access_log": [access_log(with_id=logs_attempts)],
        "http_filters": [keep_filter(), _strip(), _health(), _router(logs_attempts=logs_attempts)],
    }


def _strip() -> JsonObject:
    """Return the filter that takes `x-rollout-*` from clients; the chosen route adds its own later."""
    taken: JsonObject = {"remove_on_match": {"key_matcher": {"prefix": "x-rollout-"}}}
    kind = _HTTP + "header_mutation.v3.HeaderMutation"
    return {"name": "strip", "typed_config": {"@type": kind, "mutations": {"request_mutations": [taken]}}}


def _health() -> JsonObject:
    return {
        "name": "health",
        "typed_config": {
            "@type": _HTTP + "health_check.v3.HealthCheck",
            "pass_through_mode": False,
            "headers": [{"name": ":path", "string_match": {"exact": HEALTH_PATH}}],
        },
    }


def _router(*, logs_attempts: bool) -> JsonObject:
    # The router's own counters cost a tenth of a request, its headers a twentieth, and nobody reads them.
    kind = _HTTP + "router.v3.Router"
    config: JsonObject = {"@type": kind, "dynamic_stats": False, "suppress_envoy_headers": True}
    attempts: JsonObject = {"upstream_log": [attempt_lines()]} if logs_attempts else {}
    return {"name": "envoy.filters.http.router", "typed_config": {**config, **attempts}}
