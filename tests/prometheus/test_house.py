"""The whole chain: a server scrapes two versions, a house polls it, and a breach ends the candidate."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from rollout.agent.names import Named, Names
from rollout.domain.assignment import Placement, Split
from rollout.errors import WrongTraffic
from rollout.policyfile.reading import parse
from rollout.prometheus.server import Server
from rollout.wiring.house import refuse_unservable
from tests.command import environment
from tests.e2e.models import free_port, model
from tests.leaks import refuse
from tests.prometheus.real import running
from tests.prometheus.test_page import POLICY

WITHIN_S = 60.0


class Target:
    """What is scraped: how busy each version's GPU is, while it says anything."""

    def __init__(self) -> None:
        self.busy: dict[str, float] = {"1": 0.5, "2": 0.5}


@contextmanager
def scraped(target: Target) -> Iterator[str]:
    """Yield where a target is scraped."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            lines = [
                f'gpu_busy_ratio{{model="predict",version="{version}",pod="{pod}"}} {busy}\n'
                for version, busy in target.busy.items()
                for pod in ("a", "b")
            ]
            body = "".join(lines).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def policy(baseline: str, candidate: str) -> str:
    """Return the page's policy at the pace of a test."""
    changes = {
        "http://model-v1:8000": baseline,
        "http://model-v2:8000": candidate,
        "interval: 30s ": "interval: 1s ",
        "{setWeight: 10%, hold: {for: 1h, minUnits: 500}}": "{setWeight: 10%, hold: {for: 1h}}",
    }
    text = POLICY
    for old, new in changes.items():
        assert old in text
        text = str(text).replace(old, new)
    return str(text)


class Command:
    """`rollout`, with a house that it speaks to."""

    def __init__(self, folder: Path, url: str) -> None:
        self._folder, self._proxy, self._control = folder, free_port(), free_port()
        self._environment = environment(folder) | {
            "ROLLOUT_CONTROL_URL": f"http://127.0.0.1:{self._control}",
            "ROLLOUT_TOKEN_FILE": str(folder / "d" / "token"),
            "ROLLOUT_PROMETHEUS_URL": url,
        }

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "rollout", *words],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=WITHIN_S,
            check=False,
        )

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self("status", "gpu-limit", "--output", "json").stdout)
        return found

    @contextmanager
    def house(self) -> Iterator[None]:
        """Run `rollout up` until the block ends."""
        ports = ["--proxy-port", str(self._proxy), "--control-port", str(self._control)]
        with subprocess.Popen(
            [sys.executable, "-m", "rollout", "up", "--data", str(self._folder / "d"), *ports],
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                assert process.stdout is not None
                assert process.stdout.readline().startswith("proxy:"), process.communicate()
                yield
            finally:
                process.terminate()
                refuse("the log of rollout up", process.communicate(timeout=WITHIN_S)[1])


def gpu(status: dict[str, Any]) -> tuple[str, float | None]:
    """Return what is found of the polled metric, with its last value."""
    verdicts = (status["look"] or {"verdicts": []})["verdicts"]
    return next(
        ((one["finding"], one["estimate"]) for one in verdicts if one["metric"] == "gpu"), ("unseen", None)
    )


def until(look: Callable[[], dict[str, Any]], is_wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    ends = time.monotonic() + WITHIN_S
    while not is_wanted(found := look()):
        assert time.monotonic() < ends, found
        time.sleep(0.2)
    return found


@pytest.mark.slow
def test_a_breach_that_a_real_server_scraped_ends_the_candidate(tmp_path: Path) -> None:
    target, file = Target(), tmp_path / "gpu.yaml"
    with model("fine") as baseline, model("fine") as candidate, scraped(target) as address:
        file.write_text(policy(baseline, candidate))
        scraping = {
            "job_name": "models",
            "scrape_interval": "500ms",
            "scrape_timeout": "400ms",
            "static_configs": [{"targets": [address]}],
        }
        with running(tmp_path, scraping=[scraping]) as url:
            rollout = Command(tmp_path, url)
            with rollout.house():
                assert rollout("start", str(file)).returncode == 0
                until(rollout.status, lambda found: gpu(found) == ("safe", 0.5))
                del target.busy["2"]
                found = until(rollout.status, lambda found: gpu(found) == ("missing", None))
                assert found["phase"] == "running", "absence holds"
                target.busy["2"] = 0.97
                found = until(rollout.status, lambda found: found["phase"] == "rolled-back")
                assert gpu(found) == ("harmed", 0.97)
                told = rollout("explain", "gpu-limit").stdout
    assert "gpu is harmed: 0.97 when last polled, with a bound of 0.9, its polls broke it" in told


def test_without_an_address_a_policy_that_polls_is_not_started(tmp_path: Path) -> None:
    text = policy("http://127.0.0.1:1", "http://127.0.0.1:2")
    names, asked = Names(Named(), tmp_path), [Placement(parse(text, "gpu.yaml"), 1, Split())]
    refuse_unservable(names, Server("http://127.0.0.1:3"), asked)
    with pytest.raises(WrongTraffic) as caught:
        refuse_unservable(names, None, asked)
    assert str(caught.value) == (
        "gpu-limit: no address of Prometheus is set here, and it polls one for gpu; "
        "set prometheus_url (ROLLOUT_PROMETHEUS_URL) and start this control plane again"
    )
