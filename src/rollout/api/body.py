"""Bodies of a bounded size."""

from __future__ import annotations

from fastapi import HTTPException, Request, status


async def read_body(request: Request, limit_bytes: int) -> bytes:
    """Return a request's body; one that is larger is refused before it is held in memory."""
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > limit_bytes:
            raise HTTPException(
                status.HTTP_413_CONTENT_TOO_LARGE, f"larger than {limit_bytes} bytes: send it in parts"
            )
        parts.append(part)
    return b"".join(parts)
