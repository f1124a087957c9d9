"""A simulation that is ended from outside leaves no process behind, and says nothing but that it was."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from rollout.simulation.simulate import BLOCK
from tests.command import ROOT, environment

WITHIN_S = 60.0
TWO_WORKERS = 3
"""The command, two workers, and what Python starts beside them."""


def members(group: int) -> int:
    """Return how many processes of a group are alive."""
    found = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, owner = stat.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        found += int(owner) == group and state != "Z"
    return found


def await_true(holds: Callable[[], bool]) -> None:
    until_s = time.monotonic() + WITHIN_S
    while not holds():
        assert time.monotonic() < until_s
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one processor needs no workers")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_behind(number: signal.Signals, tmp_path: Path) -> None:
    policy = str(ROOT / "policies" / "churn.yaml")
    # A shell's background jobs inherit that interrupts are ignored; this process wants to be interrupted.
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from rollout.__main__ import main; main()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, "simulate", policy, "--replicates", str(4 * BLOCK)],
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    await_true(lambda: members(process.pid) >= TWO_WORKERS)
    process.send_signal(number)
    out, _ = process.communicate(timeout=WITHIN_S)
    assert out == b""
    assert process.returncode == (130 if number == signal.SIGINT else -number)
    await_true(lambda: members(process.pid) == 0)
