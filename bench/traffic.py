"""How long a change of traffic takes: from the call that publishes it to the first request that follows."""

from __future__ import annotations

import asyncio
import statistics
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from rollout.domain.assignment import Placement, Split
from rollout.domain.policy import Policy
from rollout.envoy.proxy import Proxy
from rollout.envoy.publication import Acknowledged, Refused
from tests.envoy.examples import policy_for, running
from tests.envoy.upstream import serving

SIZES = (1, 10, 100)
CHANGES = 40
LIMIT_S = 5.0


@dataclass(frozen=True, slots=True)
class Row:
    """Medians, in milliseconds, with so many policies."""

    policies: int
    first_ms: float
    acknowledged_ms: float
    effect_ms: float


class Prober:
    """Asks again and again, and remembers when the answer last changed."""

    def __init__(self, port: int, path: str) -> None:
        self._port = port
        self._request = f"GET {path} HTTP/1.1\r\nhost: bench\r\nx-user-id: somebody\r\n\r\n".encode()
        self._ends = threading.Event()
        self._changed = threading.Condition()
        self._is_candidate = False
        self._at = 0.0
        self._thread = threading.Thread(target=lambda: asyncio.run(self._ask()))

    def __enter__(self) -> Self:
        """Begin to ask."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._ends.set()
        self._thread.join()

    def seen_at(self, *, is_candidate: bool) -> float:
        """Return when the candidate, or the baseline, was first seen."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._is_candidate == is_candidate, LIMIT_S):
                raise TimeoutError("no request followed the change")
            return self._at

    async def _ask(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        while not self._ends.is_set():
            writer.write(self._request)
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            headers = dict(line.split(": ", 1) for line in head.split("\r\n")[1:-2])
            await reader.readexactly(int(headers["content-length"]))
            is_candidate = headers["x-rollout-variant"] == "candidate1"
            if is_candidate != self._is_candidate:
                with self._changed:
                    self._is_candidate, self._at = is_candidate, time.perf_counter()
                    self._changed.notify_all()
        writer.close()
        await writer.wait_closed()


def table(sizes: Sequence[int] = SIZES, changes: int = CHANGES) -> list[Row]:
    """Measure in one run, one Envoy for each size."""
    with serving("both") as upstream:
        policy = policy_for(upstream.url, upstream.url)
        rows = []
        for size in sizes:
            with TemporaryDirectory() as folder, running(Path(folder)) as (proxy, port):
                rows.append(_row(proxy, port, policy, size, changes))
        return rows


def _row(proxy: Proxy, port: int, policy: Policy, size: int, changes: int) -> Row:
    policies = [replace(policy, name=f"model{n}", path=f"/model{n}", salt=str(n)) for n in range(size)]
    off = [Placement(one, 1, Split()) for one in policies]
    on = [*off[:-1], Placement(policies[-1], 1, Split(is_promoted=True))]
    first_s = _publish(proxy, off)
    acknowledged, effects = [], []
    with Prober(port, policies[-1].path) as prober:
        prober.seen_at(is_candidate=False)
        for number in range(changes):
            is_candidate = number % 2 == 0
            start = time.perf_counter()
            acknowledged.append(_publish(proxy, on if is_candidate else off))
            effects.append(prober.seen_at(is_candidate=is_candidate) - start)
    return Row(
        size, 1000 * first_s, 1000 * statistics.median(acknowledged), 1000 * statistics.median(effects)
    )


def _publish(proxy: Proxy, placements: Sequence[Placement]) -> float:
    start = time.perf_counter()
    result = proxy.publish(placements)
    took_s = time.perf_counter() - start
    match result:
        case Refused(reason):
            raise RuntimeError(reason)
        case Acknowledged():
            return took_s


def lines(rows: Sequence[Row]) -> list[str]:
    """Return the table, each figure beside its ratio to one policy."""
    first = rows[0]
    return [
        "| policies | all of them published at once | a step acknowledged | a step seen by a request |",
        "|---:|---:|---:|---:|",
        *(
            f"| {row.policies} | {row.first_ms:.0f} ms ({row.first_ms / first.first_ms:.1f}) "
            f"| {row.acknowledged_ms:.1f} ms ({row.acknowledged_ms / first.acknowledged_ms:.1f}) "
            f"| {row.effect_ms:.1f} ms ({row.effect_ms / first.effect_ms:.1f}) |"
            for row in rows
        ),
    ]
