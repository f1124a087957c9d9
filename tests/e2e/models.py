"""Two model servers of a test's own, and ports that nobody listens on."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


class Model(ThreadingHTTPServer):
    """Answers everything with its version; a share of its answers fails."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, version: str, fails: float) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.version, self.fails, self.chance = version, fails, random.Random(version)  # noqa: S311 (a story)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a caller that was killed."""


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Model

    def do_GET(self) -> None:
        body = self.server.version.encode()
        self.send_response(500 if self.server.chance.random() < self.server.fails else 200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the library's name)
        """Say nothing."""


@contextmanager
def model(version: str, *, fails: float = 0.0) -> Iterator[str]:
    """Serve a model, and yield its address."""
    server = Model(version, fails)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
