"""`rollout up`: a house opens, serves its first experiment, and closes on request without a trace."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Final

import httpx
import pytest

from tests.command import environment
from tests.e2e.models import free_port, model
from tests.leaks import refuse

WITHIN_S = 60.0
UNSET: Final[Mapping[str, str]] = MappingProxyType({})


@contextmanager
def house(
    folder: Path, proxy_port: int, control_port: int, variables: Mapping[str, str] = UNSET
) -> Iterator[subprocess.Popen[str]]:
    """Run `rollout up` with these variables until the block ends, then ask it to end."""
    ports = ["--proxy-port", str(proxy_port), "--control-port", str(control_port)]
    with subprocess.Popen(
        [sys.executable, "-m", "rollout", "up", "--data", str(folder / "d"), *ports],
        env=environment(folder, **variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("proxy:")
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            refuse("the log of rollout up", process.communicate(timeout=WITHIN_S)[1])


def policy(baseline: str, candidate: str) -> str:
    """Return the repository's own example, pointed at two servers of this test."""
    text = (Path(__file__).parents[2] / "policies" / "churn.yaml").read_text()
    lines = []
    for line in text.splitlines():
        kept = line
        for arm, address in (("baseline:", baseline), ("candidate:", candidate)):
            if line.strip().startswith(arm) and "url:" in line:
                kept = line[: line.index("url:")] + f'url: "{address}"}}'
        lines.append(kept)
    return "\n".join(lines) + "\n"


def first_answer(client: httpx.Client, path: str) -> httpx.Response:
    """Return the first answer that is not "no such route": the start is published within a tick."""
    ends = time.monotonic() + WITHIN_S
    while True:
        answer = client.get(path, headers={"x-user-id": "user-1"})
        if answer.status_code != httpx.codes.NOT_FOUND or time.monotonic() > ends:
            return answer
        time.sleep(0.1)


@pytest.mark.slow
def test_a_house_serves_what_was_started_and_serves_it_again_after_a_restart(tmp_path: Path) -> None:
    proxy_port, control_port = free_port(), free_port()
    file = tmp_path / "churn.yaml"
    asked = environment(tmp_path) | {
        "ROLLOUT_CONTROL_URL": f"http://127.0.0.1:{control_port}",
        "ROLLOUT_TOKEN_FILE": str(tmp_path / "d" / "token"),
    }

    def rollout(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "rollout", *words],
            env=asked,
            capture_output=True,
            text=True,
            timeout=WITHIN_S,
            check=False,
        )

    with model("fine") as baseline, model("fine") as candidate:
        file.write_text(policy(baseline, candidate))
        with (
            house(tmp_path, proxy_port, control_port) as up,
            httpx.Client(base_url=f"http://127.0.0.1:{proxy_port}", trust_env=False) as client,
        ):
            started = rollout("start", str(file))
            assert started.returncode == 0, started.stderr
            answer = first_answer(client, "/churn")
            assert (answer.status_code, answer.text) == (200, "fine")
            assert rollout("status", "churn-v2").returncode == 0
            shown = rollout("evidence", "show", "churn-v2")
            assert shown.stdout.startswith("churn-v2, revision 1: "), shown.stderr
        assert up.returncode == 0
        with (
            house(tmp_path, proxy_port, control_port) as again,
            httpx.Client(base_url=f"http://127.0.0.1:{proxy_port}", trust_env=False) as client,
        ):
            assert again.stdout is not None
            said = [again.stdout.readline() for _ in range(2)]
            assert said[1] == "1 experiment goes on: churn-v2 (running)\n"
            assert client.get("/churn", headers={"x-user-id": "user-1"}).status_code == 200
            assert "running" in rollout("status").stdout
        assert again.returncode == 0
    assert oct((tmp_path / "d" / "token").stat().st_mode & 0o777) == "0o600"


def test_a_port_that_is_taken_is_said_in_one_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "rollout", "up", "--data", str(tmp_path / "d"), "--proxy-port", str(port)],
            env=environment(tmp_path),
            capture_output=True,
            text=True,
            timeout=WITHIN_S,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert str(port) in done.stderr
