"""Real receivers on this machine: a web server that answers as it is told, and a mail server."""

from __future__ import annotations

import json
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


@dataclass
class Got:
    """A request that came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def content(self) -> Any:  # noqa: ANN401 (whatever the JSON says)
        """What it says."""
        return json.loads(self.body)


@dataclass
class Web:
    """A web server; `answers` are given in turn, and after them 200 for ever."""

    port: int = 0
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    got: list[Got] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)
    hangs: str | None = None
    """`silent` answers nothing; `drip` sends one byte of its headers after another."""

    def taken(self, request: Got) -> tuple[int, dict[str, str]]:
        """Note a request, and return what is answered."""
        self.got.append(request)
        return self.answers.pop(0) if self.answers else (200, {})


@contextmanager
def web(certificate: Path | None = None) -> Iterator[Web]:
    """Serve until the block ends, in TLS where there is a certificate."""
    state = Web()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            request = Got(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            status, headers = state.taken(request)
            self.close_connection = True
            if state.hangs is not None:
                self._hang()
                return
            self.send_response(status)
            for name, value in {"content-length": "0", **headers}.items():
                self.send_header(name, value)
            self.end_headers()

        def _hang(self) -> None:
            self.wfile.write(b"HTTP/1.1 200 OK\r\nx-slow: ")
            while not state.released.wait(0.05):
                if state.hangs == "drip":
                    self.wfile.write(b"a")
                    self.wfile.flush()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    state.port = server.server_address[1]
    with _serving(server):
        yield state
        state.released.set()


@dataclass
class Mail:
    """A mail server."""

    port: int = 0
    letters: list[EmailMessage] = field(default_factory=list)
    refuses: str | None = None
    """What is answered to a recipient, such as `550 no such user`."""


@contextmanager
def mail() -> Iterator[Mail]:
    """Take mail until the block ends."""
    state = Mail()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self._say("220 tests")
            while line := self.rfile.readline():
                verb = line.decode("ascii", "replace").strip().upper()
                if verb.startswith("DATA"):
                    self._say("354 go on")
                    self._take()
                elif verb.startswith("QUIT"):
                    self._say("221 bye")
                    return
                elif verb.startswith("RCPT") and state.refuses is not None:
                    self._say(state.refuses)
                else:
                    self._say("250 fine")

        def _take(self) -> None:
            lines = []
            while (line := self.rfile.readline()) not in {b".\r\n", b""}:
                lines.append(line)
            found = message_from_bytes(b"".join(lines), policy=policy.default)
            assert isinstance(found, EmailMessage)
            state.letters.append(found)
            self._say("250 taken")

        def _say(self, line: str) -> None:
            self.wfile.write(f"{line}\r\n".encode())

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.port = server.server_address[1]
    with _serving(server):
        yield state


@contextmanager
def _serving(server: socketserver.TCPServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
