"""Users of one route who remember what was answered and acknowledged to them."""

from __future__ import annotations

import asyncio
import random
import threading
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import httpx

from tests.e2e.memory import Asked, Attempt, Memory, Posted
from tests.e2e.models import RECEIVED

PAUSE_S = 0.2
LEAVES_WITHIN_S = 60.0
LARGEST_BODY = 20_000
LARGEST_REPORT = 100
"""Outcomes in one report: an answer describes as many refused ones."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How a crowd behaves: what it calls and reports, and how often each arm convinces one of it."""

    path: str
    header: str
    metric: str
    convinces: Mapping[str, float]
    per_second: float = 120.0
    callers: int = 8
    """How many of them call at the same time, each one request after the other."""
    users: int = 0
    """How many there are, each always with the same caller; with none, every request is another user's."""
    fresh: float = 0.0
    """The share of requests after which a caller hangs up."""
    posts: float = 0.0
    """The share of requests that bring a body."""
    strangers: float = 0.0
    """The share of requests that do not say whose they are."""
    insists: bool = False
    """Whether a request that was cut off is sent again until it is answered."""


class Line:
    """A caller's connection, opened when needed."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, request: bytes, received: str) -> Attempt:
        """Try a request once; `received` is what shows that its body arrived."""
        began_us = now_us()
        try:
            reader, writer = await self._open()
        except OSError:
            return Attempt(began_us, now_us(), was_sent=False)
        began_us = now_us()
        try:
            async with asyncio.timeout(LEAVES_WITHIN_S / 2):
                writer.write(request)
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                start, *named = head.split("\r\n")[:-2]
                headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in named)}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
        except (OSError, EOFError):
            self.hang_up()
            return Attempt(began_us, now_us())
        if headers.get("connection") == "close":
            self.hang_up()
        return Attempt(
            began_us,
            now_us(),
            code=int(start.split(" ", 2)[1]),
            arm=headers.get("x-rollout-variant"),
            version=body.decode(errors="replace") if RECEIVED in headers else None,
            is_whole=headers.get(RECEIVED, received) == received,
        )

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is not None and (self._streams[0].at_eof() or self._streams[1].is_closing()):
            self.hang_up()
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        return self._streams

    def hang_up(self) -> None:
        """Let go of the connection."""
        if self._streams is not None:
            self._streams[1].close()
        self._streams = None


class Crowd:
    """Comes in as a context, in a thread of its own, and goes home when the context ends."""

    def __init__(
        self, manner: Manner, proxy_port: int, control_url: str, token: str, *, seed: str | None = None
    ) -> None:
        self._manner, self._proxy_port = manner, proxy_port
        self._control_url, self._token = control_url, token
        self._chance = random.Random(seed or manner.path)  # noqa: S311 (a story)
        self._name = seed or manner.metric
        self._leaving, self._callers_left = threading.Event(), manner.callers
        self._thread = threading.Thread(target=self._come, name=manner.path)
        self._broke: BaseException | None = None
        self.memory = Memory()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._leaving.set()
        self._thread.join(LEAVES_WITHIN_S)
        assert not self._thread.is_alive()
        if self._broke is not None:
            raise self._broke

    def _come(self) -> None:
        try:
            asyncio.run(self._live())
        except BaseException as error:  # noqa: BLE001 (raised again where the crowd is waited for)
            self._broke = error

    async def _live(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._report())
            for caller in range(self._manner.callers):
                group.create_task(self._call_again_and_again(caller))

    async def _call_again_and_again(self, caller: int) -> None:
        pause_s = self._manner.callers / self._manner.per_second
        line, number = Line(self._proxy_port), 0
        await asyncio.sleep(pause_s * self._chance.random())
        due_s = time.monotonic()
        while not self._leaving.is_set():
            asked = Asked(self._whose(caller, number), number)
            number += 1
            await self._ask(asked, line)
            if self._chance.random() < self._manner.fresh:
                line.hang_up()
            due_s = max(due_s + pause_s, time.monotonic() - 1.0)
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
        line.hang_up()
        self._callers_left -= 1

    def _whose(self, caller: int, number: int) -> str | None:
        if self._chance.random() < self._manner.strangers:
            return None
        each = self._manner.users // self._manner.callers
        return f"{self._name}-{caller}-{self._chance.randrange(each) if each else number}"

    async def _ask(self, asked: Asked, line: Line) -> None:
        self.memory.asked.append(asked)
        request, received = self._request(asked.unit)
        gives_up_s = time.monotonic() + LEAVES_WITHIN_S / 2
        while True:
            asked.attempts.append(await line.ask(request, received))
            if (answer := asked.answer) is not None:
                self._consider(asked, answer)
                return
            may_be_noted = asked.attempts[-1].was_sent
            if not self._manner.insists and (may_be_noted or self._leaving.is_set()):
                return
            if time.monotonic() > gives_up_s:
                return
            await asyncio.sleep(PAUSE_S * self._chance.random())

    def _request(self, unit: str | None) -> tuple[bytes, str]:
        """Return a request, and the checksum of its body."""
        body = b""
        if self._chance.random() < self._manner.posts:
            body = self._chance.randbytes(self._chance.randint(1, LARGEST_BODY))
        lines = [
            f"{'POST' if body else 'GET'} {self._manner.path} HTTP/1.1",
            "host: users.example",
            *([] if unit is None else [f"{self._manner.header}: {unit}"]),
            *([f"content-length: {len(body)}"] if body else []),
        ]
        return "\r\n".join([*lines, "", ""]).encode() + body, str(zlib.crc32(body))

    def _consider(self, asked: Asked, answer: Attempt) -> None:
        """Note an outcome for a user whom the arm convinces."""
        if asked.unit is None or answer.arm is None or answer.code != httpx.codes.OK:
            return
        if self._chance.random() < self._manner.convinces.get(answer.arm, 0.0):
            key = f"{asked.unit}/{asked.number}"
            self.memory.posted[key] = Posted(asked.unit, self._manner.metric, now_us(), 1.0)

    async def _report(self) -> None:
        """Report some times a second, and again whatever was not acknowledged, until everything is."""
        headers = {"authorization": f"Bearer {self._token}"}
        gone = 0
        async with httpx.AsyncClient(
            base_url=self._control_url, headers=headers, trust_env=False, timeout=10
        ) as control:
            open_keys: list[str] = []
            while self._callers_left or open_keys or gone < len(self.memory.posted):
                await asyncio.sleep(PAUSE_S)
                fresh = list(self.memory.posted)[gone:]
                open_keys, gone = open_keys + fresh, gone + len(fresh)
                await self._report_once(control, open_keys[:LARGEST_REPORT])
                open_keys = [key for key in open_keys if not self.memory.posted[key].is_acknowledged]

    async def _report_once(self, control: httpx.AsyncClient, keys: list[str]) -> None:
        if not keys:
            return
        batch = []
        for key in keys:
            one = self.memory.posted[key]
            one.posts += 1
            told = {"unit": one.unit, "metric": one.metric, "ts_us": one.ts_us, "value": one.value}
            batch.append({**told, "key": key})
        try:
            answer = await control.post("/v1/outcomes", json=batch)
        except httpx.HTTPError:
            return
        if answer.status_code == httpx.codes.ACCEPTED:
            refused = {problem["item"] for problem in answer.json()["problems"]}
            for place, key in enumerate(keys):
                self.memory.posted[key].is_acknowledged = place not in refused


def now_us() -> int:
    return time.time_ns() // 1_000
