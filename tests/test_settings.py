"""Settings: what is read from where, and how each mistake is worded."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import SecretStr

from rollout.cli.settings import described
from rollout.controller import naming
from rollout.errors import WrongSettings
from rollout.settings.reading import ACTION_VARIABLES, MAXIMUM_FILE_BYTES, Source, load, variable
from rollout.settings.settings import HIDDEN, LogLevel, Settings
from tests.domain.scenes import EXPERIMENT

Setter = Callable[..., None]


@pytest.fixture(autouse=True)
def variables(monkeypatch: pytest.MonkeyPatch) -> Setter:
    """Start from an environment without settings; return what sets one."""
    for name in list(os.environ):
        if name.upper().startswith("ROLLOUT_"):
            monkeypatch.delenv(name)

    def set_variables(**values: str) -> None:
        for name, value in values.items():
            monkeypatch.setenv(name, value)

    return set_variables


def complaints(options: dict[str, object]) -> list[str]:
    """Load and return what was complained of."""
    with pytest.raises(WrongSettings) as caught:
        load(Settings, options)
    return str(caught.value).splitlines()


def file_with(folder: Path, content: str | bytes) -> tuple[Path, dict[str, object]]:
    """Write a settings file and return it with the option that names it."""
    file = folder / "team.toml"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return file, {"settings_file": str(file)}


def test_nothing_set_is_all_defaults() -> None:
    loaded = load(Settings, {})
    assert loaded.values == Settings()
    assert set(loaded.sources.values()) == {Source.DEFAULT}
    assert set(loaded.sources) == set(Settings.model_fields)


def test_made_directly_it_reads_nothing(variables: Setter) -> None:
    variables(ROLLOUT_LOG_LEVEL="debug")
    assert Settings().log_level is LogLevel.WARNING


def test_an_empty_variable_is_not_set(variables: Setter) -> None:
    variables(ROLLOUT_LOG_LEVEL="")
    assert load(Settings, {}).sources["log_level"] is Source.DEFAULT


def test_case_and_spaces_around_a_word_do_not_matter(variables: Setter) -> None:
    variables(ROLLOUT_LOG_LEVEL=" Info ")
    assert load(Settings, {}).values.log_level is LogLevel.INFO


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().log_level = LogLevel.DEBUG  # type: ignore[misc]


@pytest.mark.parametrize(
    "name",
    ["ROLLOUT_SERVICE_HOST", "ROLLOUT_PORT", "ROLLOUT_CONTROL_PORT_80_TCP_ADDR", "ROLLOUT_SERVICE_PORT_HTTP"],
)
def test_what_kubernetes_makes_for_a_service_is_let_through(name: str, variables: Setter) -> None:
    variables(**{name: "tcp://10.0.0.1:80"})
    assert set(load(Settings, {}).sources.values()) == {Source.DEFAULT}


def test_every_mistake_is_named_at_once(variables: Setter, tmp_path: Path) -> None:
    file, options = file_with(tmp_path, 'log_levl = "info"\nlog_format = 3\n')
    variables(ROLLOUT_COLOR="sometimes")
    assert sorted(complaints(options)) == sorted(
        [
            f"{file}: log_levl: no such setting; did you mean 'log_level'?",
            f"{file}: log_format: must be auto, console or json (got 3); choose one of these",
            "ROLLOUT_COLOR: must be auto, always or never (got 'sometimes'); choose one of these",
        ]
    )


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"\xff", "not UTF-8 text; save it as UTF-8"),
        ("log_level info", 'write it as: log_level = "info"'),
        ('settings_file = "b.toml"', "a settings file cannot name another one; remove this line"),
        ("#" * (MAXIMUM_FILE_BYTES + 1), "larger than 256 KiB; name a settings file, not another one"),
        (
            '"\\u001b[31m" = 1',
            "\\x1b[31m: no such setting; remove it; `rollout settings` lists every setting",
        ),
    ],
)
def test_a_file_that_cannot_be_used(content: str | bytes, complaint: str, tmp_path: Path) -> None:
    file, options = file_with(tmp_path, content)
    (line,) = complaints(options)
    assert line.startswith(str(file))
    assert line.endswith(complaint)


def test_a_folder_is_not_a_settings_file(tmp_path: Path) -> None:
    assert complaints({"settings_file": str(tmp_path)})[0].startswith(f"{tmp_path}: is a directory; ")


def test_a_long_value_is_cut(variables: Setter) -> None:
    variables(ROLLOUT_LOG_LEVEL="x" * 10_000)
    assert len(complaints({})[0]) < 200


def test_a_wrong_secret_is_not_repeated(variables: Setter) -> None:
    class Secretive(Settings):
        """Settings of a house with a secret."""

        token: SecretStr | None = None
        pin: int = 0

    variables(ROLLOUT_PIN="hush")
    with pytest.raises(WrongSettings, match=r"got 'hush'"):
        load(Secretive, {})
    with pytest.raises(WrongSettings) as caught:
        load(Secretive, {"token": ["hush"], "pin": 1})
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_described(name: str) -> None:
    description = Settings.model_fields[name].description
    assert description is not None
    assert description.endswith(".")
    assert variable(name) == f"ROLLOUT_{name.upper()}"


def test_an_action_may_call_the_command_with_what_it_was_told(monkeypatch: pytest.MonkeyPatch) -> None:
    told = naming.variables(EXPERIMENT, naming.Purpose.PROMOTE)
    assert set(told) == ACTION_VARIABLES
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    assert load(Settings, {}).values.output == "text"


def test_files_by_name_are_json_in_a_variable(variables: Setter) -> None:
    variables(ROLLOUT_CA_FILES='{"internal": "/ca.pem"}')
    assert load(Settings, {}).values.ca_files == {"internal": Path("/ca.pem")}
    variables(ROLLOUT_CA_FILES="internal=/ca.pem")
    (said,) = complaints({})
    assert said.startswith("ROLLOUT_CA_FILES: not JSON; write it as: {")


@pytest.mark.parametrize(
    "url",
    [
        *("prometheus:9090", "ftp://prometheus", "http://", "http://ann:pw@prometheus", "http://p/?a=b"),
        *("http://p/#a", "http://p\n:1"),
    ],
)
def test_a_servers_address_holds_no_secret_and_no_query(url: str) -> None:
    (complaint,) = complaints({"prometheus_url": url})
    assert complaint.startswith(
        "--prometheus-url: must be http:// or https://, a host, and no user, password"
    )
    assert "pw" not in complaint.partition("(got ")[2]


def test_a_servers_headers_are_read_and_hidden(variables: Setter) -> None:
    variables(ROLLOUT_PROMETHEUS_URL="https://p.example.org/a/", ROLLOUT_PROMETHEUS_HEADERS='{"X-Org": "s3"}')
    loaded = load(Settings, {})
    assert loaded.values.prometheus_url == "https://p.example.org/a"
    assert loaded.values.prometheus_headers["X-Org"].get_secret_value() == "s3"
    (row,) = [row for row in described(loaded) if row["name"] == "prometheus_headers"]
    assert row["value"] == HIDDEN
