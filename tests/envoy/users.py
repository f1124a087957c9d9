"""Users of the proxy: requests written byte by byte, many at once on connections that stay open."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

CONNECTIONS = 32


@dataclass(frozen=True, slots=True)
class Request:
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def raw(self) -> bytes:
        lines = [f"GET {self.path} HTTP/1.1", "host: users.example", *map(": ".join, self.headers.items())]
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


async def _read(reader: asyncio.StreamReader) -> Answer:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    start, *lines = head.split("\r\n")[:-2]
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    body = await reader.readexactly(int(headers["content-length"]))
    return Answer(int(start.split(" ", 2)[1]), headers, body)


async def _connection(
    port: int, waiting: list[tuple[int, Request]], answers: dict[int, Answer], answered: Callable[[int], None]
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while waiting:  # one after the other: Envoy cuts off who pipelines requests that it refuses itself
        number, request = waiting.pop()
        writer.write(request.raw)
        answers[number] = await _read(reader)
        answered(len(answers))
    writer.close()
    await writer.wait_closed()


async def _all(port: int, requests: Sequence[Request], answered: Callable[[int], None]) -> list[Answer]:
    waiting, answers = list(enumerate(requests)), dict[int, Answer]()
    await asyncio.gather(*(_connection(port, waiting, answers, answered) for _ in range(CONNECTIONS)))
    return [answers[number] for number in range(len(requests))]


def send(
    port: int, requests: Sequence[Request], answered: Callable[[int], None] = lambda _: None
) -> list[Answer]:
    """Send the requests, in no particular order, and return the answers in theirs.

    `answered` hears how many answers there are.
    """
    return asyncio.run(_all(port, requests, answered))
