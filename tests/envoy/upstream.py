"""A small HTTP server in a process of its own, which answers with the headers that reached it."""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


class Answering(asyncio.Protocol):
    """Answers every request without a body alike."""

    def __init__(self, name: str, status: int, delay_s: float) -> None:
        self.name, self.status, self.delay_s = name, status, delay_s
        self.received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        *heads, self.received = (self.received + data).split(b"\r\n\r\n")
        for head in heads:
            asyncio.get_running_loop().call_later(self.delay_s, self.answer, head)

    def answer(self, head: bytes) -> None:
        lines = head.decode(errors="replace").split("\r\n")[1:]
        headers = {line.partition(":")[0].lower(): line.partition(":")[2].strip() for line in lines}
        body = json.dumps({"name": self.name, "headers": headers}).encode()
        start = (
            f"HTTP/1.1 {self.status} -\r\nx-rollout-variant: forged\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        self.transport.write(start.encode() + body)


async def serve(name: str, status: int, delay_s: float) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Answering(name, status, delay_s), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201 (whoever started us reads it)
    await server.serve_forever()


@dataclass(frozen=True, slots=True)
class Upstream:
    """A running server."""

    url: str
    process: subprocess.Popen[str]


@contextmanager
def serving(name: str, *, status: int = 200, delay_s: float = 0.0) -> Iterator[Upstream]:
    arguments = ["--name", name, "--status", str(status), "--delay-s", str(delay_s)]
    process = subprocess.Popen(
        [sys.executable, Path(__file__), *arguments], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield Upstream(f"http://127.0.0.1:{int(process.stdout.readline())}", process)
    finally:
        process.kill()
        process.communicate()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--name", required=True)
    parser.add_argument("--status", type=int, required=True)
    parser.add_argument("--delay-s", type=float, required=True)
    chosen = parser.parse_args()
    asyncio.run(serve(chosen.name, chosen.status, chosen.delay_s))
