"""A house that is started again whenever it was killed, and the address at which it lives all its lives."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from rollout.client.connection import Connection
from rollout.client.control_plane import ControlPlane
from tests.command import ROOT, environment

OPENS_WITHIN_S = 60.0
LIVES = 20
"""More than any test takes from it: one that dies too often is not begun again."""


@dataclass(frozen=True)
class Address:
    """Where the house lives."""

    folder: Path
    proxy_port: int
    control_port: int

    @property
    def control_url(self) -> str:
        return f"http://127.0.0.1:{self.control_port}"

    @property
    def token(self) -> str:
        return (self.folder / "token").read_text().strip()

    @contextmanager
    def control(self) -> Iterator[ControlPlane]:
        """Yield the house's control plane."""
        with ControlPlane(Connection(self.control_url, token=self.token, timeout_s=10.0)) as control:
            yield control


class Lives:
    """Lives a house's lives in a thread of its own; as a context it ends the last one."""

    def __init__(self, address: Address) -> None:
        ports = (str(address.proxy_port), str(address.control_port))
        self._arguments = [sys.executable, "-m", "tests.e2e.doomed", str(address.folder), *ports]
        self._home = address.folder.parent
        self._leaving, self._is_open = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._live, name="lives")
        self._process: subprocess.Popen[str] | None = None
        self.ends: list[int] = []
        """How each life ended."""

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._is_open.wait(OPENS_WITHIN_S)
        return self

    def __exit__(self, *_: object) -> None:
        self._leaving.set()
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
        self._thread.join(OPENS_WITHIN_S)
        assert not self._thread.is_alive()

    def _live(self) -> None:
        for _ in range(LIVES):
            with subprocess.Popen(
                self._arguments, cwd=ROOT, env=environment(self._home), stdout=subprocess.PIPE, text=True
            ) as process:
                self._process = process
                assert process.stdout is not None
                if process.stdout.readline() == "open\n":
                    self._is_open.set()
                self.ends.append(process.wait())
            if self._leaving.is_set() or self.ends[-1] != -signal.SIGKILL:
                return


def await_true(what: str, condition: Callable[[], bool], *, within_s: float) -> None:
    """Return once a condition holds; fail with what it is when it takes too long."""
    ends_s = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < ends_s, what
        time.sleep(0.2)
