"""`rollout proxy` as people run it: joined to a house, killed and ended, and alone as the README says."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import httpx
import pytest

from rollout.client.nodes import NodeAnswer, NodesAnswer
from tests.command import ROOT, environment
from tests.e2e.models import free_port, model
from tests.e2e.test_up import UNSET, house
from tests.leaks import refuse

WITHIN_S = 60.0


@dataclass
class Proxy:
    """A running `rollout proxy`."""

    folder: Path
    port: int
    agent_port: int
    process: subprocess.Popen[str]

    def get(self, user: str) -> httpx.Response:
        return httpx.get(
            f"http://127.0.0.1:{self.port}/predict", headers={"x-user-id": user}, trust_env=False
        )

    def readiness(self) -> int:
        try:
            return httpx.get(f"http://127.0.0.1:{self.agent_port}/readyz", trust_env=False).status_code
        except httpx.TransportError:
            return 0

    @property
    def envoy(self) -> int:
        """Envoy's process: the child that is no shell."""
        found = subprocess.run(
            ["ps", "-A", "-ww", "-o", "ppid=,pid=,args="], capture_output=True, text=True, check=True
        )
        rows = [line.split(maxsplit=2) for line in found.stdout.splitlines()]
        own = [row for row in rows if int(row[0]) == self.process.pid and "drain-time-s" in row[2]]
        return int(own[0][1])


@contextmanager
def proxy(
    folder: Path, *arguments: str, port: int | None = None, variables: Mapping[str, str] = UNSET
) -> Iterator[Proxy]:
    """Run `rollout proxy` with these variables until the block ends, then ask it to end."""
    chosen, agent_port = port or free_port(), free_port()
    ports = ["--port", str(chosen), "--agent-port", str(agent_port)]
    with subprocess.Popen(
        [sys.executable, "-m", "rollout", "proxy", "--data", str(folder / "d"), *ports, *arguments],
        cwd=folder,
        env=environment(folder, **variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        found = Proxy(folder, chosen, agent_port, process)
        try:
            assert until(lambda: found.readiness() > 0 or process.poll() is not None)
            yield found
        finally:
            for _ in range(2):  # the second one hurries
                process.send_signal(signal.SIGTERM)
                time.sleep(0.2)
            refuse("the log of rollout proxy", process.communicate(timeout=WITHIN_S)[1])


def until(holds: Callable[[], bool], within_s: float = WITHIN_S) -> bool:
    ends_s = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > ends_s:
            return False
        time.sleep(0.05)
    return True


@dataclass(frozen=True)
class House:
    url: str
    token_file: Path

    def nodes(self) -> dict[str, NodeAnswer]:
        found = self.ask("GET", "/v1/nodes")
        return {node.name: node for node in NodesAnswer.model_validate_json(found.content).nodes}

    def starts(self, node: str) -> int:
        state = self.nodes()[node].state
        return 0 if state is None else state.envoy_starts

    def ask(self, method: str, path: str, content: bytes | None = None) -> httpx.Response:
        token = self.token_file.read_text().strip()
        headers = {"authorization": f"Bearer {token}"}
        return httpx.request(
            method, self.url + path, headers=headers, content=content, trust_env=False, timeout=30
        )


@pytest.mark.slow
def test_a_second_proxy_joins_dies_comes_back_and_leaves_without_a_failed_request(tmp_path: Path) -> None:
    up, own = tmp_path / "up", tmp_path / "own"
    for folder in (up, own):
        folder.mkdir()
    control_port = free_port()
    with model("1") as baseline, model("2") as candidate, house(up, free_port(), control_port):
        central = House(f"http://127.0.0.1:{control_port}", up / "d" / "token")
        joined = ["--control", central.url, "--token-file", str(central.token_file), "--node", "second"]
        started = central.ask("POST", "/v1/experiments", content=endless_policy(baseline, candidate).encode())
        assert started.status_code == HTTPStatus.CREATED
        with proxy(own, *joined) as second:
            assert until(lambda: [node.is_live for node in central.nodes().values()] == [True, True])
            assert second.readiness() == HTTPStatus.OK
            assert second.get("ada").text in {"1", "2"}
            before = {user: second.get(user).text for user in map(str, range(20))}

            os.kill(second.envoy, signal.SIGKILL)
            assert until(lambda: central.starts("second") == 2)
            assert {user: second.get(user).text for user in before} == before

            second.process.kill()
            second.process.wait()
            port = second.port
            assert until(lambda: central.nodes()["second"].is_silent)
            shown = central.ask("GET", "/v1/experiments").json()["experiments"][0]
            assert not shown["traffic_is_live"]
        with proxy(own, *joined, port=port) as again:
            assert until(lambda: central.nodes()["second"].is_live)
            assert {user: again.get(user).text for user in before} == before
            failed, asked = _drained(again)
            assert (failed, again.process.wait(WITHIN_S)) == (0, 0)
            assert asked > 100
            assert until(lambda: "second" not in central.nodes())
        key = own / "d" / "unit.key"
        assert key.read_text().strip() == (up / "d" / "unit.key").read_text().strip()
        assert key.stat().st_mode & 0o077 == 0
        wrong = tmp_path / "wrong"
        wrong.write_text("another-token-that-is-as-long\n")
        with proxy(own, "--control", central.url, "--token-file", str(wrong), "--node", "second") as refused:
            assert until(lambda: refused.readiness() == HTTPStatus.OK)
            assert {user: refused.get(user).text for user in before} == before


def endless_policy(baseline: str, candidate: str) -> str:
    """Return the first policy for these servers; its first step takes longer than any test."""
    text = (
        (ROOT / "policies" / "first.yaml")
        .read_text()
        .replace("for: 10s, minUnits: 20", "for: 1h, minUnits: 20")
    )
    assert "for: 1h" in text
    return text.replace("http://127.0.0.1:9001", baseline).replace("http://127.0.0.1:9002", candidate)


def _drained(proxy: Proxy) -> tuple[int, int]:
    """Ask without a pause while the proxy is told to end, and leave when health says so; count failures."""
    failed, asked, is_healthy = 0, 0, threading.Event()
    is_healthy.set()

    def look() -> None:
        url = f"http://127.0.0.1:{proxy.port}/rollout-health"
        while is_healthy.is_set():
            if httpx.get(url, trust_env=False).status_code != HTTPStatus.OK:
                time.sleep(1.0)  # a load balancer is not quick
                is_healthy.clear()
            time.sleep(0.05)

    looking = threading.Thread(target=look)
    looking.start()
    url = f"http://127.0.0.1:{proxy.port}/predict"
    with httpx.Client(trust_env=False) as client:
        while is_healthy.is_set():
            if asked == 100:
                proxy.process.send_signal(signal.SIGTERM)
            try:
                failed += client.get(url, headers={"x-user-id": str(asked)}).status_code != HTTPStatus.OK
            except httpx.TransportError:
                failed += 1
            asked += 1
    looking.join()
    return failed, asked


def section() -> list[str]:
    """Return what the README tells its reader to type."""
    text = (ROOT / "README.md").read_text().split("## A proxy alone")[1].split("\n## ")[0]
    blocks = re.findall(r"^```console\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


@pytest.mark.slow
def test_a_reader_of_the_readme_sees_both_arms(tmp_path: Path) -> None:
    for name in (".venv", "policies"):
        (tmp_path / name).symlink_to(ROOT / name)
    first, second, _, answers = free_port(), free_port(), free_port(), ""
    copy, start, *asking = section()
    assert copy.startswith("cp ")
    assert start == ".venv/bin/rollout proxy --policies mine.yaml --sample-models"
    text = (ROOT / "policies" / "first.yaml").read_text()
    assert ":9001" in text
    assert ":9002" in text
    (tmp_path / "mine.yaml").write_text(text.replace("9001", str(first)).replace("9002", str(second)))
    with proxy(tmp_path, *start.split()[2:]) as alone:
        assert until(lambda: alone.readiness() == HTTPStatus.OK)
        for command in asking:
            typed = command.replace("8600", str(alone.port))
            found = subprocess.run(
                ["/bin/sh", "-c", typed], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60
            )
            answers += found.stdout
        assert answers.startswith('{"version": "1"')
        assert "x-rollout-variant: candidate1" in answers
        assert "x-rollout-variant: control" in answers
        assert '"version": "2"' in answers
        lake = tmp_path / "d" / "lake" / "exposures"
        assert until(lambda: any(lake.glob("*.parquet")))
        weights = tmp_path / "weights.yaml"
        weights.write_text("frist: 10%\n")
        time.sleep(2.5)
        assert alone.get("ada").headers["x-rollout-variant"]
        weights.write_text("first: promoted\n")
        assert until(lambda: alone.get("ada").json()["version"] == "2")
        alone.process.send_signal(signal.SIGTERM)
        _, err = alone.process.communicate(timeout=WITHIN_S)
    assert "weights.yaml:1: frist: no policy has this name; did you mean 'first'?" in err


def test_a_first_start_without_its_control_plane_says_what_to_do(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("a token for tests only".replace(" ", "-") + "\n")
    asked = ["--control", f"http://127.0.0.1:{free_port()}", "--token-file", str(token)]
    asked += ["--port", str(free_port()), "--agent-port", str(free_port())]
    result = subprocess.run(
        [sys.executable, "-m", "rollout", "proxy", "--data", str(tmp_path / "d"), *asked],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        check=False,
    )
    assert result.returncode == 2
    assert "cannot connect" in result.stderr
    assert "a node's first start needs it" in result.stderr
    assert "Traceback" not in result.stderr
