"""The server of an application: bounded in connections, in a head's size, and in how long it may take."""

from __future__ import annotations

import asyncio
import ssl
from functools import partial
from typing import Any, Final, cast

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

MOST_CONNECTIONS: Final = 5_000
"""More than the nodes that may wait for a snapshot, each of which holds one."""
LARGEST_HEAD: Final = 32 * 1024
HEAD_WITHIN_S: Final = 10.0
"""From a connection's beginning, or the answer before, to the last byte of a request's head."""
ENDS_WITHIN_S: Final = 10
"""How long requests in flight may take when the server is told to end."""


def server_of(
    application: ASGIApp,
    *,
    tls: ssl.SSLContext | None = None,
    most_connections: int = MOST_CONNECTIONS,
    head_within_s: float = HEAD_WITHIN_S,
) -> uvicorn.Server:
    """Return a server that is ready to run; it says nothing of itself and writes no log of requests."""
    config = uvicorn.Config(
        application,
        http=cast("type[H11Protocol]", partial(_HeadInTime, head_within_s=head_within_s)),
        ws="none",
        limit_concurrency=most_connections,
        h11_max_incomplete_event_size=LARGEST_HEAD,
        timeout_graceful_shutdown=ENDS_WITHIN_S,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
    )
    config.load()
    config.ssl = tls
    return uvicorn.Server(config)


class _HeadInTime(H11Protocol):
    """Ends a connection on which no request begins in time: uvicorn itself waits for ever for a head."""

    def __init__(self, *arguments: Any, head_within_s: float, **named: Any) -> None:  # noqa: ANN401 (uvicorn's own)
        super().__init__(*arguments, **named)
        self._head_within_s = head_within_s
        self._limit: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a head."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._wait_no_longer()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """Wait for the next head; one that has come meanwhile ends this at once."""
        self._wait()
        super().on_response_complete()

    def handle_events(self) -> None:
        """Read on, and wait no longer once there is a request."""
        answered = self.cycle
        super().handle_events()
        if self.cycle is not answered:
            self._wait_no_longer()

    def _wait(self) -> None:
        self._wait_no_longer()
        self._limit = self.loop.call_later(self._head_within_s, self.transport.close)

    def _wait_no_longer(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None
