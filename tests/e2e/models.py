"""A model server in a process of its own, told how to behave, and ports that nobody listens on."""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import signal
import socket
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from functools import partial

from tests.command import ROOT

RECEIVED = "x-received"
"""The header of an answer that holds the checksum of the request's body."""
SLOW_S = 30.0
"""Longer than any time limit of a policy here."""
RESET = struct.pack("ii", 1, 0)
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_HEAD = "HTTP/1.1 {status} -\r\ncontent-length: {length}\r\n" + RECEIVED + ": {received}\r\n\r\n"


class Manner(StrEnum):
    """How a model treats a request."""

    SOUND = "sound"
    SLOW = "slow"
    FAILING = "failing"
    LIMITING = "limiting"
    RESETTING = "resetting"
    """Half a head, then a reset."""
    HALF_CLOSED = "half-closed"
    """Its sending direction ends without a word; it goes on reading."""
    HANGING_UP = "hanging-up"
    """A whole answer that promises to keep the connection, which ends right behind it."""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


class ModelProcess:
    """One version's server: it keeps its address when it is killed and comes back."""

    def __init__(self, version: str, fails: float, environment: Mapping[str, str] | None) -> None:
        self._version, self._fails, self._environment = version, fails, environment
        self.port = 0
        self._process = self._begin()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        return self._process.pid

    def behave(self, manner: Manner) -> int:
        """Treat every request like this from now on; return how many were not treated soundly before."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{manner}\n")
        self._process.stdin.flush()
        return int(self._heard()["treated"])

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()

    def come_back(self) -> None:
        """Begin a new life at the same address."""
        self._process = self._begin()

    def _begin(self) -> subprocess.Popen[str]:
        chosen = ["--version", self._version, "--fails", str(self._fails), "--port", str(self.port)]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.e2e.models", *chosen],
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.port = int(self._heard()["port"])
        return self._process

    def _heard(self) -> dict[str, int]:
        assert self._process.stdout is not None
        heard: dict[str, int] = json.loads(self._process.stdout.readline())
        return heard


@contextmanager
def serving(
    version: str, *, fails: float = 0.0, environment: Mapping[str, str] | None = None
) -> Iterator[ModelProcess]:
    """Serve a model until the block ends; it also ends with the process that started it."""
    server = ModelProcess(version, fails, environment)
    try:
        yield server
    finally:
        server.kill()


@contextmanager
def model(version: str, *, fails: float = 0.0) -> Iterator[str]:
    """Serve a model, a share of whose answers fails, and yield its address."""
    with serving(version, fails=fails) as server:
        yield server.url


class _Model:
    """What all callers of one server share."""

    def __init__(self, version: str, fails: float) -> None:
        self.version, self.fails, self.manner = version.encode(), fails, Manner.SOUND
        self.chance = random.Random(version)  # noqa: S311 (a story)
        self.treated = 0
        """Requests that were not treated soundly since the manner last changed."""

    def status(self) -> int:
        match self.manner:
            case Manner.FAILING:
                return 500
            case Manner.LIMITING:
                return 429
            case _:
                return 500 if self.chance.random() < self.fails else 200

    def answer(self, status: int, body: bytes) -> bytes:
        """Return a whole answer: the version, and what was received."""
        head = _HEAD.format(status=status, length=len(self.version), received=zlib.crc32(body))
        return head.encode() + self.version


class _Caller(asyncio.Protocol):
    """One connection: requests are answered in turn, whatever their method."""

    def __init__(self, model: _Model) -> None:
        self._model, self._received = model, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def eof_received(self) -> bool:
        return False

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (body := self._next_body()) is not None:
            self._treat(body)

    def _next_body(self) -> bytes | None:
        """Take one whole request off what was received, and return its body."""
        head, end, rest = self._received.partition(b"\r\n\r\n")
        found = _LENGTH.search(head)
        length = int(found[1]) if found else 0
        if not end or len(rest) < length:
            return None
        self._received = rest[length:]
        return rest[:length]

    def _treat(self, body: bytes) -> None:
        model, transport = self._model, self._transport
        if transport.is_closing():
            return
        answer = model.answer(model.status(), body)
        model.treated += model.manner is not Manner.SOUND
        match model.manner:
            case Manner.SLOW:
                asyncio.get_running_loop().call_later(SLOW_S, self._say, answer)
            case Manner.RESETTING:
                transport.write(answer[:20])
                transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                transport.abort()
            case Manner.HALF_CLOSED:
                transport.write_eof()
            case Manner.HANGING_UP:
                transport.write(answer)
                transport.close()
            case Manner.SOUND | Manner.FAILING | Manner.LIMITING:
                transport.write(answer)

    def _say(self, answer: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(answer)


def _say(**told: int) -> None:
    print(json.dumps(told), flush=True)  # noqa: T201 (whoever started us reads it)


async def _serve(version: str, fails: float, port: int) -> None:
    loop = asyncio.get_running_loop()
    model = _Model(version, fails)
    server = await loop.create_server(partial(_Caller, model), "127.0.0.1", port, backlog=1024)
    _say(port=server.sockets[0].getsockname()[1])
    wishes = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(wishes), sys.stdin)
    while line := await wishes.readline():
        treated, model.treated = model.treated, 0
        model.manner = Manner(line.decode().strip())
        _say(treated=treated)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--version", required=True)
    parser.add_argument("--fails", type=float, required=True)
    parser.add_argument("--port", type=int, required=True)
    chosen = parser.parse_args()
    asyncio.run(_serve(chosen.version, chosen.fails, chosen.port))
