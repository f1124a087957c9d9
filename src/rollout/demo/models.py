"""Small model servers over HTTP/1.1: what they answer, how fast, and how often they fail as they age."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

_LARGEST_HEAD: Final = 16_384
_GOODBYES: Final = 100
_GOODBYE_S: Final = 0.01


def never(_age_s: float) -> float:
    """Return the failures of a sound model: none."""
    return 0.0


@dataclass(frozen=True, slots=True)
class Model:
    """One deployed version; `fails` is the share of its answers that fail, by the seconds it has lived."""

    version: str
    latency_s: float = 0.003
    fails: Callable[[float], float] = never


class ModelServer:
    """Serves one model on a free port of this machine."""

    def __init__(self, model: Model, chance: random.Random) -> None:
        self._model, self._chance = model, chance
        self._server: asyncio.Server | None = None
        self._born_s = 0.0
        self._callers: set[asyncio.StreamWriter] = set()

    async def open(self, port: int = 0) -> str:
        """Listen, on a free port when none is given, and return the address."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port, limit=_LARGEST_HEAD)
        self._born_s = asyncio.get_running_loop().time()
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def close(self) -> None:
        """Stop listening, and hang up."""
        if self._server is not None:
            self._server.close()
        for caller in tuple(self._callers):
            caller.transport.abort()
        for _ in range(_GOODBYES):  # until every conversation has seen that it is over
            if not self._callers:
                break
            await asyncio.sleep(_GOODBYE_S)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._callers.add(writer)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                while True:
                    await reader.readuntil(b"\r\n\r\n")
                    await self._answer(writer)
        finally:
            self._callers.discard(writer)
            writer.close()

    async def _answer(self, writer: asyncio.StreamWriter) -> None:
        age_s = asyncio.get_running_loop().time() - self._born_s
        await asyncio.sleep(self._model.latency_s * (0.5 + self._chance.random()))
        failed = self._chance.random() < self._model.fails(age_s)
        body = json.dumps({"version": self._model.version, "score": round(self._chance.random(), 3)}).encode()
        status = "500 Internal Server Error" if failed else "200 OK"
        head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
