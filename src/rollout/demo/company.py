"""Two stories at once: a model that is better, and one that begins to fail."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import httpx

from rollout.demo.models import Model, ModelServer
from rollout.demo.users import Crowd, Seen, Users

BREAKS_AFTER_S: Final = 35.0
BROKEN_SHARE: Final = 0.2
USERS_PER_S: Final = 110.0
GOOD, BAD = "churn-v2", "fraud-v4"
PROMOTED_FILE: Final = "promoted"
OPENS_WITHIN_S: Final = 10.0
SEED: Final = 7


def _breaks(age_s: float) -> float:
    return BROKEN_SHARE if age_s > BREAKS_AFTER_S else 0.0


MODELS: Final = {
    "churn": (Model("1.4.2"), Model("2.0.0")),
    "fraud": (Model("3.9.0"), Model("4.0.0", fails=_breaks)),
}
CROWDS: Final = (
    Crowd("/churn", "x-user-id", "converted", {"1.4.2": 0.2, "2.0.0": 0.32}, USERS_PER_S),
    Crowd("/fraud", "x-account-id", "caught", {"3.9.0": 0.3, "4.0.0": 0.3}, USERS_PER_S),
)


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
        self.urls: dict[str, tuple[str, str]] = {}
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

    def let_users_in(self) -> None:
        """Begin the traffic."""
        self._entered.set()

    async def _live(self) -> None:
        self._loop = asyncio.get_running_loop()
        chance = random.Random(SEED)  # noqa: S311 (a story, no secret)
        servers = {name: [ModelServer(model, chance) for model in pair] for name, pair in MODELS.items()}
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
            crowds = [Users(crowd, proxy, control, chance=chance) for crowd in CROWDS]
            self.seen = {crowd.path: users.seen for crowd, users in zip(CROWDS, crowds, strict=True)}
            coming = [asyncio.create_task(users.run(self._now_us)) for users in crowds]
            await self._leaving.wait()
            for task in coming:
                task.cancel()
            await asyncio.gather(*coming, return_exceptions=True)


def policies(company: Company, folder: Path) -> tuple[str, str]:
    """Return the two policies, for the addresses that the model servers got."""
    return _good(*company.urls["churn"], folder / PROMOTED_FILE), _bad(*company.urls["fraud"])


def _good(baseline: str, candidate: str, promoted: Path) -> str:
    return f"""\
apiVersion: rollout/v1
kind: RolloutPolicy
metadata: {{name: {GOOD}, owner: growth-ml}}
spec:
  route: {{path: /churn}}
  baseline: {{version: "1.4.2", url: "{baseline}"}}
  candidate: {{version: "2.0.0", url: "{candidate}"}}
  assignment: {{unit: "header:x-user-id", salt: demo-churn}}
  resilience: {{timeout: 3s, perTryTimeout: 500ms, fallback: baseline, maxFallback: 1%}}
  expect: {{converted: 20%}}
  metrics:
    - {{name: converted, role: primary, source: outcomes, type: binary, direction: increase,
       minEffect: 40%, window: 4s}}
    - {{name: errors, role: guardrail, source: proxy, type: error-rate, margin: 10%, floor: 1%, window: 4s}}
    - {{name: p99, role: slo, source: proxy, type: latency, quantile: 0.99,
       max: 250ms, window: 4s}}
  steps:
    - {{setWeight: 10%, hold: {{for: 8s, minUnits: 20}}}}
    - {{setWeight: 50%, hold: {{until: verdict, atMost: 5m}}}}
  decide: {{inconclusive: pause, mismatch: pause, noData: {{hold: 2m, then: pause}}}}
  actions:
    promote: {{command: [touch, "{promoted}"], deadline: 30s}}
  watch: {{for: 5s}}
"""


def _bad(baseline: str, candidate: str) -> str:
    return f"""\
apiVersion: rollout/v1
kind: RolloutPolicy
metadata: {{name: {BAD}, owner: risk-ml}}
spec:
  route: {{path: /fraud}}
  baseline: {{version: "3.9.0", url: "{baseline}"}}
  candidate: {{version: "4.0.0", url: "{candidate}"}}
  assignment: {{unit: "header:x-account-id", salt: demo-fraud}}
  resilience: {{timeout: 3s, perTryTimeout: 500ms, fallback: baseline, maxFallback: 1%}}
  expect: {{caught: 30%}}
  metrics:
    - {{name: errors, role: guardrail, source: proxy, type: error-rate, margin: 10%, floor: 1%, window: 4s}}
    - {{name: p99, role: slo, source: proxy, type: latency, quantile: 0.99,
       max: 250ms, window: 4s}}
    - {{name: caught, role: primary, source: outcomes, type: binary, direction: increase,
       minEffect: 40%, window: 4s}}
  steps:
    - {{setWeight: 10%, hold: {{for: 20s, minUnits: 20}}}}
    - {{setWeight: 50%, hold: {{until: verdict, atMost: 5m}}}}
  decide: {{inconclusive: pause, mismatch: pause, noData: {{hold: 2m, then: pause}}}}
"""
