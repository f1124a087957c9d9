"""What passes through untouched: events as they come, upgraded connections, the headers of a trace."""

from __future__ import annotations

import socket
import threading
import time
from dataclasses import replace
from pathlib import Path

from rollout.domain.assignment import CONTROL
from rollout.domain.policy import Resilience
from tests.envoy.examples import logged, placed, policy_for, running
from tests.envoy.scripted import LIMIT_S, head_of, scripted
from tests.envoy.upstream import serving
from tests.envoy.users import Request, send

TRACE = {
    "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "tracestate": "vendor=1",
    "b3": "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1",
    "x-b3-traceid": "80f198ee56343ba864fe8b2a57d3eff7",
    "x-request-id": "the client's own",
}


def received_until(connection: socket.socket, end: bytes) -> bytes:
    received = b""
    while end not in received:
        part = connection.recv(65_536)
        assert part, received
        received += part
    return received


def test_an_event_arrives_before_the_next_one_is_made(tmp_path: Path) -> None:
    arrived = threading.Event()

    def events(connection: socket.socket) -> None:
        head_of(connection)
        connection.sendall(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\ndata: 1\n\n"
        )
        assert arrived.wait(LIMIT_S)
        connection.sendall(b"data: 2\n\n")

    with scripted(events) as url, running(tmp_path) as (proxy, port):
        proxy.publish([placed(policy_for(url, url), 3)])
        with socket.create_connection(("127.0.0.1", port), timeout=LIMIT_S) as client:
            client.sendall(Request("/churn", {"x-user-id": "somebody"}).raw)
            first = received_until(client, b"data: 1\n\n")
            assert b"data: 2" not in first
            arrived.set()
            received_until(client, b"data: 2\n\n")
        line = logged(proxy, 1)[0]
    assert (line["code"], line["att"]) == (200, 1)


def test_an_upgraded_connection_passes_both_ways(tmp_path: Path) -> None:
    def echo(connection: socket.socket) -> None:
        assert b"upgrade: websocket" in head_of(connection).lower()
        connection.sendall(b"HTTP/1.1 101 -\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\nhello ")
        connection.sendall(connection.recv(5)[::-1])

    asked = {"x-user-id": "somebody", "connection": "upgrade", "upgrade": "websocket"}
    with scripted(echo) as url, running(tmp_path) as (proxy, port):
        policy = replace(policy_for(url, url), resilience=Resilience(timeout_s=0.5, per_try_timeout_s=0.2))
        proxy.publish([placed(policy, 3)])
        with socket.create_connection(("127.0.0.1", port), timeout=LIMIT_S) as client:
            client.sendall(Request("/churn", asked).raw)
            assert b" 101 " in received_until(client, b"hello ")
            time.sleep(0.8)  # longer than a whole answer may take
            client.sendall(b"world")
            assert received_until(client, b"dlrow") == b"dlrow"


def test_a_trace_goes_on_unchanged(tmp_path: Path) -> None:
    for attempt_log in (False, True):
        with (
            serving(CONTROL) as baseline,
            running(tmp_path / str(attempt_log), attempt_log=attempt_log) as (proxy, port),
        ):
            proxy.publish([placed(policy_for(baseline.url, baseline.url), 3)])
            seen = send(port, [Request("/churn", TRACE)])[0].seen["headers"]
        assert {name: seen[name] for name in TRACE} == TRACE
