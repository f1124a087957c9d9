"""Processes that a test starts: marked, so that none is overlooked, and broken without mercy."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.command import ROOT

MARK: Final = "FAULTS_MARK"
"""The variable whose value all processes of one stage inherit."""
BEGINS_WITHIN_S: Final = 60.0
ENDS_WITHIN_S: Final = 60.0
LOOK_EVERY_S: Final = 0.005
PROC: Final = Path("/proc")
IS_WATCHED: Final = (PROC / "self" / "environ").exists()
"""Whether the processes of this system can be listed with their environment."""


class DoesNotBegin(Exception):
    """A process ended, or said something else, before it was ready; its log says why."""


class Program:
    """A command in a process of its own, which can be killed, frozen and begun again."""

    def __init__(
        self, arguments: Sequence[str], *, environment: Mapping[str, str], log: Path, says: str
    ) -> None:
        self._arguments, self._environment, self._log, self._says = arguments, environment, log, says
        self._process: subprocess.Popen[str] | None = None

    @property
    def pid(self) -> int:
        """Return the process, which must have begun."""
        assert self._process is not None
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def begin(self) -> None:
        """Return once it says that it is ready."""
        with self._log.open("a", encoding="utf-8") as log:
            self._process = subprocess.Popen(
                self._arguments,
                cwd=ROOT,
                env=dict(self._environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,  # an interrupt reaches the test, which then ends it
            )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.startswith(self._says):
            raise DoesNotBegin(f"{self._arguments}: {line}{self._log.read_text(encoding='utf-8')[-2000:]}")

    def said(self, lines: int) -> list[str]:
        """Return the last lines that it wrote about itself."""
        return self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]

    def kill(self) -> None:
        """End it as a power failure would, and return once it is gone."""
        assert self._process is not None
        self._process.kill()
        self._process.communicate()

    def freeze(self) -> None:
        """Return once none of its threads runs any more."""
        os.kill(self.pid, signal.SIGSTOP)
        stat = PROC / str(self.pid) / "stat"
        while stat.read_text(encoding="utf-8").rpartition(") ")[2][0] != "T":
            time.sleep(LOOK_EVERY_S)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def end(self) -> int:
        """Ask it to end; return its exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.communicate(timeout=ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.kill()
        return self._process.returncode


def marked(mark: str) -> dict[int, str]:
    """Return every living process with this mark, and its command line."""
    wanted = f"{MARK}={mark}".encode()
    found = {}
    for process in PROC.glob("[0-9]*"):
        try:
            if wanted in (process / "environ").read_bytes().split(b"\0"):
                line = (process / "cmdline").read_bytes().replace(b"\0", b" ")
                found[int(process.name)] = line.decode(errors="replace").strip()
        except OSError:  # it has ended, or is another user's
            continue
    return found


def folder_of(pid: int) -> Path | None:
    """Return the working folder of a process; nothing once it has ended."""
    try:
        return (PROC / str(pid) / "cwd").readlink()
    except OSError:
        return None


def end_all(mark: str) -> None:
    """Kill every process with this mark."""
    for pid in marked(mark):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
