"""`rollout settings`: every value with its source, every mistake with its place."""

import json
from pathlib import Path

import pytest
from pydantic import SecretStr

from rollout.cli.settings import described
from rollout.settings.reading import load
from rollout.settings.settings import HIDDEN, Settings
from tests.command import run


def found(stdout: str) -> dict[str, dict[str, str | None]]:
    """Index the printed JSON by name."""
    return {row["name"]: row for row in json.loads(stdout)["settings"]}


def test_each_source_wins_over_the_one_before(tmp_path: Path) -> None:
    file = tmp_path / "team.toml"
    file.write_text('log_level = "info"\ncolor = "never"\n')
    result = run("--settings", str(file), "settings", "-o", "json", home=tmp_path, ROLLOUT_LOG_LEVEL="DEBUG")
    settings = found(result.stdout)
    assert (settings["log_level"]["value"], settings["log_level"]["source"]) == ("debug", "environment")
    assert (settings["color"]["value"], settings["color"]["source"]) == ("never", "settings file")
    assert (settings["output"]["value"], settings["output"]["source"]) == ("text", "default")
    assert settings["settings_file"]["source"] == "command line"


def test_the_variable_names_a_file_too(tmp_path: Path) -> None:
    (tmp_path / "team.toml").write_text('output = "json"\n')
    result = run("settings", home=tmp_path, ROLLOUT_SETTINGS_FILE="~/team.toml")
    assert found(result.stdout)["output"]["source"] == "settings file"


def test_a_pipe_gets_one_row_on_one_line_whatever_the_width(tmp_path: Path) -> None:
    narrow = run("settings", home=tmp_path, COLUMNS="20").stdout
    assert narrow == run("settings", home=tmp_path, COLUMNS="300").stdout
    assert len(narrow.splitlines()) == 1 + len(Settings.model_fields)
    assert "\x1b" not in narrow


def test_colour_only_where_wanted(tmp_path: Path) -> None:
    assert "\x1b[1m" in run("settings", home=tmp_path, ROLLOUT_COLOR="always").stdout
    assert "\x1b" not in run("settings", home=tmp_path, ROLLOUT_COLOR="never", FORCE_COLOR="1").stdout


def test_wide_and_dangerous_signs_in_a_value(tmp_path: Path) -> None:
    result = run("settings", home=tmp_path, ROLLOUT_DETAILS_FOLDER="/日本語/\x1b[31m")
    assert "/日本語/\\x1b[31m" in result.stdout
    as_json = run("settings", "-o", "json", home=tmp_path, ROLLOUT_DETAILS_FOLDER="/日本語")
    assert "/日本語" in as_json.stdout
    ascii_only = run(
        "settings",
        "-o",
        "json",
        home=tmp_path,
        ROLLOUT_DETAILS_FOLDER="/日本語",
        PYTHONIOENCODING="ascii",
    )
    assert found(ascii_only.stdout)["details_folder"]["value"] == "/日本語"


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        (
            {"ROLLOUT_LOG_LEVLE": "info"},
            "ROLLOUT_LOG_LEVLE: no such setting; did you mean 'ROLLOUT_LOG_LEVEL'?\n",
        ),
        (
            {"ROLLOUT_ZZZ": "1"},
            "ROLLOUT_ZZZ: no such setting; unset it; `rollout settings` lists every setting\n",
        ),
        (
            {"ROLLOUT_LOG_LEVEL": "degub"},
            "ROLLOUT_LOG_LEVEL: must be debug, info, warning or error (got 'degub'); did you mean 'debug'?\n",
        ),
        (
            {"ROLLOUT_CORRELATION_ID": "a b"},
            (
                "ROLLOUT_CORRELATION_ID: must be 1 to 128 letters, digits and the signs . _ : - (got 'a b'); "
                "`rollout settings` describes it\n"
            ),
        ),
        (
            {"ROLLOUT_SETTINGS_FILE": "/nowhere.toml"},
            "/nowhere.toml: no such file or directory; name a settings file that can be read\n",
        ),
    ],
)
def test_a_wrong_setting_is_one_sentence(changes: dict[str, str], complaint: str, tmp_path: Path) -> None:
    result = run("settings", home=tmp_path, **changes)
    assert (result.returncode, result.stdout, result.stderr) == (2, "", complaint)


def test_a_secret_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    class Secretive(Settings):
        """Settings of a house with a secret."""

        token: SecretStr | None = None

    monkeypatch.setenv("ROLLOUT_TOKEN", "hush")
    (row,) = [row for row in described(load(Secretive, {})) if row["name"] == "token"]
    assert row["value"] == HIDDEN
    assert row["source"] == "environment"
