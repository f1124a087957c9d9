"""A small HTTP server in a process of its own, which answers with the headers that reached it."""

from __future__ import annotations

import argparse
import asyncio
import json
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Manner:
    """How a server answers; a brief one says only whether anything forged arrived."""

    name: str
    status: int
    delay_s: float
    is_brief: bool
    record: str | None
    """The file that each request's headers are appended to."""


class Answering(asyncio.Protocol):
    """Answers every request without a body alike."""

    def __init__(self, manner: Manner) -> None:
        self.manner = manner
        self.received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        *heads, self.received = (self.received + data).split(b"\r\n\r\n")
        for head in heads:
            if self.manner.is_brief:
                self.write(b"forged" if b"forged" in head else b"")
            else:
                asyncio.get_running_loop().call_later(self.manner.delay_s, self.answer, head)

    def answer(self, head: bytes) -> None:
        first, *lines = head.decode(errors="replace").split("\r\n")
        headers = {line.partition(":")[0].lower(): line.partition(":")[2].strip() for line in lines}
        headers[":path"] = first.split(" ")[1]
        if self.manner.record is not None:
            with Path(self.manner.record).open("a", encoding="utf-8") as record:
                record.write(json.dumps(headers) + "\n")
        self.write(json.dumps({"name": self.manner.name, "headers": headers}).encode())

    def write(self, body: bytes) -> None:
        first = f"HTTP/1.1 {self.manner.status} -\r\nx-rollout-variant: forged\r\n"
        self.transport.write(f"{first}content-length: {len(body)}\r\n\r\n".encode() + body)


async def serve(manner: Manner, certificate: str | None) -> None:
    loop = asyncio.get_running_loop()
    context = None
    if certificate is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
    server = await loop.create_server(lambda: Answering(manner), "127.0.0.1", 0, backlog=1024, ssl=context)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201 (whoever started us reads it)
    await server.serve_forever()


@dataclass(frozen=True, slots=True)
class Upstream:
    """A running server."""

    port: int
    process: subprocess.Popen[str]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def serving(  # noqa: PLR0913 (each has a default)
    name: str,
    *,
    status: int = 200,
    delay_s: float = 0.0,
    is_brief: bool = False,
    record: Path | None = None,
    certificate: Path | None = None,
) -> Iterator[Upstream]:
    """Run a server; with a certificate (and its key, in one PEM file) it speaks TLS."""
    arguments = ["--name", name, "--status", str(status), "--delay-s", str(delay_s)]
    arguments += ["--brief"] if is_brief else []
    arguments += [] if record is None else ["--record", str(record)]
    arguments += [] if certificate is None else ["--certificate", str(certificate)]
    process = subprocess.Popen(
        [sys.executable, Path(__file__), *arguments], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield Upstream(int(process.stdout.readline()), process)
    finally:
        process.kill()
        process.communicate()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--name", required=True)
    parser.add_argument("--status", type=int, required=True)
    parser.add_argument("--delay-s", type=float, required=True)
    parser.add_argument("--brief", action="store_true")
    parser.add_argument("--record")
    parser.add_argument("--certificate")
    chosen = parser.parse_args()
    chosen_manner = Manner(chosen.name, chosen.status, chosen.delay_s, chosen.brief, chosen.record)
    asyncio.run(serve(chosen_manner, chosen.certificate))
