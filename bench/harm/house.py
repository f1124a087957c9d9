"""A real house in a process of its own, and what its files say of a run."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from bench.harm.timing import Errors
from bench.proxy.ports import free_port
from rollout.agent.journal import Entry, Event
from rollout.domain.assignment import arm_name
from rollout.domain.records import BASELINE_SERVED
from rollout.lake import segments
from rollout.lake.engine import connect
from rollout.stats.arrays import BoolArray, FloatArray
from tests.command import environment

CANDIDATE: Final = arm_name(1)
ENDS_WITHIN_S: Final = 60.0
LOOK_EVERY_S: Final = 0.02
_ERRORS: Final = """
SELECT ts_us, ts_us + coalesce(dur_us, 0) AS over_us, unit, arm FROM read_parquet($paths)
WHERE experiment = $experiment AND first_failed AND unit IS NOT NULL AND split IS NOT NULL
  AND list_contains($arms, arm) AND ts_us >= $since
ORDER BY over_us
"""
_RESPONSES: Final = """
SELECT ts_us + coalesce(dur_us, 0) AS over_us, first_failed FROM read_parquet($paths)
WHERE experiment = $experiment AND arm = $arm AND unit IS NOT NULL AND ts_us >= $since
ORDER BY over_us
"""
_FILES: Final = """
SELECT filename FROM read_parquet($paths, filename = true)
WHERE experiment = $experiment AND ts_us = $began AND first_failed
"""


@dataclass(frozen=True, slots=True)
class House:
    """Where a running house listens, and where its files are."""

    folder: Path
    proxy_port: int
    control_port: int
    pid: int

    @property
    def token(self) -> str:
        """What every caller of the control plane shows."""
        return (self.folder / "token").read_text(encoding="ascii").strip()

    def acknowledged_s(self, experiment: str, split: int, *, within_s: float) -> float | None:
        """Wait until Envoy has acknowledged a split, and return when, by the node's journal."""
        ends_s = time.monotonic() + within_s
        while time.monotonic() < ends_s:
            for line in self._journal():
                if (line.experiment, line.event, line.split) == (experiment, Event.ACKNOWLEDGED, split):
                    return line.ts_us / 1e6
            time.sleep(LOOK_EVERY_S)
        return None

    def errors(self, experiment: str, *, since_s: float) -> Errors:
        """Return the errors that the test counts."""
        asked = {"experiment": experiment, "arms": [CANDIDATE, *BASELINE_SERVED]}
        began, over, unit, arm = zip(*self._asked(_ERRORS, since_s, asked), strict=True)
        began_us, over_us, units = (np.array(column, dtype=np.int64) for column in (began, over, unit))
        is_candidate = np.array([one == CANDIDATE for one in arm], dtype=np.bool_)
        return Errors(began_us, over_us, units, is_candidate)

    def responses(self, experiment: str, arm: str, *, since_s: float) -> tuple[FloatArray, BoolArray]:
        """Return when a version's first attempts were over, in order, and which of them failed."""
        rows = self._asked(_RESPONSES, since_s, {"experiment": experiment, "arm": arm})
        over_us, failed = zip(*rows, strict=True)
        return np.array(over_us) / 1e6, np.array(failed, dtype=np.bool_)

    def filed_s(self, experiment: str, began_us: int, *, since_s: float) -> float:
        """Return when an error was filed: when the oldest file that has it was written."""
        # Also those that were merged into others since: they stay for a minute.
        written = {str(path): path.stat().st_mtime for _, path in segments.listed(self._exposures)}
        young = [name for name, at_s in written.items() if at_s >= since_s]
        asked = {"paths": young, "experiment": experiment, "began": began_us}
        return min(written[name] for (name,) in _answers(_FILES, asked))

    @property
    def _exposures(self) -> Path:
        return self.folder / "lake" / "exposures"

    def _asked(self, question: str, since_s: float, asked: Mapping[str, object]) -> list[tuple[Any, ...]]:
        """Return a question's answer from what was filed since a time, each row once."""
        paths = [str(path) for path in segments.covering(self._exposures) if path.stat().st_mtime >= since_s]
        return _answers(question, {**asked, "paths": paths, "since": round(since_s * 1e6)})

    def _journal(self) -> Iterator[Entry]:
        file = self.folder / "node" / "splits.journal"
        content = file.read_bytes() if file.exists() else b""
        for line in content[: content.rfind(b"\n") + 1].splitlines():
            yield msgspec.json.decode(line, type=Entry)


@contextmanager
def open_house(folder: Path) -> Iterator[House]:
    """Run `rollout up` until the block ends, then ask it to end."""
    proxy_port, control_port = free_port(), free_port()
    ports = ["--proxy-port", str(proxy_port), "--control-port", str(control_port)]
    with (folder / "house.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "rollout", "up", "--data", str(folder / "house"), *ports],
            env=environment(folder),
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,  # an interrupt reaches the benchmark, which then ends us
        )
        try:
            _await_first_line(process, folder / "house.log")
            yield House(folder / "house", proxy_port, control_port, process.pid)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.communicate(timeout=ENDS_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()  # Envoy's watchdog then ends Envoy
                process.communicate()


def _answers(question: str, asked: Mapping[str, object]) -> list[tuple[Any, ...]]:
    engine = connect()
    try:
        return engine.execute(question, dict(asked)).fetchall()
    finally:
        engine.close()


def _await_first_line(process: subprocess.Popen[str], log: Path) -> None:
    line = "" if process.stdout is None else process.stdout.readline()
    if not line.startswith("proxy:"):
        raise SystemExit(f"bench: the house does not open: {log.read_text(encoding='utf-8')[-2000:]}")
