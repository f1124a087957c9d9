"""One question over HTTP that ends in time, whatever the server does: no redirect, retry or large body."""

from __future__ import annotations

import io
import threading
import time
from contextlib import suppress
from socket import SHUT_RDWR, socket
from types import TracebackType
from typing import Any, Final, Self

from requests import PreparedRequest, Response, Session, Timeout
from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool

LARGEST_BODY: Final = 2**20
_PIECE: Final = 16_384


class TooLate(Exception):
    """Nothing, or not all, came before the deadline."""


class TooLarge(Exception):
    """More came than any answer to one poll can be."""


class BoundedSession(Session):
    """A session for one question: it reads a body whole before the deadline, or raises.

    A time limit of a socket is for each of its reads, and a server that sends a byte a second keeps them all.
    So the connection itself is cut at the deadline.
    """

    def __init__(self, deadline_s: float, *, verify: str | bool = True) -> None:
        super().__init__()
        self._deadline_s = deadline_s
        self._cut = _Cut(deadline_s)
        # Neither proxies nor .netrc of whoever started this process: a token goes where the settings say.
        self.trust_env = False
        # A body is bounded as it comes: nothing is unpacked.
        self.headers.update({"Accept-Encoding": "identity", "Connection": "close"})
        self.verify = verify
        self.body = b""
        """The last answer's body, also where its status is an error."""
        self.status = 0

    def __enter__(self) -> Self:
        """Begin to measure the time."""
        self._cut.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close whatever is open."""
        self._cut.end()
        self.close()

    def send(self, request: PreparedRequest, **kwargs: Any) -> Response:  # noqa: ANN401 (as its base says)
        """Send one request and read its answer; raises `TooLate` or `TooLarge`."""
        left_s = self._deadline_s - time.monotonic()
        if left_s <= 0:
            raise TooLate
        try:
            response = super().send(
                request, **{**kwargs, "stream": True, "allow_redirects": False, "timeout": (left_s, left_s)}
            )
            with response:
                self.body = self._read(response)
        except Timeout:
            raise TooLate from None
        except Exception:
            if self._cut.is_over or time.monotonic() >= self._deadline_s:
                raise TooLate from None
            raise
        if self._cut.is_over:
            # What a cut connection gave looks whole where its length was not told.
            raise TooLate
        self.status = response.status_code
        response.raw = io.BytesIO(self.body)
        return response

    def get_redirect_target(self, resp: Response) -> str | None:  # noqa: ARG002 (as its base says)
        """Follow nothing: a token would go along."""
        return None

    def get_adapter(self, url: str) -> BaseAdapter:  # noqa: ARG002 (as its base says)
        """Return an adapter whose connections can be cut, whatever was mounted."""
        return _Adapter(self._cut)

    @staticmethod
    def _read(response: Response) -> bytes:
        found = bytearray()
        for piece in response.raw.stream(_PIECE, decode_content=False):
            found += piece
            if len(found) > LARGEST_BODY:
                raise TooLarge
        return bytes(found)


class _Cut:
    """Shuts every connection at the deadline, in whatever it waits."""

    def __init__(self, deadline_s: float) -> None:
        self._timer = threading.Timer(max(deadline_s - time.monotonic(), 0.0), self._shut)
        self._timer.daemon = True
        self._turn = threading.Lock()
        self._open: list[socket] = []
        self.is_over = False

    def start(self) -> None:
        self._timer.start()

    def end(self) -> None:
        self._timer.cancel()

    def watch(self, connection: socket) -> None:
        with self._turn:
            self._open.append(connection)
            if self.is_over:
                _shut(connection)

    def _shut(self) -> None:
        with self._turn:
            self.is_over = True
            for connection in self._open:
                _shut(connection)


def _shut(connection: socket) -> None:
    with suppress(OSError):
        connection.shutdown(SHUT_RDWR)


class _Adapter(HTTPAdapter):
    """Tells a cut of every connection that is made; nothing is ever tried again."""

    def __init__(self, cut: _Cut) -> None:
        super().__init__(max_retries=0)
        self._cut = cut

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> HTTPConnectionPool:  # noqa: ANN401
        """Return a pool of connections that are watched."""
        pool = super().get_connection_with_tls_context(*args, **kwargs)
        pool.ConnectionCls = _watched(pool.ConnectionCls, self._cut)
        return pool


def _watched(kind: Any, cut: _Cut) -> type[HTTPConnection]:  # noqa: ANN401 (with TLS or without)
    class Watched(kind):  # type: ignore[misc]
        def connect(self) -> None:
            super().connect()
            cut.watch(self.sock)

    return Watched
