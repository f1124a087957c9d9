"""Slow clients: a connection that gives nothing is ended, and nobody else waits for it."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path

from rollout.envoy.bootstrap import Address, bootstrap
from tests.envoy.examples import free_port
from tests.security.exposed import ENDS_WITHIN_S, UNIT, codes, exposed, head

CLIENTS = 200
LIMIT_S = 0.5


def drip(connections: list[socket.socket]) -> list[bytes]:
    """Send a letter of each request's headers now and then, until every connection has an answer."""
    answers: dict[int, bytes] = {}
    ends_s = time.monotonic() + ENDS_WITHIN_S
    while len(answers) < len(connections) and time.monotonic() < ends_s:
        for number, connection in enumerate(connections):
            if number in answers:
                continue
            try:
                connection.sendall(b"a")
                answers[number] = connection.recv(65_536)
            except BlockingIOError:
                pass
            except (BrokenPipeError, ConnectionResetError):
                answers[number] = b""
        time.sleep(0.02)
    return list(answers.values())


def test_headers_that_never_end_are_cut_off_while_others_are_served(tmp_path: Path) -> None:
    listen = Address(free_port(), headers_within_s=LIMIT_S)
    with exposed(tmp_path, listen) as front:
        slow = [socket.create_connection(("127.0.0.1", front.port)) for _ in range(CLIENTS)]
        for connection in slow:
            connection.sendall(b"GET /churn HTTP/1.1\r\nhost: users.example\r\n")
            connection.settimeout(0)
        assert codes(front.send(head("/churn", f"{UNIT}: somebody"))) == [200]
        answers = drip(slow)
        for connection in slow:
            connection.close()
        assert len(answers) == CLIENTS, "every one was ended"
        assert {code for answer in answers for code in codes(answer)} == {408}
        assert front.targets() == ["/churn"]


def test_a_body_that_stops_and_a_connection_that_says_nothing_are_ended(tmp_path: Path) -> None:
    listen = Address(free_port(), silent_s=LIMIT_S, idle_s=LIMIT_S)
    with exposed(tmp_path, listen) as front:
        half = head("/churn", f"{UNIT}: somebody", "content-length: 100", method="POST") + b"half"
        with socket.create_connection(("127.0.0.1", front.port), timeout=ENDS_WITHIN_S) as silent:
            assert codes(front.send(half)) == [408]
            assert silent.recv(1) == b"", "ended without an answer"


def test_what_runs_has_limits() -> None:
    start_file = json.loads(json.dumps(bootstrap(Address(1), "admin")))
    (listener,) = start_file["static_resources"]["listeners"]
    limits = listener["filter_chains"][0]["filters"][0]["typed_config"]
    assert (limits["request_headers_timeout"], limits["stream_idle_timeout"]) == ("10s", "60s")
    assert limits["common_http_protocol_options"]["idle_timeout"] == "300s"
    assert limits["max_request_headers_kb"] == 16
    monitors = start_file["overload_manager"]["resource_monitors"]
    most = [one["typed_config"].get("max_active_downstream_connections") for one in monitors]
    assert 20_000 in most
