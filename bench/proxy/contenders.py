"""Who passes the same requests on to the same model servers, each as one process of one worker."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.proxy import nginx, upstream
from bench.proxy.ports import answering, free_port
from rollout.domain.assignment import Placement, Split
from rollout.envoy.bootstrap import Address
from rollout.envoy.document import TYPE, Kind
from rollout.envoy.process import BOOTSTRAP_FILE
from rollout.envoy.proxy import Proxy
from rollout.envoy.publication import Refused
from tests.envoy.examples import policy_for

ROOT: Final = Path(__file__).parents[2]
DIRECT: Final = "no proxy"
PLAIN: Final = "plain Envoy"
OURS: Final = "**rollout**"
ATTEMPTS: Final = "**rollout**, with the attempt log"
PATH: Final = "/churn/predict"
# One line for each attempt, joined with the request's line on its id, which Envoy has to draw then.
_ATTEMPT: Final = {
    "ts": "%START_TIME(%s.%6f)%",
    "id": "%REQ(x-request-id)%",
    "route": "%ROUTE_NAME%",
    "served": "%UPSTREAM_CLUSTER%",
    "host": "%UPSTREAM_HOST%",
    "code": "%RESPONSE_CODE%",
    "flags": "%RESPONSE_FLAGS%",
    "dur_us": "%COMMON_DURATION(US_TX_BEG:US_RX_BEG:us)%",
}


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
        ours = held.enter_context(_ours(folder / "ours", upstreams))
        contenders = [
            Contender(DIRECT, upstreams[0]),
            held.enter_context(_plain(folder / "plain", upstreams[0])),
            ours,
            held.enter_context(_with_attempt_log(folder / "attempts", folder / "ours")),
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
def _ours(folder: Path, upstreams: tuple[int, int]) -> Iterator[Contender]:
    """Run the proxy as it comes, with one experiment that gives each arm half of the users."""
    port = free_port()
    policy = policy_for(*(f"http://127.0.0.1:{one}" for one in upstreams))
    with Proxy(folder, Address(port), concurrency=1) as proxy:
        answer = proxy.publish([Placement(policy, 1, Split(steps_on=len(policy.steps)))])
        if isinstance(answer, Refused) or proxy.pid is None:
            raise RuntimeError(f"bench: its own policy does not become live: {answer}")
        yield Contender(OURS, port, (proxy.pid,))


@contextmanager
def _with_attempt_log(folder: Path, ours: Path) -> Iterator[Contender]:
    """Run a second Envoy on what the first one serves, with a line for each attempt besides."""
    port, start_file = free_port(), json.loads((ours / BOOTSTRAP_FILE).read_text(encoding="utf-8"))
    folder.mkdir()
    for kind in Kind:
        (folder / kind.file_name).write_bytes((ours / kind.file_name).read_bytes())
    start_file["admin"]["address"]["pipe"]["path"] = "admin.sock"
    listener = start_file["static_resources"]["listeners"][0]
    listener["address"]["socket_address"]["port_value"] = port
    connections = listener["filter_chains"][0]["filters"][0]["typed_config"]
    connections["generate_request_id"] = True
    router = connections["http_filters"][-1]["typed_config"]
    router["upstream_log"] = [_attempt_log()]
    with upstream.envoy(folder, start_file, [port]) as pid:
        yield Contender(ATTEMPTS, port, (pid,))


def _attempt_log() -> dict[str, Any]:
    kind = TYPE + "envoy.extensions.access_loggers.file.v3.FileAccessLog"
    config = {"@type": kind, "path": "attempts.log", "log_format": {"json_format": _ATTEMPT}}
    return {"name": "envoy.access_loggers.file", "typed_config": config}


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
