"""What tests leave behind is searched: a secret that is planted fails the run, and is not shown."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Final

import pytest

from rollout.api.tokens import draw_secret
from tests.command import ROOT, environment
from tests.leaks import ENDS_BYTES, HOLDERS, MOST_FILES, PACKED, SHORTEST, Search, leaks, named_in, refuse

TRIAL: Final = """
import sys
from pathlib import Path
import pytest
from rollout.api.tokens import draw_secret

PASSWORD = "hunter2-of-the-trial"


def test_kept_where_it_may(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(draw_secret())
    (tmp_path / "unit.key").write_text("0f" * 32)


def test_written_into_a_log(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "access.log").write_text(f"GET / {draw_secret()}")


def test_kept_and_written(tmp_path: Path) -> None:
    (tmp_path / "unit.key").write_text("0a" * 32)
    (tmp_path / "envoy.log").write_text("the key is " + "0a" * 32)


def test_said() -> None:
    print("connecting with", PASSWORD)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("together")


def test_shared(shared: Path) -> None:
    (shared / "said").write_text(draw_secret())
"""
CONFTEST: Final = "from tests.conftest import LEAKS, _shared_folders_keep_secrets, pytest_configure\n"


@pytest.fixture(name="place")
def _place() -> Iterator[Path]:
    """Yield a folder that is gone before anybody searches for what is planted in it."""
    with TemporaryDirectory() as name:
        yield Path(name)


@pytest.fixture(name="secret", scope="session")
def _secret() -> str:
    return draw_secret()


@pytest.mark.parametrize(
    "made",
    [
        draw_secret(),
        "whsec_" + "QUJD" * 12,
        "-----BEGIN EC PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----",
    ],
    ids=["token", "webhook", "ec", "key"],
)
def test_what_has_the_shape_of_a_secret_is_one_whatever_stands_around_it(made: str) -> None:
    found = list(leaks("a.log", f'{{"said":"x{made}y"}}'.encode()))
    assert [str(one) for one in found] == ["a.log holds what has the shape of a token or a key"]
    with pytest.raises(AssertionError, match="the shape") as caught:
        refuse("what it said", made)
    assert made not in str(caught.value)


def test_digests_identities_and_words_are_none() -> None:
    assert not list(
        leaks("a.log", b"sha256:" + b"0a" * 32 + b" rollout_start whsec_... rollout_" + b"z" * 64)
    )
    refuse("what it said", "rollout status")


@pytest.mark.parametrize("name", [*HOLDERS, *PACKED])
def test_a_file_that_is_there_to_hold_a_secret_may(place: Path, secret: str, name: str) -> None:
    (place / name.replace("*", "a")).write_text(secret)
    assert not list(Search().folder(place, {}))


@pytest.mark.parametrize(
    "name", ["envoy.log", "token.log", "control.db", "said", "a/b/jobs/1/output", ".hidden"]
)
def test_every_other_file_is_searched_wherever_it_lies(place: Path, secret: str, name: str) -> None:
    file = place / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"... {secret}")
    search = Search()
    assert [one.where for one in search.folder(place, {})] == [name]
    assert (search.searched.files, search.searched.bytes) == (1, file.stat().st_size)


@pytest.mark.parametrize("at", [0, ENDS_BYTES * 3])
def test_of_a_large_file_both_ends_are_searched(place: Path, secret: str, at: int) -> None:
    with (place / "large.log").open("wb") as stream:
        stream.truncate(ENDS_BYTES * 3)
        stream.seek(at)
        stream.write(secret.encode())
    search = Search()
    assert list(search.folder(place, {}))
    assert search.searched.bytes <= 2 * ENDS_BYTES + 1


def test_more_files_than_are_searched_are_said_to_be(place: Path) -> None:
    for number in range(MOST_FILES + 1):
        (place / str(number)).touch()
    assert ["too many" in one.kind for one in Search().folder(place, {})] == [True]


def test_what_is_no_file_is_not_waited_for(place: Path) -> None:
    os.mkfifo(place / "pipe")
    (place / "gone").symlink_to(place / "nowhere")
    search = Search()
    assert not list(search.folder(place, {}))
    assert search.searched.files == 0


def test_constants_that_are_named_as_secrets_are_ones() -> None:
    module = ModuleType("some_test")
    long, short = "x" * SHORTEST, "x" * (SHORTEST - 1)
    vars(module).update(
        {"SECRET": long, "A_TOKEN": long + "y", "PASSWORD": short, "TOKENS": [long], "KEY": long}
    )
    assert set(named_in(module).values()) == {"SECRET of its module", "A_TOKEN of its module"}
    assert named_in(None) == {}


def test_a_run_that_leaves_a_secret_fails_and_names_the_test_and_the_file_and_nothing_else(
    place: Path,
) -> None:
    (place / "conftest.py").write_text(CONFTEST)
    (place / "test_trial.py").write_text(TRIAL)
    (place / "pytest.ini").write_text("[pytest]\naddopts = --import-mode=importlib\n")
    words = ["-m", "pytest", "-p", "no:randomly", "--basetemp", str(place / "basis")]
    ended = subprocess.run(
        [sys.executable, *words, "-c", "pytest.ini", "test_trial.py"],
        cwd=place,
        env=environment(place, PYTHONPATH=str(ROOT)),
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    said = ended.stdout + ended.stderr
    assert ended.returncode == pytest.ExitCode.TESTS_FAILED, said
    for named in (
        "test_trial.py::test_written_into_a_log: d/access.log holds what has the shape of a token or a key",
        "test_trial.py::test_kept_and_written: envoy.log holds what unit.key keeps",
        "test_trial.py::test_said: captured stdout call holds PASSWORD of its module",
        "together0/said holds what has the shape of a token or a key",
    ):
        assert named in said
    assert "5 passed, 4 errors" in said, "what may hold a secret did not fail"
    refuse("what it said", said)
    assert "hunter2-of-the-trial" not in said
    assert "0a" * 32 not in said
    assert "searched for secrets: 3 files" in said
