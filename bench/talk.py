"""Connections that ask one request at a time, for loads that must cost little themselves."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

Answered = Callable[[bytes], None]
"""Gets an answer's head, or nothing when the connection was lost before it was whole."""


class Talk(asyncio.Protocol):
    """One connection; it joins `idle` again after each whole answer."""

    def __init__(self, idle: deque[Talk]) -> None:
        self._idle, self._received = idle, b""
        self._answered: Answered | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        if isinstance(transport, asyncio.Transport):
            self._transport = transport

    def connection_lost(self, _error: Exception | None) -> None:
        """Never be used again; a request that waits counts as failed."""
        answered, self._answered, self._transport = self._answered, None, None
        if answered is not None:
            answered(b"")

    @property
    def is_open(self) -> bool:
        """Whether it may be used."""
        return self._transport is not None and not self._transport.is_closing()

    def ask(self, request: bytes, answered: Answered) -> None:
        """Send a request; `answered` gets the answer's head."""
        self._answered = answered
        if self._transport is not None:
            self._transport.write(request)

    def close(self) -> None:
        """Leave."""
        if self._transport is not None:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        """Hand over a head once its body is there too."""
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end or len(body) < int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]):
            return
        answered, self._answered, self._received = self._answered, None, b""
        self._idle.append(self)
        if answered is not None:
            answered(head + b"\r\n")


async def connected(port: int, idle: deque[Talk]) -> Talk:
    """Return a new connection, which is not idle yet."""
    _, talk = await asyncio.get_running_loop().create_connection(lambda: Talk(idle), "127.0.0.1", port)
    return talk
