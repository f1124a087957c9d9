"""Servers on real sockets that answer wrongly, slowly or never."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from urllib.parse import parse_qs, urlsplit

Answering = Callable[[socket.socket, str, threading.Event], None]
"""Answers one query on one connection; the event is set when the test is over."""
EVERY_S = 0.02
FRESH = ("label_replace(", "time()")


@contextmanager
def serving(
    answering: Answering, heads: list[str] | None = None, *, is_listening: bool = True
) -> Iterator[str]:
    """Yield the address of a server that answers every connection in a thread of its own."""
    listener, over = socket.create_server(("127.0.0.1", 0)), threading.Event()
    threads: list[threading.Thread] = []

    def serve() -> None:
        while not over.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=answer, args=(connection,), daemon=True)
            threads.append(thread)
            thread.start()

    def answer(connection: socket.socket) -> None:
        # Whoever asked may have left: that is the point of most of these.
        with connection, suppress(OSError):
            head = _head(connection) if is_listening else ""
            if heads is not None:
                heads.append(head)
            answering(connection, _query(head), over)

    accepting = threading.Thread(target=serve, daemon=True)
    accepting.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        over.set()
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for thread in (accepting, *threads):
            thread.join(10)


def _head(connection: socket.socket) -> str:
    head = b""
    while b"\r\n\r\n" not in head and (piece := connection.recv(65_536)):
        head += piece
    return head.decode()


def _query(head: str) -> str:
    _, _, target = head.partition(" ")
    return parse_qs(urlsplit(target.partition(" ")[0]).query).get("query", [""])[0]


def http(body: bytes, status: str = "200 OK", headers: str = "") -> bytes:
    """Return a whole answer."""
    return (
        f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n{headers}Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body


def good(kind: str, result: object, **more: object) -> bytes:
    """Return a body as Prometheus writes it."""
    return json.dumps({"status": "success", "data": {"resultType": kind, "result": result}, **more}).encode()


def the_time(off_s: float = 0.0) -> bytes:
    """Return what `time()` is answered."""
    now_s = time.time() + off_s
    return good("scalar", [now_s, str(now_s)])


def matrix(*series: Sequence[Sequence[object]], **more: object) -> bytes:
    """Return series of pairs of time and value."""
    return good(
        "matrix",
        [{"metric": {"pod": str(number)}, "values": values} for number, values in enumerate(series)],
        **more,
    )


def answers(body: bytes, times: Sequence[float] = ()) -> Answering:
    """Answer a query with a whole HTTP answer, and what is asked about time and freshness as it should be."""

    def answering(connection: socket.socket, query: str, _over: threading.Event) -> None:
        if query.startswith("label_replace("):
            connection.sendall(http(matrix([[at, "1"] for at in times])))
        else:
            connection.sendall(http(the_time()) if query == "time()" else body)

    return answering


def silent(_connection: socket.socket, _query: str, over: threading.Event) -> None:
    over.wait(60)


def drips_head(connection: socket.socket, _query: str, over: threading.Event) -> None:
    """Send one byte of an endless heading at a time."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Endless: ")
    while not over.wait(EVERY_S):
        connection.sendall(b"x")


def drips_body(connection: socket.socket, _query: str, over: threading.Event) -> None:
    """Send one byte of a body at a time."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while not over.wait(EVERY_S):
        connection.sendall(b" ")


def drips_unsized(connection: socket.socket, _query: str, over: threading.Event) -> None:
    """Send one byte of a body without a length at a time: cut off, it would look whole."""
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + the_time())
    while not over.wait(EVERY_S):
        connection.sendall(b" ")


def endless(connection: socket.socket, _query: str, over: threading.Event) -> None:
    """Send a body that never ends as fast as it is read."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    piece = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    while not over.is_set():
        connection.sendall(piece)


def cut_short(connection: socket.socket, _query: str, _over: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")


def hangs_up(_connection: socket.socket, _query: str, _over: threading.Event) -> None:
    """Close without a word."""


def garbage(connection: socket.socket, _query: str, _over: threading.Event) -> None:
    connection.sendall(bytes(range(256)) * 16)


def drips_handshake(connection: socket.socket, _query: str, over: threading.Event) -> None:
    """Begin a message of a TLS handshake, and send one byte of it at a time."""
    connection.sendall(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc\x03\x03")
    while not over.wait(EVERY_S):
        connection.sendall(b"x")
