"""The page that leads from a request to a number: every block runs, and prints what stands below it."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from rollout.client.evidence import EvidenceAnswer, MetricEvidenceAnswer
from tests.command import ROOT, environment, run

PAGE = ROOT / "docs" / "evidence.md"
BLOCK = re.compile(
    r"^```(console|sql|python)\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL
)
LIMIT_S = 60


def answers(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield what each block of the page should show and what it prints, one after the other."""
    for kind, body, shown in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        match kind:
            case "console":
                command = re.findall(r"^\$ (.*)$", body, re.MULTILINE)[0]
                yield body, f"$ {command}\n{printed(command, folder)}"
            case "sql":
                rows = duckdb.execute(body).fetchall()
                yield shown, "".join(" | ".join(map(str, row)) + "\n" for row in rows)
            case _:
                yield shown, of_program([sys.executable, "-c", body], folder)


def printed(command: str, folder: Path) -> str:
    """Return what a command prints: one of ours, or one that every system has."""
    program, *words = shlex.split(command)
    if program != "rollout":
        assert program == "grep"
        return of_program([program, *words], folder)
    result = run(*words, home=folder)
    assert result.returncode == 0, result.stderr
    return result.stdout


def of_program(command: list[str], folder: Path) -> str:
    return subprocess.run(
        command,
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        check=True,
        timeout=LIMIT_S,
    ).stdout


def test_every_block_of_the_page_prints_what_stands_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = list(answers(tmp_path))
    assert len(found) == 7
    for shown, said in found:
        assert said == shown


def test_every_key_that_the_page_explains_is_in_the_answer() -> None:
    table = PAGE.read_text(encoding="utf-8").partition("| key | what it is |")[2].partition("\n\n")[0]
    named = [key for line in table.splitlines()[2:] for key in re.findall(r"`([^`]+)`", line.split(" | ")[0])]
    own = {key for key in named if not key.startswith(("metrics[].", "."))}
    parts = {key.rpartition(".")[2] for key in named} - own
    assert own - set(EvidenceAnswer.model_fields) == set()
    assert parts - set(MetricEvidenceAnswer.model_fields) == set()
    assert len(named) > 10
