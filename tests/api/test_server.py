"""The server: slow, silent, oversized and too many connections are ended, and it says nothing of itself."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from rollout.api.app import create_app
from rollout.api.server import LARGEST_HEAD, server_of
from tests.envoy.examples import until

LIMIT_S = 0.3
ENDS_WITHIN_S = 20.0
ASK = b"GET /healthz HTTP/1.1\r\nhost: a\r\n"
WHOLE = ASK + b"connection: close\r\n\r\n"


@contextmanager
def served(most_connections: int = 50, head_within_s: float = LIMIT_S) -> Iterator[int]:
    """Yield the port of a server."""
    server = server_of(create_app([]), most_connections=most_connections, head_within_s=head_within_s)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            assert until(lambda: server.started)
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(ENDS_WITHIN_S)


def connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=ENDS_WITHIN_S)


def until_closed(connection: socket.socket) -> bytes:
    received = b""
    try:
        while part := connection.recv(65_536):
            received += part
    except ConnectionResetError:
        pass  # closed before it had read everything
    return received


@pytest.mark.parametrize(
    "sent", [b"", b"GET /healthz HT", ASK, ASK + b"\r\n" + ASK], ids=["silent", "line", "head", "next"]
)
def test_a_head_that_does_not_end_ends_the_connection(sent: bytes) -> None:
    with served() as port, connected(port) as slow:
        slow.sendall(sent)
        assert until_closed(slow).count(b"HTTP/1.1 200") == sent.count(b"\r\n\r\n")


def test_a_body_that_nobody_waits_for_does_not_keep_its_connection() -> None:
    with served() as port, connected(port) as slow:
        slow.sendall(b"POST /nowhere HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\nhalf")
        assert until_closed(slow).startswith(b"HTTP/1.1 404")


def test_a_request_that_comes_in_time_is_answered_however_often() -> None:
    with served(head_within_s=ENDS_WITHIN_S) as port, connected(port) as quick:
        for _ in range(5):
            quick.sendall(ASK + b"\r\n")
            answer = b""
            while not answer.endswith(b'"fine"}'):
                answer += quick.recv(65_536)
            assert answer.startswith(b"HTTP/1.1 200")
            assert b"server:" not in answer.lower()
        quick.sendall(ASK + b"\r\n" + WHOLE)
        assert until_closed(quick).count(b"HTTP/1.1 200") == 2


def test_more_connections_than_there_may_be_are_told_so() -> None:
    with served(most_connections=10, head_within_s=ENDS_WITHIN_S) as port, ExitStack() as held:
        for _ in range(10):
            held.enter_context(connected(port)).sendall(ASK)
        late = held.enter_context(connected(port))
        late.sendall(WHOLE)
        assert until_closed(late).startswith(b"HTTP/1.1 503")


def test_a_head_that_is_too_large_is_refused() -> None:
    with served(head_within_s=ENDS_WITHIN_S) as port, connected(port) as fat:
        fat.sendall(ASK + b"x-fat: " + b"a" * (2 * LARGEST_HEAD))
        received = until_closed(fat)
        assert received == b"" or received.startswith(b"HTTP/1.1 400"), "a reset may overtake the answer"
