"""An upstream that keeps every byte which reaches it, cut into requests as strictly as the standard says."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BufferedIOBase
from typing import cast

LARGEST_LINE = 2**20


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as it arrived."""

    target: str
    lines: tuple[bytes, ...]
    """Its headers, unchanged."""
    body: bytes

    @property
    def fields(self) -> list[tuple[str, bytes]]:
        parted = (line.partition(b":") for line in self.lines)
        return [(name.decode("latin-1").lower(), value.strip(b" \t")) for name, _, value in parted]

    def values(self, name: str) -> list[bytes]:
        return [value for found, value in self.fields if found == name]


@dataclass(slots=True)
class Watched:
    """A running server and what has reached it."""

    name: str
    url: str
    status: int = 200
    seen: list[Seen] = field(default_factory=list)
    strange: list[bytes] = field(default_factory=list)
    """What was no request."""


class _Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        watched = cast("_Server", self.server).watched
        while line := self.rfile.readline(LARGEST_LINE):
            seen = _rest(line, self.rfile)
            if seen is None:
                watched.strange.append(line)
                return
            watched.seen.append(seen)
            body = watched.name.encode()
            start = b"HTTP/1.1 %d -\r\ncontent-length: %d\r\n\r\n" % (watched.status, len(body))
            self.wfile.write(start + body)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, name: str, status: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.watched = Watched(name, f"http://127.0.0.1:{self.server_address[1]}", status)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a caller that left."""


@contextmanager
def watched(name: str, status: int = 200) -> Iterator[Watched]:
    """Serve until the block ends; every answer's body is the name."""
    server = _Server(name, status)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.watched
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _rest(start: bytes, stream: BufferedIOBase) -> Seen | None:
    """Return the request that a line begins; nothing when it is none."""
    words = start.removesuffix(b"\r\n").split(b" ")
    if not start.endswith(b"\r\n") or len(words) != 3 or words[2] != b"HTTP/1.1":
        return None
    lines: list[bytes] = []
    while (line := stream.readline(LARGEST_LINE)) != b"\r\n":
        if not line.endswith(b"\r\n") or line[:1] in b" \t":
            return None
        lines.append(line.removesuffix(b"\r\n"))
    head = Seen(words[1].decode("latin-1"), tuple(lines), b"")
    lengths, codings = head.values("content-length"), head.values("transfer-encoding")
    if len(lengths) + len(codings) > 1:
        return None
    if codings:
        return Seen(head.target, head.lines, b"".join(_chunks(stream)))
    return Seen(head.target, head.lines, stream.read(int(lengths[0])) if lengths else b"")


def _chunks(stream: BufferedIOBase) -> Iterator[bytes]:
    while size := int(stream.readline(LARGEST_LINE), 16):
        yield stream.read(size)
        assert stream.readline(LARGEST_LINE) == b"\r\n"
    while stream.readline(LARGEST_LINE) != b"\r\n":
        pass
