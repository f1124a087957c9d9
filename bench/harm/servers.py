"""Two model servers in a process of their own; standard input sets how often the candidate fails."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
LATENCY_S: Final = 0.003
QUIET_SHARE: Final = 0.01
SEED: Final = 11
_HEAD: Final = "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"


@dataclass(slots=True)
class Model:
    """One version: the share of its answers that fail, and when it failed since it was last told."""

    version: str
    chance: random.Random
    share: float = QUIET_SHARE
    told_at_s: float = 0.0
    failed_at_s: list[float] = field(default_factory=list)

    def tell(self, share: float) -> None:
        """Fail as often as this from now on, and remember failures anew."""
        self.failed_at_s = []
        self.share, self.told_at_s = share, time.time()

    def answer(self) -> bytes:
        """Return one answer."""
        is_bad = self.chance.random() < self.share
        if is_bad:
            self.failed_at_s.append(time.time())
        body = json.dumps({"version": self.version, "score": round(self.chance.random(), 3)})
        status = "500 Internal Server Error" if is_bad else "200 OK"
        return _HEAD.format(status=status, length=len(body), body=body).encode()


class _Caller(asyncio.Protocol):
    """Answers every request without a body."""

    def __init__(self, model: Model) -> None:
        self._model, self._received = model, b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        if isinstance(transport, asyncio.Transport):
            self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer what is complete, after a while."""
        *heads, self._received = (self._received + data).split(b"\r\n\r\n")
        for _ in heads:
            wait_s = LATENCY_S * (0.5 + self._model.chance.random())
            asyncio.get_running_loop().call_later(wait_s, self._answer)

    def _answer(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(self._model.answer())


@dataclass(frozen=True, slots=True)
class Failures:
    """When the candidate was told to fail, and when it did, in seconds since the epoch."""

    told_at_s: float
    failed_at_s: tuple[float, ...]


class Servers:
    """The other end of the process: two addresses, and the share of failures of the candidate."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.baseline_url, self.candidate_url = self._heard()["urls"]

    def fail(self, share: float) -> None:
        """Make the candidate fail this share of its answers from now on."""
        self._ask({"share": share})

    def failures(self) -> Failures:
        """Return how the candidate has failed since it was last told."""
        found = self._ask({})
        return Failures(found["told_at_s"], tuple(found["failed_at_s"]))

    def _ask(self, wish: dict[str, float]) -> dict[str, Any]:
        if self._process.stdin is None:
            raise RuntimeError("the servers' standard input is not connected")
        self._process.stdin.write(json.dumps(wish) + "\n")
        self._process.stdin.flush()
        return self._heard()

    def _heard(self) -> dict[str, Any]:
        if self._process.stdout is None:
            raise RuntimeError("the servers' standard output is not connected")
        heard: dict[str, Any] = json.loads(self._process.stdout.readline())
        return heard


@contextmanager
def serving() -> Iterator[Servers]:
    """Run both servers until the block ends; they also end with the process that reads them."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.harm.servers"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        start_new_session=True,  # an interrupt reaches the benchmark, which then ends us
    )
    try:
        yield Servers(process)
    finally:
        process.kill()
        process.communicate()


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    chance = random.Random(SEED)  # noqa: S311 (a model's failures, no secret)
    baseline, candidate = Model("1.4.2", chance), Model("2.0.0", chance)
    urls = []
    for model in (baseline, candidate):
        server = await loop.create_server(partial(_Caller, model), "127.0.0.1", 0, backlog=1024)
        urls.append(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    print(json.dumps({"urls": urls}), flush=True)
    wishes = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(wishes), sys.stdin)
    while line := await wishes.readline():
        wish = json.loads(line)
        if "share" in wish:
            candidate.tell(wish["share"])
        told = {"told_at_s": candidate.told_at_s, "failed_at_s": candidate.failed_at_s}
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    asyncio.run(_serve())
