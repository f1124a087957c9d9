"""The applications: as many requests as fit through, or so many a second, each of another user."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Final

from bench.talk import Talk, connected

USERS: Final = 10_000
CONNECTIONS: Final = 16
SHORTEST_S: Final = 1.0
"""Below it wrk cannot go."""
LARGEST_OPEN: Final = 64
GRACE_S: Final = 2.0
"""How long after its time a load at a set rate waits for answers."""
LIMIT_S: Final = 30.0
_STEP: Final = 7_919
"""Prime to the number of users: a burst begins anywhere and meets them all before one comes again."""
_BODY: Final = '{"features":[0.12,4,17,0.5,1,0,3.25],"country":"NL","plan":"basic"}'
_GOOD: Final = b"HTTP/1.1 2"
# Each request stands in a file behind its length: what is measured is not who makes them.
_SCRIPT: Final = """
local made, at = {}, 0
function init(arguments)
  local file = io.open(arguments[1], "rb")
  for length in file:lines() do made[#made + 1] = file:read(tonumber(length)) end
  file:close()
end
function request()
  at = at % #made + 1
  return made[at]
end
function done(summary, latency, requests)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format('\\n{"requests": %d, "failed": %d, "took_s": %f}\\n',
    summary.requests, failed, summary.duration / 1e6))
end
"""


@dataclass(frozen=True, slots=True)
class Burst:
    """What a load achieved."""

    requests: int
    failed: int
    took_s: float

    @property
    def per_second(self) -> float:
        """Requests a second."""
        return self.requests / self.took_s


@dataclass(slots=True)
class Answers:
    """What a load at a set rate met: how long each answer took from when its request was due."""

    took_s: list[float] = field(default_factory=list)
    failed: int = 0


@cache
def generator() -> str:
    """Return what sends bursts: wrk where it is found, since Python sends less than Envoy can take."""
    return "wrk" if shutil.which("wrk") else "bench.proxy.load"


def burst(port: int, paths: Sequence[str], seconds: float) -> Burst:
    """Send as much as fits through for a while; the users go over the paths."""
    users = (number * _STEP % USERS for number in range(USERS))
    requests = [request_of(user, paths[number % len(paths)]) for number, user in enumerate(users)]
    return send(port, requests, seconds)


def send(port: int, requests: Sequence[bytes], seconds: float, connections: int = CONNECTIONS) -> Burst:
    """Send these requests again and again, as many as fit through, over connections that stay."""
    if generator() == "wrk" and seconds >= SHORTEST_S:
        return _by_wrk(port, requests, seconds, connections)
    return asyncio.run(_closed(port, requests, seconds, connections))


def at_rate(port: int, path: str, per_second: float, seconds: float) -> Answers:
    """Send at a set rate whatever the answers."""
    return asyncio.run(_open(port, path, per_second, seconds))


def request_of(user: int, path: str) -> bytes:
    """Return what one user asks."""
    head = (
        f"POST {path} HTTP/1.1\r\nhost: bench\r\nx-user-id: user-{user}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(_BODY)}\r\n\r\n"
    )
    return (head + _BODY).encode()


def _by_wrk(port: int, requests: Sequence[bytes], seconds: float, connections: int) -> Burst:
    with tempfile.TemporaryDirectory(prefix="rollout-") as folder:
        script, made = Path(folder) / "requests.lua", Path(folder) / "requests"
        script.write_text(_SCRIPT, encoding="utf-8")
        made.write_bytes(b"".join(b"%d\n" % len(one) + one for one in requests))
        done = subprocess.run(
            [
                *("wrk", "-t1", f"-c{connections}", f"-d{round(seconds)}s", "-s", str(script)),
                *(f"http://127.0.0.1:{port}", "--", str(made)),
            ],
            capture_output=True,
            text=True,
            timeout=seconds + LIMIT_S,
            check=True,
        )
    return Burst(**json.loads(done.stdout.splitlines()[-1]))


async def _closed(port: int, requests: Sequence[bytes], seconds: float, connections: int) -> Burst:
    idle: deque[Talk] = deque()
    answered, failed, at = 0, 0, 0
    begin_s = time.perf_counter()
    ends_s = begin_s + seconds
    over = asyncio.Event()

    def ask(talk: Talk) -> None:
        nonlocal at
        at = (at + 1) % len(requests)
        talk.ask(requests[at], note)

    def note(head: bytes) -> None:
        nonlocal answered, failed
        answered += 1
        failed += not head.startswith(_GOOD)
        if time.perf_counter() < ends_s and idle:
            ask(idle.pop())
        elif len(idle) == connections or not head:
            over.set()  # everything that was sent is answered, or a connection is lost

    talks = [await connected(port, idle) for _ in range(connections)]
    for talk in talks:
        ask(talk)
    await asyncio.wait_for(over.wait(), seconds + LIMIT_S)
    took_s = time.perf_counter() - begin_s
    for talk in talks:
        talk.close()
    return Burst(answered, failed, took_s)


async def _open(port: int, path: str, per_second: float, seconds: float) -> Answers:
    """Send when due, over as many connections as needed up to a limit; beyond it, what is due waits."""
    loop, answers = asyncio.get_running_loop(), Answers()
    idle: deque[Talk] = deque()
    talks = [await connected(port, idle) for _ in range(LARGEST_OPEN)]
    idle.extend(talks)
    waiting: deque[tuple[float, bytes]] = deque()
    total, all_answered = round(per_second * seconds), asyncio.Event()

    def send() -> None:
        while waiting and idle:
            due_s, request = waiting.popleft()
            idle.popleft().ask(request, partial(note, due_s))

    def note(due_s: float, head: bytes) -> None:
        answers.took_s.append(loop.time() - due_s)
        answers.failed += not head.startswith(_GOOD)
        if len(answers.took_s) == total:
            all_answered.set()
        send()

    begin_s = loop.time()
    for number in range(total):
        await asyncio.sleep(max(begin_s + number / per_second - loop.time(), 0.0))
        waiting.append((loop.time(), request_of(number * _STEP % USERS, path)))
        send()
    with suppress(TimeoutError):
        await asyncio.wait_for(all_answered.wait(), GRACE_S)
    for talk in talks:
        talk.close()
    return Answers(answers.took_s.copy(), answers.failed + total - len(answers.took_s))
