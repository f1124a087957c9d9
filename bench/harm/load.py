"""The users: requests at a set rate whatever the answers, some users far more often than others."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final, Self

from bench.talk import Answered, Talk, connected

USERS: Final = 20_000
HEAVINESS: Final = 1.0
"""The deviation of the logarithm of how often a user comes: the busiest percent sends 9 % of the requests."""
OPENS_WITHIN_S: Final = 10.0
LATE_S: Final = 0.02
SEED: Final = 5
_BATCH: Final = 4096
_CANDIDATE: Final = b"x-rollout-variant: candidate1\r\n"
_ABSENT: Final = b"HTTP/1.1 404"


def busyness() -> list[float]:
    """Return how often each user comes, beside the others; the same in every run."""
    chance = random.Random(SEED)  # noqa: S311 (traffic, no secret)
    return [chance.lognormvariate(0.0, HEAVINESS) for _ in range(USERS)]


@dataclass(slots=True)
class Sent:
    """What one path's users met; times are seconds since the epoch."""

    began_s: float
    started: int = 0
    answered: int = 0
    failed: int = 0
    """Answers other than 200: what users saw of it all."""
    late: int = 0
    """Requests that were sent more than 20 ms after their time."""
    to_candidate_s: list[float] = field(default_factory=list)
    """When requests began that were assigned to the candidate."""
    kept_from_it_s: list[float] = field(default_factory=list)
    """When requests of the candidate's own users began that were assigned elsewhere."""


class Load:
    """Sends from a thread of its own while it is a context; `turn_to` says where."""

    def __init__(self, port: int, per_second: float, seed: int = 0) -> None:
        self._port, self._per_second = port, per_second
        self._chance = random.Random(SEED + seed)  # noqa: S311 (traffic, no secret)
        self._busy = list(accumulate(busyness()))
        self._idle: deque[Talk] = deque()
        self._path, self._own, self._sent = "", frozenset[int](), Sent(0.0)
        self._stopping, self._opened = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._live()), name="load")

    def __enter__(self) -> Self:
        """Get ready; nothing is sent yet."""
        self._thread.start()
        if not self._opened.wait(OPENS_WITHIN_S):
            raise TimeoutError("the load did not begin")
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._stopping.set()
        self._thread.join()

    @staticmethod
    def name(user: int) -> str:
        """Return what a user is called."""
        return f"user-{user}"

    def turn_to(self, path: str, own: frozenset[int]) -> Sent:
        """Send to this path from now on; `own` are the users whom the split gives to the candidate."""
        self._sent, self._own, self._path = Sent(time.time()), own, path
        return self._sent

    def pause(self) -> None:
        """Send nothing until there is somewhere to send to."""
        self._path = ""

    async def _live(self) -> None:
        loop = asyncio.get_running_loop()
        self._opened.set()
        due_s, users = loop.time(), deque[int]()
        opening: set[asyncio.Task[None]] = set()
        while not self._stopping.is_set():
            now_s = loop.time()
            if not self._path:
                due_s = now_s
            while self._path and due_s <= now_s:
                if not users:
                    users.extend(self._chance.choices(range(USERS), cum_weights=self._busy, k=_BATCH))
                self._send(users.popleft(), opening, is_late=now_s - due_s > LATE_S)
                due_s += self._chance.expovariate(self._per_second)
            await asyncio.sleep(min(max(due_s - now_s, 0.0005), 0.01))

    def _send(self, user: int, opening: set[asyncio.Task[None]], *, is_late: bool) -> None:
        sent, began_s = self._sent, time.time()
        is_own = user in self._own
        sent.started += 1
        sent.late += is_late

        def answered(head: bytes) -> None:
            if head.startswith(_ABSENT):  # not published yet
                return
            sent.answered += 1
            sent.failed += not head.startswith(b"HTTP/1.1 200")
            if _CANDIDATE in head:
                sent.to_candidate_s.append(began_s)
            elif is_own and head:
                sent.kept_from_it_s.append(began_s)

        request = f"GET {self._path} HTTP/1.1\r\nhost: bench\r\nx-user-id: {self.name(user)}\r\n\r\n".encode()
        while self._idle:
            talk = self._idle.pop()
            if talk.is_open:
                talk.ask(request, answered)
                return
        task = asyncio.get_running_loop().create_task(self._open(request, answered))
        opening.add(task)
        task.add_done_callback(opening.discard)

    async def _open(self, request: bytes, answered: Answered) -> None:
        (await connected(self._port, self._idle)).ask(request, answered)
