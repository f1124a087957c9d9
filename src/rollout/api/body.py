"""Bodies of a bounded size, in bounded time, and together within a bound."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from fastapi import HTTPException, Request, status
from starlette.requests import ClientDisconnect

ARRIVES_WITHIN_S: Final = 60.0
LARGEST_HELD: Final = 128 * 2**20
"""Bytes of bodies that one door holds at once; beyond it callers are asked to come back."""
_GZIP: Final = 16 + zlib.MAX_WBITS


class Room:
    """Counts what all requests of one door hold in memory together."""

    def __init__(self, limit_bytes: int = LARGEST_HELD) -> None:
        self._limit_bytes = limit_bytes
        self._held_bytes = 0

    @contextmanager
    def share(self) -> Iterator[Share]:
        """Yield one request's share, and give it back at the end."""
        share = Share(self)
        try:
            yield share
        finally:
            self._held_bytes -= share.held_bytes

    def take(self, size: int) -> None:
        """Count more bytes, or answer 503 when they do not fit."""
        if self._held_bytes + size > self._limit_bytes:
            raise HTTPException(
                status.HTTP_503_SERVICE_UNAVAILABLE,
                "too many requests are being read: send this again",
                {"Retry-After": "1"},
            )
        self._held_bytes += size


class Share:
    """What one request holds."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self.held_bytes = 0

    def take(self, size: int) -> None:
        """Count more bytes, or answer 503 when they do not fit."""
        self._room.take(size)
        self.held_bytes += size


async def read_body(request: Request, limit_bytes: int, *, within_s: float = ARRIVES_WITHIN_S) -> bytes:
    """Return a request's body; one that is larger is refused before it is held in memory."""
    with Room(limit_bytes).share() as share:
        return await _read(request, _Plain(limit_bytes), share, within_s)


async def read_packed(
    request: Request, limit_bytes: int, share: Share, *, within_s: float = ARRIVES_WITHIN_S
) -> bytes:
    """Return a request's body as its sender meant it: `Content-Encoding: gzip` is undone as it comes.

    The limit is of what comes out, so what grows beyond it is refused before it is held in memory.
    """
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    match encoding:
        case "identity" | "":
            return await _read(request, _Plain(limit_bytes), share, within_s)
        case "gzip" | "x-gzip":
            return await _read(request, _Gzip(limit_bytes), share, within_s)
        case _:
            raise HTTPException(
                status.HTTP_415_UNSUPPORTED_MEDIA_TYPE,
                "content-encoding: must be gzip, or left out",
                {"Accept-Encoding": "gzip, identity"},
            )


async def _read(request: Request, reader: _Plain | _Gzip, share: Share, within_s: float) -> bytes:
    parts: list[bytes] = []
    try:
        async with asyncio.timeout(within_s):
            async for part in request.stream():
                found = reader.take(part)
                share.take(len(found))
                parts.append(found)
    except TimeoutError:
        raise HTTPException(
            status.HTTP_408_REQUEST_TIMEOUT, f"the body did not arrive within {within_s:g} s: send it again"
        ) from None
    except ClientDisconnect:
        raise HTTPException(status.HTTP_400_BAD_REQUEST, "the caller left before its body's end") from None
    reader.end()
    return b"".join(parts)


class _Plain:
    """Counts a body."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = self._left = limit_bytes

    def take(self, part: bytes) -> bytes:
        self._left -= len(part)
        if self._left < 0:
            raise too_large(self._limit_bytes)
        return part

    def end(self) -> None:
        """Need nothing more."""


class _Gzip:
    """Undoes one gzip member, never by more than one byte beyond the limit."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = self._left = self._packed_left = limit_bytes
        self._inner = zlib.decompressobj(_GZIP)

    def take(self, part: bytes) -> bytes:
        self._packed_left -= len(part)
        try:
            found = self._inner.decompress(part, self._left + 1)
        except zlib.error:
            raise _not_gzip("it is damaged, or no gzip at all") from None
        self._left -= len(found)
        if self._left < 0 or self._packed_left < 0:
            raise too_large(self._limit_bytes)
        if self._inner.unused_data:
            raise _not_gzip("something follows its end")
        return found

    def end(self) -> None:
        if not self._inner.eof:
            raise _not_gzip("it ends too early")


def too_large(limit_bytes: int) -> HTTPException:
    """Return the answer to a body above the limit."""
    return HTTPException(
        status.HTTP_413_CONTENT_TOO_LARGE, f"larger than {limit_bytes} bytes: send it in parts"
    )


def _not_gzip(why: str) -> HTTPException:
    return HTTPException(
        status.HTTP_422_UNPROCESSABLE_CONTENT, f"the body is not what content-encoding says: {why}"
    )
