"""Small policies, a proxy in a folder of its own, and what it logged."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from rollout.domain.assignment import Placement, Split
from rollout.domain.policy import Policy, Version
from rollout.envoy.bootstrap import Address
from rollout.envoy.proxy import Proxy
from rollout.envoy.publication import Live
from rollout.envoy.translate import NOTHING_NAMED, translate
from rollout.envoy.upstreams import Upstreams
from tests.domain.examples import POLICY

LIMIT_S = 10.0


def policy_for(baseline: str, candidate: str) -> Policy:
    return replace(POLICY, baseline=Version("1", baseline), candidates=(Version("2", candidate),))


def placed(policy: Policy, steps_on: int = 0, *, is_promoted: bool = False, revision: int = 1) -> Placement:
    return Placement(policy, revision, Split(steps_on, is_promoted=is_promoted))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextmanager
def running(
    folder: Path,
    acknowledged: Callable[[Live], None] = lambda _: None,
    *,
    upstreams: Upstreams = NOTHING_NAMED,
    attempt_log: bool = False,
) -> Iterator[tuple[Proxy, int]]:
    """Run a proxy and return it with the port that it listens on."""
    port = free_port()
    with Proxy(
        folder,
        Address(port),
        concurrency=1,
        acknowledged=acknowledged,
        translating=partial(translate, upstreams=upstreams),
        attempt_log=attempt_log,
    ) as proxy:
        yield proxy, port


def shown(folder: Path, path: str) -> str:
    """Return a page of Envoy's administration."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(folder / "admin.sock"))
        connection.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        return connection.makefile(encoding="utf-8").read()


def until(holds: Callable[[], bool], limit_s: float = LIMIT_S) -> bool:
    """Wait until something holds; return whether it did."""
    deadline = time.monotonic() + limit_s
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def logged(proxy: Proxy, count: int) -> list[dict[str, Any]]:
    """Return the lines of the log, once there are this many."""
    assert until(lambda: proxy.access_log.read_bytes().count(b"\n") >= count)
    return [json.loads(line) for line in proxy.access_log.read_text(encoding="utf-8").splitlines()]
