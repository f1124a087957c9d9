"""The demo is the whole chain: a promotion on proof, a rollback on harm, a hold on a broken split."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command import environment

WITHIN_S = 400
README = Path(__file__).parents[2] / "README.md"
NUMBER = re.compile(r"[+-]?\d[\d,.:e+-]*")


def running(word: str) -> list[str]:
    """Return the command lines of processes that name a word."""
    found = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = process.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if word in line:
            found.append(line)
    return found


def shown() -> str:
    """Return the explanation that the README shows."""
    _, _, rest = README.read_text(encoding="utf-8").partition("```text\nsearch-v3:")
    block, _, _ = rest.partition("```")
    assert block
    return f"search-v3:{block}"


def shape(line: str) -> str:
    """Return a line without its numbers, which every run has of its own, and without its place."""
    return NUMBER.sub("#", line).replace("<", "=").strip()


@pytest.mark.slow
def test_the_better_model_is_promoted_the_failing_one_rolled_back_and_the_broken_split_held(
    tmp_path: Path,
) -> None:
    temporary, reports = tmp_path / "t", tmp_path / "reports"
    temporary.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "rollout", "demo", "--reports", str(reports)],
        env={**environment(tmp_path), "TMPDIR": str(temporary)},
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "churn-v2 is promoted: the goal is proven" in done.stdout
    assert "fraud-v4 is rolled-back: a metric is proven worse than its margin (errors)" in done.stdout
    assert "search-v3 is paused: units do not fall to the arms as the policy split them" in done.stdout
    lines = {shape(line) for line in done.stdout.splitlines()}
    assert not [line for line in shown().splitlines() if shape(line) not in lines], "the README shows another"
    assert "Traceback" not in done.stderr
    for name in ("churn-v2", "fraud-v4", "search-v3"):
        assert "<svg" in (reports / f"{name}.html").read_text()
    assert not any(temporary.iterdir())
    if Path("/proc/self/cmdline").exists():
        assert not [line for line in running(str(temporary)) if "envoy" in line]
