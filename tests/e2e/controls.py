"""Processes of `rollout control`, which share a database and a folder."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import httpx

from rollout.client.connection import Connection
from rollout.client.control_plane import ControlPlane
from tests.command import environment

OPENS_WITHIN_S = 60.0


@dataclass
class Control:
    """One process of several."""

    url: str
    folder: Path
    process: subprocess.Popen[str]
    said: str
    """Whether it led at first, in its own words."""

    @property
    def token(self) -> str:
        return (self.folder / "token").read_text().strip()

    def ready(self) -> tuple[int, str | None]:
        """Return how it stands, and who leads as it says; 0 while it does not answer."""
        try:
            answer = httpx.get(f"{self.url}/readyz", trust_env=False, timeout=1.0)
        except httpx.TransportError:
            return 0, None
        return answer.status_code, answer.json().get("leader")

    def leads(self) -> bool:
        return self.ready()[0] == HTTPStatus.OK

    def ask(self, path: str) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.token}"}
        return httpx.get(self.url + path, headers=headers, trust_env=False, timeout=10)

    def end(self) -> int:
        """Ask it to end, and return how it did."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(OPENS_WITHIN_S)


@contextmanager
def control(folder: Path, database: str, port: int, *words: str) -> Iterator[Control]:
    """Run one until the block ends; it has begun to lead, or to stand by."""
    command = ["control", "--data", str(folder / "d"), "--database", database, "--port", str(port)]
    log = folder / f"control-{port}-{time.monotonic_ns()}.log"
    with (
        log.open("w") as errors,
        subprocess.Popen(
            [sys.executable, "-m", "rollout", *command, *words],
            cwd=folder,
            env=environment(folder),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        try:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("control: "), log.read_text()
            yield Control(f"http://127.0.0.1:{port}", folder / "d", process, process.stdout.readline())
        finally:
            process.send_signal(signal.SIGCONT)
            process.terminate()
            process.wait(OPENS_WITHIN_S)


@contextmanager
def plane(*controls: Control) -> Iterator[ControlPlane]:
    """Yield whichever of them leads."""
    urls, token = ",".join(one.url for one in controls), controls[0].token
    with ControlPlane(Connection(urls, token=token, timeout_s=10.0)) as found:
        yield found
