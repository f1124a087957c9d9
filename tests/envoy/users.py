"""Users of the proxy: requests written byte by byte, many at once on connections that stay open."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

CONNECTIONS = 32


@dataclass(frozen=True, slots=True)
class Request:
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    host: str = "users.example"
    again: Sequence[tuple[str, str]] = ()
    """Headers that come a second time."""

    @property
    def raw(self) -> bytes:
        lines = [f"GET {self.path} HTTP/1.1", f"host: {self.host}"]
        lines += map(": ".join, (*self.headers.items(), *self.again))
        return "\r\n".join(lines).encode() + b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Answer:
    code: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def variant(self) -> str | None:
        return self.headers.get("x-rollout-variant")

    @property
    def seen(self) -> Any:  # noqa: ANN401 (JSON)
        """What reached the server."""
        return json.loads(self.body)


class Connection(asyncio.Protocol):
    """Asks one after the other: Envoy cuts off who pipelines requests that it refuses itself."""

    def __init__(self, waiting: Iterator[tuple[int, bytes]], heard: Callable[[int, Answer], None]) -> None:
        self.waiting, self.heard = waiting, heard
        self.received = b""
        self.number = -1
        self.closed = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.ask()

    def ask(self) -> None:
        number, raw = next(self.waiting, (-1, b""))
        self.number = number
        if number < 0:
            self.transport.close()
        else:
            self.transport.write(raw)

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, end, rest = self.received.partition(b"\r\n\r\n")
        if not end:
            return
        start, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        length = int(headers["content-length"])
        if len(rest) >= length:
            self.received = rest[length:]
            self.heard(self.number, Answer(int(start[9:12]), headers, rest[:length]))
            self.ask()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.number >= 0:
            self.closed.set_exception(exc or ConnectionError("closed before the answer"))
        else:
            self.closed.set_result(None)


async def _all(port: int, requests: Sequence[Request], answered: Callable[[int], None]) -> list[Answer]:
    waiting = enumerate([request.raw for request in requests])
    answers = dict[int, Answer]()

    def heard(number: int, answer: Answer) -> None:
        answers[number] = answer
        answered(len(answers))

    async def connection() -> None:
        loop = asyncio.get_running_loop()
        _, made = await loop.create_connection(lambda: Connection(waiting, heard), "127.0.0.1", port)
        await made.closed

    await asyncio.gather(*(connection() for _ in range(min(CONNECTIONS, len(requests)))))
    return [answers[number] for number in range(len(requests))]


def send(
    port: int, requests: Sequence[Request], answered: Callable[[int], None] = lambda _: None
) -> list[Answer]:
    """Send the requests, in no particular order, and return the answers in theirs.

    `answered` hears how many answers there are.
    """
    return asyncio.run(_all(port, requests, answered))
