"""`rollout lint`: files, folders and standard input; three ways to print; exit codes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command import environment, run
from tests.policyfile.files import GOOD, changed

WRONG = changed("minEffect", "minEfect")
WARNED = changed("fallback: baseline, ", "")


def piped(text: str, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `rollout lint` with this text on standard input."""
    return subprocess.run(
        [sys.executable, "-m", "rollout", "lint", *arguments],
        input=text,
        env=environment(home),
        cwd=home,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a folder with policies: two good ones, one wrong one."""
    (tmp_path / "good").mkdir()
    (tmp_path / "good" / "churn.yaml").write_text(GOOD)
    other = changed("churn-v2", "ranker", changed("/churn", "/rank", changed("churn-2026q4", "rank-1")))
    (tmp_path / "good" / "ranker.yml").write_text(other)
    (tmp_path / "good" / "notes.txt").write_text("not a policy")
    (tmp_path / "good" / ".hidden.yaml").write_text("not a policy")
    (tmp_path / "wrong.yaml").write_text(WRONG)
    return tmp_path


def test_a_good_folder(home: Path) -> None:
    result = run("lint", "good", home=home)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == "2 files: no errors, no warnings\n"


def test_a_wrong_file(home: Path) -> None:
    result = run("lint", "wrong.yaml", home=home)
    assert (result.returncode, result.stderr) == (1, "")
    assert result.stdout == (
        "wrong.yaml:17: spec.metrics[0].minEfect: unknown key; did you mean 'minEffect'?\n"
        "1 file: 1 error, no warnings\n"
    )


def test_warnings_stand_apart_and_are_fine(home: Path) -> None:
    result = piped(WARNED, home, "-")
    assert result.returncode == 0
    assert result.stdout.startswith("stdin:9: spec.resilience.fallback: warning: not written, so ")
    assert result.stdout.endswith("\n1 file: no errors, 1 warning\n")


def test_standard_input_and_a_folder_that_collide(home: Path) -> None:
    result = piped(GOOD, home, "good", "-", "good/churn.yaml")
    assert result.returncode == 1
    assert [line.partition(" (")[0] for line in result.stdout.splitlines()] == [
        "stdin:3: metadata.name: two policies with one name: good/churn.yaml:3 has it too",
        "stdin:5: spec.route.path: two policies with one route: good/churn.yaml:5 has it too",
        "stdin:8: spec.assignment.salt: two policies with one salt: good/churn.yaml:8 has it too",
        "3 files: 3 errors, no warnings",
    ]


def test_a_stream_that_is_too_large_is_refused_unread(home: Path) -> None:
    result = piped("[" * 300_000, home, "-")
    assert result.returncode == 1
    assert result.stdout == (
        "stdin: larger than 256 KiB; name a policy, not another file\n1 file: 1 error, no warnings\n"
    )


def test_a_folder_whose_layer_overflows(home: Path) -> None:
    for name in ("churn.yaml", "ranker.yml"):
        file = home / "good" / name
        file.write_text(file.read_text().replace("salt:", "layer: {name: page, share: 60%}, salt:"))
    result = run("lint", "good", home=home)
    assert result.returncode == 1
    assert result.stdout == (
        "good/ranker.yml:8: spec.assignment.layer.share: layer page has only 40% left beside the other "
        "policies (got 60%); lower the shares until they fit into 100%\n2 files: 1 error, no warnings\n"
    )


def test_json(home: Path) -> None:
    result = run("lint", "-o", "json", "wrong.yaml", "good/churn.yaml", home=home)
    found = json.loads(result.stdout)
    assert result.returncode == 1
    assert [(policy["file"], policy["name"]) for policy in found["policies"]] == [
        ("wrong.yaml", None),
        ("good/churn.yaml", "churn-v2"),
    ]
    assert found["policies"][1]["digest"].startswith("sha256:")
    assert found["warnings"] == []
    assert found["errors"] == [
        {
            "file": "wrong.yaml",
            "line": 17,
            "path": "spec.metrics[0].minEfect",
            "what": "unknown key",
            "got": None,
            "remedy": "did you mean 'minEffect'?",
            "message": "wrong.yaml:17: spec.metrics[0].minEfect: unknown key; did you mean 'minEffect'?",
        }
    ]


def test_github(home: Path) -> None:
    (home / "a,b.yaml").write_text(changed("setWeight: 50%", "setWeight: 60%", WARNED))
    result = run("lint", "--output", "github", "a,b.yaml", home=home)
    error, warning = result.stdout.splitlines()
    assert result.returncode == 1
    assert error == (
        "::error file=a%2Cb.yaml,line=24,title=spec.steps[2].setWeight::"
        "must be at most 50%25 with one candidate (got 60%25)"
    )
    assert warning.startswith(
        "::warning file=a%2Cb.yaml,line=9,title=spec.resilience.fallback::not written, "
    )


def test_an_empty_name_is_not_this_folder(home: Path) -> None:
    result = run("lint", "", home=home)
    assert (result.returncode, result.stdout) == (2, "0 files: no errors, no warnings\n")
    assert result.stderr == "rollout lint: an empty name; name a file or a folder: `.` is this one\n"


def test_what_cannot_be_read_does_not_hide_what_can(home: Path) -> None:
    (home / "empty").mkdir()
    result = run("lint", "nowhere.yaml", "wrong.yaml", "empty", home=home)
    assert result.returncode == 2
    assert result.stdout.endswith("1 file: 1 error, no warnings\n")
    assert result.stderr == (
        "empty: no file in it ends in .yaml or .yml; name a folder that holds policies\n"
        "nowhere.yaml: no such file or directory; name a policy file that can be read\n"
    )


def test_no_path_is_wrong_usage(home: Path) -> None:
    result = run("lint", home=home)
    assert (result.returncode, result.stderr) == (
        2,
        "rollout lint: PATHS is missing; see `rollout lint --help`\n",
    )


def test_signs_for_a_terminal_are_written_out(home: Path) -> None:
    (home / "\x1b[31m.yaml").write_text(changed("owner: growth-ml", 'owner: "\\e[31m"'))
    result = run("lint", "\x1b[31m.yaml", home=home)
    assert "\x1b" not in result.stdout
    assert result.stdout.startswith("\\x1b[31m.yaml:3: metadata.owner: ")


def test_a_receiver_that_nobody_knows_is_a_warning_where_the_file_of_receivers_is_at_hand(
    home: Path,
) -> None:
    told = GOOD + "  notify: [{to: ml-growht, events: [decision]}]\n"
    (home / "told.yaml").write_text(told)
    (home / "receivers.toml").write_text('[ml-growth]\napprise = "slack://a/b/c"\n')
    line = len(told.splitlines())
    for name, expected in {
        "receivers.toml": f"told.yaml:{line}: spec.notify[0].to: warning: nobody is called so in "
        "receivers.toml (got ml-growht); did you mean 'ml-growth'?\n1 file: no errors, 1 warning\n",
        "elsewhere.toml": "1 file: no errors, no warnings\n",
    }.items():
        result = run("lint", "told.yaml", home=home, ROLLOUT_RECEIVERS_FILE=str(home / name))
        assert (result.returncode, result.stdout) == (0, expected)
