"""Wrong files beside what is said about them; `--update-golden` writes the texts anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from rollout.policyfile.finding import Severity, worded
from rollout.policyfile.reading import read_file
from tests.command import ROOT

FOLDER = ROOT / "tests" / "golden" / "policies" / "wrong"
WRONG = sorted(FOLDER.glob("*.yaml"))


@pytest.mark.parametrize("file", WRONG, ids=lambda file: file.stem)
def test_every_wrong_file_is_answered_as_agreed(file: Path, *, update_golden: bool) -> None:
    reading = read_file(file, file.name)
    said = "".join(f"{worded(finding)}\n" for finding in reading.findings)
    expected = file.with_suffix(".txt")
    if update_golden:
        expected.write_text(said, encoding="utf-8")
    assert said == expected.read_text(encoding="utf-8")
    assert said
    forbids = any(finding.severity is Severity.ERROR for finding in reading.findings)
    assert (reading.policy is None) == forbids


def test_there_are_no_orphans(*, update_golden: bool) -> None:
    inputs = {file.stem for file in WRONG}
    outputs = {file.stem for file in FOLDER.glob("*.txt")}
    if update_golden:  # each input writes its own output; what is left over has none
        for name in outputs - inputs:
            (FOLDER / f"{name}.txt").unlink()
        return
    assert inputs == outputs
    assert {file.suffix for file in FOLDER.iterdir()} == {".yaml", ".txt"}


def test_there_are_enough_to_show_every_kind_of_mistake() -> None:
    assert len(WRONG) >= 60
