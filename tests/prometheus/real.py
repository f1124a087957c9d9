"""A real Prometheus server on a free port over samples that a test chose, or that it scrapes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.command import ROOT

LISTENS_WITHIN_S = 30.0
HOW = "run `make prometheus` (Debian, Ubuntu), or put prometheus and promtool on the PATH"

Samples = Sequence[tuple[float, str]]
"""Seconds since the epoch, and a value as the format writes it."""


def program(name: str) -> str:
    """Return where a program of Prometheus is; without it the test is skipped, but never in CI."""
    own = ROOT / ".cache" / "prometheus" / name
    found = str(own) if own.exists() else shutil.which(name)
    if found is None and os.environ.get("CI") == "true":
        pytest.fail(f"no {name} here, and CI skips nothing: {HOW}")
    if found is None:
        pytest.skip(f"skipped: everything that a real Prometheus server answers; {HOW}")
    return found


@contextmanager
def running(
    folder: Path,
    samples: Mapping[str, Samples] | None = None,
    scraping: Sequence[Mapping[str, Any]] = (),
    options: Sequence[str] = (),
) -> Iterator[str]:
    """Yield the address of a server that holds these samples, by series such as `gpu{version="2"}`."""
    server, data = program("prometheus"), folder / "data"
    if samples:
        _fill(data, samples, folder)
    configuration = folder / "prometheus.yml"
    configuration.write_text(json.dumps({"scrape_configs": list(scraping)}))
    log = folder / "prometheus.log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [
                *(
                    server,
                    f"--config.file={configuration}",
                    f"--storage.tsdb.path={data}",
                    "--log.format=json",
                ),
                *("--storage.tsdb.retention.time=100y", "--web.listen-address=127.0.0.1:0"),
                *("--web.console.templates=none", "--web.console.libraries=none", *options),
            ],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
        )
    try:
        yield f"http://{_address(log, process)}"
    finally:
        process.kill()
        process.wait()


def _fill(data: Path, samples: Mapping[str, Samples], folder: Path) -> None:
    lines = [f"{series} {value} {at:.3f}" for series, found in sorted(samples.items()) for at, value in found]
    text = folder / "samples.txt"
    text.write_text("\n".join([*lines, "# EOF\n"]))
    made = subprocess.run(
        [program("promtool"), "tsdb", "create-blocks-from", "openmetrics", str(text), str(data)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert made.returncode == 0, made.stderr


def _address(log: Path, process: subprocess.Popen[bytes]) -> str:
    """Return where a server listens, once it answers."""
    deadline = time.monotonic() + LISTENS_WITHIN_S
    while time.monotonic() < deadline and process.poll() is None:
        entries = [json.loads(line) for line in log.read_text().splitlines() if line.endswith("}")]
        said = {entry.get("msg"): entry for entry in entries}
        if "Server is ready to receive web requests." in said:
            return str(said["Listening on"]["address"])
        time.sleep(0.02)
    raise AssertionError(log.read_text())
