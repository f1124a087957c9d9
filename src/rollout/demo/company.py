"""The model servers and the users of all stories at once."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Self

import httpx

from rollout.demo.models import ModelServer
from rollout.demo.stories import STORIES
from rollout.demo.users import Seen, Users

OPENS_WITHIN_S: Final = 10.0
SEED: Final = 7


@dataclass(frozen=True, slots=True)
class Addresses:
    """What the company's users call, and how they report."""

    proxy_url: str
    control_url: str
    token: str


class Company:
    """Model servers and users in a thread of their own; as a context it leaves nothing open."""

    def __init__(self, addresses: Addresses, *, now_us: Callable[[], int]) -> None:
        self._addresses, self._now_us = addresses, now_us
        self._loop: asyncio.AbstractEventLoop | None = None
        self._leaving = asyncio.Event()
        self._opened, self._entered = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._live()), name="company")
        self._admits: Mapping[str, Callable[[str], bool]] = {}
        self.urls: dict[str, tuple[str, str]] = {}
        """Where each story's two models are, once they are open."""
        self.seen: dict[str, Seen] = {}

    def __enter__(self) -> Self:
        """Open the model servers."""
        self._thread.start()
        if not self._opened.wait(OPENS_WITHIN_S):
            raise TimeoutError("the demo's model servers did not open")
        return self

    def __exit__(self, *_: object) -> None:
        """Send everybody home."""
        self._entered.set()
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._leaving.set)
        self._thread.join(OPENS_WITHIN_S)

    def let_users_in(self, admits: Mapping[str, Callable[[str], bool]]) -> None:
        """Begin the traffic: of each story, the users that are admitted."""
        self._admits = admits
        self._entered.set()

    async def _live(self) -> None:
        self._loop = asyncio.get_running_loop()
        chance = random.Random(SEED)  # noqa: S311 (a story, no secret)
        servers = {
            story.name: [ModelServer(model, chance) for model in (story.baseline, story.candidate)]
            for story in STORIES
        }
        for name, (baseline, candidate) in servers.items():
            self.urls[name] = (await baseline.open(), await candidate.open())
        self._opened.set()
        try:
            await asyncio.to_thread(self._entered.wait)
            if not self._leaving.is_set():
                await self._traffic(chance)
        finally:
            for pair in servers.values():
                for server in pair:
                    await server.close()

    async def _traffic(self, chance: random.Random) -> None:
        headers = {"authorization": f"Bearer {self._addresses.token}"}
        async with (
            httpx.AsyncClient(base_url=self._addresses.proxy_url, trust_env=False, timeout=10) as proxy,
            httpx.AsyncClient(
                base_url=self._addresses.control_url, headers=headers, trust_env=False, timeout=10
            ) as control,
        ):
            crowds = {
                story.name: Users(story.crowd, proxy, control, chance=chance, admits=self._admits[story.name])
                for story in STORIES
            }
            self.seen = {name: users.seen for name, users in crowds.items()}
            coming = [asyncio.create_task(users.run(self._now_us)) for users in crowds.values()]
            await self._leaving.wait()
            for task in coming:
                task.cancel()
            await asyncio.gather(*coming, return_exceptions=True)
