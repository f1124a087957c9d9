"""The way from a node to its control plane: it passes everything on, until it is cut or brings garbage."""

from __future__ import annotations

import asyncio
import random
import re
import threading
from enum import StrEnum
from typing import Final, Self

READY_WITHIN_S: Final = 10.0
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_SNAPSHOT: Final = b"GET /v1/snapshot"
_HEAD: Final = "HTTP/1.1 {status} -\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
GARBAGE: Final = (
    (200, b""),
    (200, b"\xff\xfe\x00garbage"),
    (200, b"null"),
    (200, b'{"version": "1", "placements": ['),
    (200, b'{"version": "0000", "placements": [{"policy": {"name": "churn"}}], "unread": []}'),
    (200, b"[" * 10_000),
    (200, b'{"placements": ' + b"9" * 100_000 + b"}"),
    (404, b"<html>no such page</html>"),
    (500, b"{}"),
)


class Manner(StrEnum):
    """What becomes of what is sent."""

    SOUND = "sound"
    CUT = "cut"
    """Every connection ends at once."""
    GARBLED = "garbled"
    """Whoever asks for a snapshot gets something else."""


class Wire:
    """Listens on one port of this machine and leads to another; as a context it is there."""

    def __init__(self, port: int) -> None:
        self._leads_to, self._manner, self._garbled = port, Manner.SOUND, 0
        self._chance = random.Random(port)  # noqa: S311 (a story)
        self._loop = asyncio.new_event_loop()
        self._ready, self._open = threading.Event(), set[asyncio.StreamWriter]()
        self._ending = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=[self._live()])
        self.port = 0

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._ready.wait(READY_WITHIN_S):
            raise TimeoutError("the wire did not begin")
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join()
        self._loop.close()

    @property
    def garbled(self) -> int:
        """How much garbage was handed over since the last change."""
        return self._garbled

    def behave(self, manner: Manner) -> int:
        """Do this from now on; return how much garbage was handed over before."""
        garbled, self._garbled = self._garbled, 0
        self._manner = manner
        self._loop.call_soon_threadsafe(self._hang_up)
        return garbled

    async def _live(self) -> None:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._ending.wait()
        server.close()
        self._hang_up()
        await asyncio.sleep(0)

    def _hang_up(self) -> None:
        """End every conversation, those too that wait for an answer."""
        for writer in self._open:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            while self._manner is not Manner.CUT:
                request = await _message(reader)
                if self._manner is Manner.GARBLED and request.startswith(_SNAPSHOT):
                    self._garbled += 1
                    status, body = self._chance.choice(GARBAGE)
                    writer.write(_HEAD.format(status=status, length=len(body)).encode() + body)
                else:
                    writer.write(await self._asked(request))
                await writer.drain()
        except (OSError, EOFError, asyncio.LimitOverrunError):
            pass
        finally:
            self._open.discard(writer)
            writer.close()

    async def _asked(self, request: bytes) -> bytes:
        """Return what the other end answers."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._leads_to)
        self._open.add(writer)
        try:
            writer.write(request)
            return await _message(reader)
        finally:
            self._open.discard(writer)
            writer.close()


async def _message(reader: asyncio.StreamReader) -> bytes:
    """Return a whole request or answer."""
    head = await reader.readuntil(b"\r\n\r\n")
    found = _LENGTH.search(head)
    return head + await reader.readexactly(int(found[1]) if found else 0)
