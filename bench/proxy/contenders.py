"""Who passes the same requests on to the same model servers, each as one process of one worker."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.proxy import nginx, upstream
from bench.proxy.ports import answering, free_port
from rollout.domain.assignment import Placement, Split
from rollout.envoy.publication import Refused
from tests.envoy.examples import policy_for, running

ROOT: Final = Path(__file__).parents[2]
DIRECT: Final = "no proxy"
PLAIN: Final = "plain Envoy"
OURS: Final = "**rollout**"
ATTEMPTS: Final = "**rollout**, with the attempt log"
PATH: Final = "/churn/predict"


@dataclass(frozen=True, slots=True)
class Contender:
    """Where one listens, and which processes are its own; a model server asked directly has none."""

    name: str
    port: int
    pids: tuple[int, ...] = ()


@contextmanager
def all_of_them(folder: Path) -> Iterator[list[Contender]]:
    """Run everyone at once until the block ends; who waits for a turn uses nothing."""
    with ExitStack() as held:
        upstreams = held.enter_context(upstream.serving(folder / "models"))
        contenders = [
            Contender(DIRECT, upstreams[0]),
            held.enter_context(_plain(folder / "plain", upstreams[0])),
            held.enter_context(_ours(folder / "ours", OURS, upstreams, attempt_log=False)),
            held.enter_context(_ours(folder / "attempts", ATTEMPTS, upstreams, attempt_log=True)),
        ]
        if program := nginx.found():
            port = free_port()
            pid = held.enter_context(nginx.serving(folder / "nginx", program, port, upstreams))
            contenders.append(Contender("nginx, `split_clients` and a JSON log, no fallback", port, (pid,)))
        for name, what in (("asgi", "raw ASGI on uvicorn, raw client"), ("fastapi", "FastAPI + httpx")):
            contenders.append(held.enter_context(_python(folder, name, what, upstreams)))
        yield contenders


@contextmanager
def _plain(folder: Path, model: int) -> Iterator[Contender]:
    port = free_port()
    with upstream.envoy(folder, upstream.plain(port, model), [port]) as pid:
        yield Contender(PLAIN, port, (pid,))


@contextmanager
def _ours(folder: Path, name: str, upstreams: tuple[int, int], *, attempt_log: bool) -> Iterator[Contender]:
    """Run the proxy as it comes, with one experiment that gives each arm half of the users."""
    policy = policy_for(*(f"http://127.0.0.1:{one}" for one in upstreams))
    with running(folder, attempt_log=attempt_log) as (proxy, port):
        answer = proxy.publish([Placement(policy, 1, Split(steps_on=len(policy.steps)))])
        if isinstance(answer, Refused) or proxy.pid is None:
            raise RuntimeError(f"bench: its own policy does not become live: {answer}")
        yield Contender(name, port, (proxy.pid,))


@contextmanager
def _python(folder: Path, name: str, what: str, upstreams: tuple[int, int]) -> Iterator[Contender]:
    port = free_port()
    urls = [f"http://127.0.0.1:{one}" for one in upstreams]
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.proxy.peers", name, str(port), str(folder / f"{name}.log"), *urls],
        cwd=ROOT,
        start_new_session=True,
    )
    try:
        answering(port, process)
        yield Contender(what, port, (process.pid,))
    finally:
        process.kill()
        process.communicate()
