"""Users of one route, each with one request, who remember what was acknowledged to them."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

import httpx

PAUSE_S = 0.2
LEAVES_WITHIN_S = 30.0


@dataclass(frozen=True, slots=True)
class Manner:
    """How a crowd behaves: what it calls and reports, and how often each arm convinces one of it."""

    path: str
    header: str
    metric: str
    convinces: Mapping[str, float]
    per_second: float = 120.0


@dataclass(slots=True)
class Memory:
    """What was acknowledged to the crowd."""

    arms: dict[str, str] = field(default_factory=dict)
    """The arm that answered each unit."""
    failures: list[int] = field(default_factory=list)
    """Answers that were an error: there should be none."""
    cut_off: set[str] = field(default_factory=set)
    """Units whose connection broke, so that nobody knows whether Envoy noted them."""
    told: set[str] = field(default_factory=set)
    """Units whose outcome was acknowledged."""


class Crowd:
    """Comes in as a context, in a thread of its own, and goes home when the context ends."""

    def __init__(self, manner: Manner, proxy_port: int, control_url: str, token: str) -> None:
        self._manner, self._proxy_port = manner, proxy_port
        self._control_url, self._token = control_url, token
        self._chance = random.Random(manner.path)  # noqa: S311 (a story)
        self._leaving = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._live()), name=manner.path)
        self._outcomes: list[dict[str, object]] = []
        self.memory = Memory()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._leaving.set()
        self._thread.join(LEAVES_WITHIN_S)
        assert not self._thread.is_alive()

    async def _live(self) -> None:
        callers = max(1, int(self._manner.per_second // 15))
        pause_s = callers / self._manner.per_second
        await asyncio.gather(
            *(self._call_again_and_again(number, pause_s) for number in range(callers)), self._report()
        )

    async def _call_again_and_again(self, caller: int, pause_s: float) -> None:
        reader: asyncio.StreamReader | None = None
        writer: asyncio.StreamWriter | None = None
        number, due_s = 0, time.monotonic()
        while not self._leaving.is_set():
            unit, number = f"{self._manner.metric}-{caller}-{number}", number + 1
            try:
                if reader is None or writer is None:
                    reader, writer = await asyncio.open_connection("127.0.0.1", self._proxy_port)
            except OSError:
                await asyncio.sleep(PAUSE_S)
                continue
            try:
                await self._call(unit, reader, writer)
            except (OSError, EOFError):
                self.memory.cut_off.add(unit)
                writer.close()
                reader = writer = None
            due_s = max(due_s + pause_s, time.monotonic() - 1.0)
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
        if writer is not None:
            writer.close()

    async def _call(self, unit: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines = [f"GET {self._manner.path} HTTP/1.1", "host: users.example", f"{self._manner.header}: {unit}"]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        start, *named = head.split("\r\n")[:-2]
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in named)}
        await reader.readexactly(int(headers["content-length"]))
        code, arm = int(start.split(" ", 2)[1]), headers.get("x-rollout-variant")
        if arm is None:  # the route is not served yet
            return
        self.memory.arms[unit] = arm
        if code != httpx.codes.OK:
            self.memory.failures.append(code)
        elif self._chance.random() < self._manner.convinces.get(arm, 0.0):
            ts_us = time.time_ns() // 1_000
            told = {"unit": unit, "metric": self._manner.metric, "ts_us": ts_us, "value": 1, "key": unit}
            self._outcomes.append(told)

    async def _report(self) -> None:
        """Report twice a second, and again whatever was not acknowledged, until everything is."""
        headers = {"authorization": f"Bearer {self._token}"}
        async with httpx.AsyncClient(
            base_url=self._control_url, headers=headers, trust_env=False, timeout=10
        ) as control:
            while not self._leaving.is_set() or self._outcomes:
                await asyncio.sleep(PAUSE_S)
                batch = list(self._outcomes)
                if not batch:
                    continue
                try:
                    answer = await control.post("/v1/outcomes", json=batch)
                except httpx.HTTPError:
                    continue
                if answer.status_code == httpx.codes.ACCEPTED:
                    self.memory.told |= {str(one["unit"]) for one in batch}
                    del self._outcomes[: len(batch)]
