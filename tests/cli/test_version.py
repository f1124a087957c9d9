"""`rollout version`: what a report of a defect names."""

import json
import platform
from pathlib import Path

from rollout import __version__
from tests.command import run


def test_json_names_everything_that_can_change_a_number(tmp_path: Path) -> None:
    result = run("version", "--output", "json", home=tmp_path)
    found = json.loads(result.stdout)
    assert result.returncode == 0
    assert found["rollout"] == __version__
    assert found["python"] == platform.python_version()
    assert set(found) == {"rollout", "python", "numpy", "scipy", "statsmodels", "platform"}


def test_the_table_has_the_same(tmp_path: Path) -> None:
    rows = run("version", home=tmp_path).stdout.splitlines()
    assert rows[0].split() == ["PART", "VERSION"]
    assert rows[1].split() == ["rollout", __version__]


def test_the_setting_gives_the_default_and_the_option_wins(tmp_path: Path) -> None:
    assert json.loads(run("version", home=tmp_path, ROLLOUT_OUTPUT="json").stdout)
    assert run("version", "-o", "text", home=tmp_path, ROLLOUT_OUTPUT="json").stdout.startswith("PART")


def test_json_works_with_broken_settings(tmp_path: Path) -> None:
    result = run("version", "-o", "json", home=tmp_path, ROLLOUT_LOG_LEVEL="loud")
    assert (result.returncode, result.stderr) == (0, "")
