"""Simulated users: each calls the proxy once, and some of them do what the business hopes for."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import httpx

REPORT_EVERY_S: Final = 0.5
LARGEST_BATCH: Final = 1000


def everybody(_unit: str) -> bool:
    """Let every user reach the proxy."""
    return True


@dataclass(frozen=True, slots=True)
class Crowd:
    """The users of one route: how many come, and how often each version convinces them."""

    path: str
    unit_header: str
    metric: str
    convinces: Mapping[str, float]
    per_second: float


@dataclass(slots=True)
class Seen:
    """What users met: answers by version, and answers that were none."""

    answers: dict[str, int] = field(default_factory=dict)
    failures: int = 0


class Users:
    """Sends one crowd's requests and reports its outcomes until it is cancelled."""

    def __init__(
        self,
        crowd: Crowd,
        proxy: httpx.AsyncClient,
        control: httpx.AsyncClient,
        *,
        chance: random.Random,
        admits: Callable[[str], bool] = everybody,
    ) -> None:
        self._crowd, self._proxy, self._control, self._chance = crowd, proxy, control, chance
        self._admits = admits
        self._outcomes: list[dict[str, object]] = []
        self.seen = Seen()

    async def run(self, now_us: Callable[[], int]) -> None:
        """Keep coming, at even pace, whatever the answers are."""
        calls: set[asyncio.Task[None]] = set()
        reporting = asyncio.create_task(self._report())
        try:
            number = 0
            while True:
                number += 1
                unit = f"{self._crowd.metric}-user-{number}"
                if self._admits(unit):
                    call = asyncio.create_task(self._call(unit, now_us))
                    calls.add(call)
                    call.add_done_callback(calls.discard)
                await asyncio.sleep(1.0 / self._crowd.per_second)
        finally:
            for task in (reporting, *calls):
                task.cancel()
            await asyncio.gather(reporting, *calls, return_exceptions=True)

    async def _call(self, unit: str, now_us: Callable[[], int]) -> None:
        try:
            answer = await self._proxy.get(self._crowd.path, headers={self._crowd.unit_header: unit})
        except httpx.HTTPError:
            self.seen.failures += 1
            return
        if answer.status_code != httpx.codes.OK:
            self.seen.failures += 1
            return
        version = str(answer.json()["version"])
        self.seen.answers[version] = self.seen.answers.get(version, 0) + 1
        if self._chance.random() < self._crowd.convinces.get(version, 0.0):
            told = {"unit": unit, "metric": self._crowd.metric, "ts_us": now_us(), "value": 1}
            self._outcomes.append(told)

    async def _report(self) -> None:
        """Report what happened, twice a second; what was not acknowledged is told again."""
        while True:
            await asyncio.sleep(REPORT_EVERY_S)
            batch = self._outcomes[:LARGEST_BATCH]
            if not batch:
                continue
            try:
                answer = await self._control.post("/v1/outcomes", json=batch)
            except httpx.HTTPError:
                continue
            if answer.status_code == httpx.codes.ACCEPTED:
                del self._outcomes[: len(batch)]
