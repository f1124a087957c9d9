"""`rollout control`: where its database is, and that no password of it is shown or seen."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from rollout.agent.terms import Terms
from rollout.cli.controlling import database_of
from rollout.cli.invocation import ControlAsked
from rollout.domain.judge import Patience
from rollout.errors import WrongSettings, WrongUsage
from rollout.settings.settings import Settings
from tests.command import run

PASSWORD = "p/ss w:rd@"  # noqa: S105 (of nobody)
QUOTED = "p%2Fss%20w%3Ard%40"


@pytest.fixture
def password(tmp_path: Path) -> Path:
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\n")
    return file


def settings(**given: object) -> Settings:
    return Settings.model_validate(given)


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("postgresql://u@db/rollout", f"postgresql+psycopg://u:{QUOTED}@db/rollout"),
        (
            "postgresql+psycopg://u@db:5433/r?sslmode=require",
            f"postgresql+psycopg://u:{QUOTED}@db:5433/r?sslmode=require",
        ),
        ("/var/lib/control.db", Path("/var/lib/control.db")),
    ],
)
def test_a_password_comes_from_its_file(
    given: str, found: str | Path, password: Path, tmp_path: Path
) -> None:
    by_option = database_of(given, settings(database_password_file=password), tmp_path)
    by_setting = database_of(
        None, settings(database_password_file=password, database_url=SecretStr(given)), tmp_path
    )
    assert by_option == by_setting == found


def test_a_setting_may_hold_the_whole_and_an_option_may_not(tmp_path: Path) -> None:
    whole = f"postgresql://u:{QUOTED}@db/rollout"
    assert database_of(None, settings(database_url=whole), tmp_path) == whole.replace(":", "+psycopg:", 1)
    with pytest.raises(WrongUsage, match="every user of this machine can see") as refused:
        database_of(whole, settings(), tmp_path)
    assert QUOTED not in str(refused.value)


def test_without_anything_it_is_a_file_of_its_folder(tmp_path: Path) -> None:
    assert database_of(None, settings(), tmp_path) == tmp_path / "control.db"


@pytest.mark.parametrize(
    ("address", "content", "complaint"),
    [
        ("postgresql://db/rollout", PASSWORD, "needs a user"),
        (f"postgresql://u:{QUOTED}@db/rollout", PASSWORD, "without a password"),
        ("postgresql://u@db/rollout", "", "a password of one line"),
        ("postgresql://u@db/rollout", "two\nlines", "a password of one line"),
        ("postgresql://u@db/rollout", None, "no such file"),
    ],
)
def test_what_does_not_fit_is_said_without_a_secret(
    address: str, content: str | None, complaint: str, tmp_path: Path
) -> None:
    file = tmp_path / "password"
    if content is not None:
        file.write_text(content)
    with pytest.raises(WrongSettings, match=complaint) as refused:
        database_of(None, settings(database_url=address, database_password_file=file), tmp_path)
    assert not any(secret in str(refused.value) for secret in (PASSWORD, QUOTED, "lines\n"))


def test_an_address_that_cannot_be_is_one_sentence(tmp_path: Path) -> None:
    result = run("control", "--database", "mysql://u@db/rollout", "--data", "d", home=tmp_path)
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert "PostgreSQL" in result.stderr or "postgresql" in result.stderr


def test_the_address_of_the_database_is_not_shown(tmp_path: Path) -> None:
    asked = ControlAsked(
        folder=tmp_path,
        lake=tmp_path / "lake",
        database=f"postgresql+psycopg://u:{QUOTED}@db/rollout",
        host="127.0.0.1",
        port=8640,
        url="http://a:8640",
        patience=Patience(),
        terms=Terms(),
    )
    assert QUOTED not in repr(asked)
