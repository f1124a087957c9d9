"""`rollout diff`: the words as agreed, one answer for programs, exit codes, and what cannot be compared."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from rollout.cli.diff import told
from rollout.cli.policy_files import policy_in
from rollout.domain.change import Effect, compare
from rollout.policyfile.reading import read
from tests.command import ROOT, environment, run
from tests.policyfile.files import GOOD, changed

FOLDER = ROOT / "tests" / "golden" / "diffs"
BEFORE = FOLDER / "before.yaml"
AFTER = sorted(file for file in FOLDER.glob("*.yaml") if file != BEFORE)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a folder with a policy and three changes to it."""
    (tmp_path / "old.yaml").write_text(GOOD)
    (tmp_path / "same.yaml").write_text(f"# A comment changes nothing.\n{GOOD}")
    (tmp_path / "owner.yaml").write_text(changed("growth-ml", "retention-ml"))
    (tmp_path / "risk.yaml").write_text(changed("margin: 10%", "margin: 5%"))
    (tmp_path / "salt.yaml").write_text(changed("churn-2026q4", "churn-2027q1"))
    (tmp_path / "wrong.yaml").write_text(changed("minEffect", "minEfect"))
    return tmp_path


def piped(text: str, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `rollout diff` with this text on standard input."""
    return subprocess.run(
        [sys.executable, "-m", "rollout", "diff", *arguments],
        input=text,
        env=environment(home),
        cwd=home,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("file", AFTER, ids=lambda file: file.stem)
def test_every_change_is_told_as_agreed(file: Path, *, update_golden: bool) -> None:
    before, after = policy_in(str(BEFORE)), policy_in(str(file))
    said = "".join(f"{line}\n" for line in told(before, after, compare(before, after)))
    expected = file.with_suffix(".txt")
    if update_golden:
        expected.write_text(said, encoding="utf-8")
    assert said == expected.read_text(encoding="utf-8")


def test_there_are_no_orphans(*, update_golden: bool) -> None:
    inputs = {file.stem for file in AFTER}
    outputs = {file.stem for file in FOLDER.glob("*.txt")}
    if update_golden:
        for name in outputs - inputs:
            (FOLDER / f"{name}.txt").unlink()
        return
    assert inputs == outputs
    assert {file.suffix for file in FOLDER.iterdir()} == {".yaml", ".txt"}


def test_the_goldens_show_every_effect_and_no_change() -> None:
    before = policy_in(str(BEFORE))
    found = [compare(before, policy_in(str(file))) for file in AFTER]
    assert {one.effect for one in found} == set(Effect)
    assert [file.stem for file, one in zip(AFTER, found, strict=True) if not one.changes] == [
        "the_same_in_another_order"
    ]
    assert policy_in(str(BEFORE)) == read(GOOD, "a.yaml").policy


@pytest.mark.parametrize(
    ("new", "code", "first"),
    [
        ("old.yaml", 0, "churn-v2: both files mean the same"),
        ("same.yaml", 0, "churn-v2: both files mean the same"),
        ("owner.yaml", 0, "churn-v2: 1 key differs"),
        ("risk.yaml", 1, "churn-v2: 1 key differs"),
        ("salt.yaml", 1, "churn-v2: 1 key differs"),
    ],
)
def test_the_exit_code_says_whether_the_evidence_stays(new: str, code: int, first: str, home: Path) -> None:
    result = run("diff", "old.yaml", new, home=home)
    assert (result.returncode, result.stderr) == (code, "")
    assert result.stdout.splitlines()[0] == first


def test_json(home: Path) -> None:
    result = run("diff", "--output", "json", "old.yaml", "owner.yaml", home=home)
    assert result.returncode == 0
    assert json.loads(result.stdout) == {
        "old": "churn-v2",
        "new": "churn-v2",
        "effect": "at-once",
        "changes": [
            {
                "key": "metadata.owner",
                "before": "growth-ml",
                "after": "retention-ml",
                "effect": "at-once",
                "meaning": "who answers for it",
            }
        ],
        "people": [],
    }
    same = json.loads(run("diff", "-o", "json", "old.yaml", "same.yaml", home=home).stdout)
    assert (same["effect"], same["changes"]) == (None, [])


def test_json_of_a_refused_change_and_of_two_policies(home: Path) -> None:
    refused = run("diff", "-o", "json", "old.yaml", "salt.yaml", home=home)
    assert (refused.returncode, json.loads(refused.stdout)["effect"]) == (1, "refused")
    (home / "other.yaml").write_text(changed("churn-v2", "churn-v3"))
    two = run("diff", "-o", "json", "old.yaml", "other.yaml", home=home)
    found = json.loads(two.stdout)
    assert (two.returncode, found["effect"]) == (1, "other-experiment")
    assert [(one["key"], one["meaning"]) for one in found["changes"]] == [("metadata.name", None)]
    assert found["people"][0].startswith("both have the route /churn")


def test_standard_input_may_be_either_side(home: Path) -> None:
    old = piped(GOOD, home, "-", "risk.yaml")
    assert (old.returncode, old.stderr) == (1, "")
    assert "spec.metrics[errors].margin: 10% before, 5% now" in old.stdout
    new = piped(GOOD, home, "risk.yaml", "-")
    assert "spec.metrics[errors].margin: 5% before, 10% now" in new.stdout


@pytest.mark.parametrize(
    ("arguments", "complaints"),
    [
        (("-", "-"), ["rollout diff: both policies cannot be standard input; name a file for one"]),
        (
            ("no.yaml", "old.yaml"),
            ["no.yaml: no such file or directory; name a policy file that can be read"],
        ),
        ((".", "old.yaml"), [".: is a directory; name a policy file that can be read"]),
        (
            ("HEAD:old.yaml", "old.yaml"),
            [
                (
                    "HEAD:old.yaml: no such file or directory; "
                    "name a file, or let git read it: git show HEAD:old.yaml | rollout diff - FILE"
                )
            ],
        ),
        (
            ("old.yaml", "wrong.yaml"),
            ["wrong.yaml:17: spec.metrics[0].minEfect: unknown key; did you mean 'minEffect'?"],
        ),
        (
            ("no.yaml", "wrong.yaml"),
            [
                "no.yaml: no such file or directory; name a policy file that can be read",
                "wrong.yaml:17: spec.metrics[0].minEfect: unknown key; did you mean 'minEffect'?",
            ],
        ),
        (
            ("wrong.yaml", "wrong.yaml"),
            ["wrong.yaml:17: spec.metrics[0].minEfect: unknown key; did you mean 'minEffect'?"],
        ),
    ],
)
def test_what_cannot_be_compared(arguments: Sequence[str], complaints: Sequence[str], home: Path) -> None:
    result = run("diff", *arguments, home=home)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.splitlines() == complaints


def test_wrong_standard_input(home: Path) -> None:
    result = piped("a: [", home, "-", "old.yaml")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("stdin:")


def test_a_missing_argument_is_named(home: Path) -> None:
    result = run("diff", "old.yaml", home=home)
    assert (result.returncode, result.stdout) == (2, "")
    assert "NEW" in result.stderr


PAGE = ROOT / "docs" / "assign.md"


def shown() -> list[tuple[str, str]]:
    """Return each command of the page, with what the page says that it prints."""
    page = PAGE.read_text(encoding="utf-8")
    found = re.findall(r"^```console\n\$ (.*?)\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert len(found) == len(re.findall(r"^```.+", page, re.MULTILINE))
    return found


@pytest.mark.parametrize(("command", "prints"), shown())
def test_the_page_shows_what_is_printed(
    command: str, prints: str, tmp_path: Path, *, update_golden: bool
) -> None:
    (tmp_path / "policies").symlink_to(ROOT / "policies")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", command],
        env=environment(tmp_path, PATH=path),
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    if update_golden:
        text = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(
            text.replace(f"$ {command}\n{prints}```", f"$ {command}\n{done.stdout}```"), encoding="utf-8"
        )
        return
    assert done.stdout == prints
