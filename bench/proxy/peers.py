"""Proxies as one writes them oneself, for comparison: a sticky split, a fallback and a JSON log line each."""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import IO, Any, Final

import httpx
import uvicorn
import xxhash
from fastapi import FastAPI, Request, Response

Application = Callable[..., Awaitable[None]]
HALF: Final = 5_000
_UNIT: Final = b"x-user-id"


class Split:
    """Who gets what, and what is noted of it."""

    def __init__(self, urls: tuple[str, str], log: IO[str]) -> None:
        self.urls, self._log = urls, log

    def arm_of(self, unit: bytes) -> int:
        """Return 0 for the baseline and 1 for the candidate."""
        return int(xxhash.xxh64_intdigest(unit, 11) % 10_000 < HALF)

    def note(self, unit: bytes, arm: int, code: int, began_s: float) -> None:
        """Write one line."""
        line = {"ts": time.time(), "unit": unit.decode("latin-1"), "arm": arm, "code": code}
        self._log.write(json.dumps({**line, "dur_us": int((time.perf_counter() - began_s) * 1e6)}) + "\n")


def fastapi_with_httpx(split: Split) -> FastAPI:
    """Return what most would write first."""
    app = FastAPI()
    client = httpx.AsyncClient(limits=httpx.Limits(max_connections=None), timeout=3.0, trust_env=False)

    @app.api_route("/{path:path}", methods=["GET", "POST"])
    async def pass_on(request: Request, path: str) -> Response:
        began_s = time.perf_counter()
        unit = request.headers.get("x-user-id", "").encode()
        arm = split.arm_of(unit)
        body = await request.body()
        answer = await _sent(client, split.urls[arm], request.method, path, body)
        if arm and (answer is None or answer.status_code >= 500):
            answer = await _sent(client, split.urls[0], request.method, path, body)
        code = 503 if answer is None else answer.status_code
        split.note(unit, arm, code, began_s)
        return Response(b"" if answer is None else answer.content, code, {"x-variant": str(arm)})

    return app


async def _sent(
    client: httpx.AsyncClient, url: str, method: str, path: str, body: bytes
) -> httpx.Response | None:
    try:
        return await client.request(
            method, f"{url}/{path}", content=body, headers={"content-type": "application/json"}
        )
    except httpx.TransportError:
        return None


class RawClient:
    """HTTP/1.1 over kept streams, as little of it as the upstreams need."""

    def __init__(self, url: str) -> None:
        host, _, port = url.removeprefix("http://").partition(":")
        self._address = (host, int(port))
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def post(self, path: str, body: bytes) -> tuple[int, bytes]:
        """Return status and body."""
        reader, writer = self._idle.pop() if self._idle else await asyncio.open_connection(*self._address)
        head = f"POST {path} HTTP/1.1\r\nhost: model\r\ncontent-type: application/json\r\n"
        writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        length = int(answer.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        content = await reader.readexactly(length)
        self._idle.append((reader, writer))
        return int(answer[9:12]), content


def raw_asgi(split: Split) -> Application:
    """Return as little Python as an ASGI server leaves to write."""
    clients = [RawClient(url) for url in split.urls]

    async def pass_on(
        scope: Mapping[str, Any],
        receive: Callable[[], Awaitable[Mapping[str, Any]]],
        send: Callable[[Mapping[str, Any]], Awaitable[None]],
    ) -> None:
        if scope["type"] != "http":
            return
        began_s = time.perf_counter()
        unit = next((value for name, value in scope["headers"] if name == _UNIT), b"")
        arm = split.arm_of(unit)
        body = b""
        while True:
            part = await receive()
            body += part.get("body", b"")
            if not part.get("more_body"):
                break
        try:
            code, content = await clients[arm].post(scope["path"], body)
        except (OSError, asyncio.IncompleteReadError):
            code, content = 503, b""
        if arm and code >= 500:
            code, content = await clients[0].post(scope["path"], body)
        split.note(unit, arm, code, began_s)
        headers = [(b"content-length", str(len(content)).encode()), (b"x-variant", b"%d" % arm)]
        await send({"type": "http.response.start", "status": code, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    return pass_on


APPLICATIONS: Final[Mapping[str, Callable[[Split], Application | FastAPI]]] = {
    "fastapi": fastapi_with_httpx,
    "asgi": raw_asgi,
}


def main() -> None:
    """Serve one of them until the process is ended."""
    parser = argparse.ArgumentParser()
    parser.add_argument("name", choices=APPLICATIONS)
    parser.add_argument("port", type=int)
    parser.add_argument("log", type=Path)
    parser.add_argument("urls", nargs=2)
    chosen = parser.parse_args()
    with chosen.log.open("w", encoding="utf-8") as log:
        application = APPLICATIONS[chosen.name](Split(tuple(chosen.urls), log))
        uvicorn.run(application, port=chosen.port, log_config=None, access_log=False, lifespan="off")


if __name__ == "__main__":
    main()
