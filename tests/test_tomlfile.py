"""A file of TOML is read in bounded time and space, a change is always seen, and no value is repeated."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from rollout.errors import WrongSettings
from rollout.tomlfile import LARGEST_BYTES, SETTLES_AFTER_NS, Kind, Reread, read

KIND = Kind("numbers", "write it as: a = 1")
VALUE = "s3cr3t"


@pytest.fixture(name="file")
def _file(tmp_path: Path) -> Path:
    return tmp_path / "numbers.toml"


class Numbers:
    """A file that stands for the number in it; how often it was read is counted."""

    def __init__(self, file: Path, *, forgets: bool = False, later_ns: int = 0) -> None:
        self.readings = 0
        self._reread = Reread(
            file, self._number, nothing=-1, forgets=forgets, now_ns=lambda: time.time_ns() + later_ns
        )
        self.now: Callable[[], int] = self._reread.now

    def _number(self, file: Path) -> int:
        self.readings += 1
        return int(read(file, KIND)["a"])


def directory(file: Path) -> None:
    file.mkdir()


def pipe(file: Path) -> None:
    os.mkfifo(file)


def listener(file: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(os.path.relpath(file))


def circle(file: Path) -> None:
    file.symlink_to(file)


def written(content: bytes) -> Callable[[Path], None]:
    def write(file: Path) -> None:
        file.write_bytes(content)

    return write


WRONG = {
    "no such file or directory; name a file that can be read": lambda _file: None,
    "is a directory; name a file that can be read": directory,
    "not a regular file; name the file of numbers": pipe,
    "no such device or address; name a file that can be read": listener,
    "too many levels of symbolic links; name a file that can be read": circle,
    "larger than 256 KiB; name the file of numbers": written(b"#" * (LARGEST_BYTES + 1)),
    "not TOML; write it as: a = 1": written(f'a = "{VALUE}'.encode()),
    "TOML; write it as: a = 1": written(f'a = "{VALUE}\xe9"'.encode("latin-1")),
    "write it as: a = 1": written(b"a = " + b"[" * 100_000),
}


@pytest.mark.parametrize("why", WRONG)
def test_what_cannot_be_read_is_refused_in_a_sentence(
    file: Path, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(file.parent)
    WRONG[why](file)
    with pytest.raises(WrongSettings) as caught:
        read(file, KIND)
    assert str(caught.value).startswith(f"{file}: ")
    assert str(caught.value).endswith(why)
    assert VALUE not in str(caught.value)


def test_a_file_without_permission_is_named(file: Path) -> None:
    file.write_text("a = 1")
    file.chmod(0)
    if os.access(file, os.R_OK):
        pytest.skip("whoever runs this may read everything")
    with pytest.raises(WrongSettings, match="permission denied; name a file that can be read"):
        read(file, KIND)


def test_as_much_as_there_may_be_is_read(file: Path) -> None:
    file.write_bytes(b"a = 1\n" + b"#" * (LARGEST_BYTES - 6))
    assert read(file, KIND) == {"a": 1}


def test_without_a_file_nothing_is_meant() -> None:
    assert Reread(None, lambda _file: 1, nothing=-1, forgets=False).now() == -1


def test_a_file_that_is_wrong_at_the_beginning_is_refused(file: Path) -> None:
    with pytest.raises(WrongSettings, match="no such file"):
        Numbers(file)


def test_every_change_is_seen_however_soon_it_comes_and_whatever_its_size(file: Path) -> None:
    file.write_text("a = 100")
    numbers = Numbers(file)
    for number in range(100, 400):  # many within one tick of the clock that stamps files
        file.write_text(f"a = {number}")
        assert numbers.now() == number


def test_a_change_that_keeps_size_and_time_is_seen(file: Path) -> None:
    file.write_text("a = 1")
    os.utime(file, ns=(1, 1))
    numbers = Numbers(file)
    assert numbers.now() == 1
    file.write_text("a = 2")
    os.utime(file, ns=(1, 1))
    assert numbers.now() == 2


def test_a_file_that_has_rested_is_not_read_again_until_it_changes(file: Path) -> None:
    file.write_text("a = 1")
    numbers = Numbers(file, later_ns=SETTLES_AFTER_NS)
    assert [numbers.now() for _ in range(5)] == [1] * 5
    assert numbers.readings == 1
    other = file.with_name("other.toml")
    other.write_text("a = 2")
    other.replace(file)
    assert [numbers.now() for _ in range(5)] == [2] * 5
    assert numbers.readings == 2


def test_a_mistake_leaves_what_was_meant_before_and_is_said_once(file: Path) -> None:
    file.write_text("a = 1")
    numbers = Numbers(file)
    with capture_logs() as said:
        for content in (f"a = {VALUE}", "a = 2", f"a = {VALUE}"):
            file.write_text(content)
            before = numbers.now()
            assert [numbers.now() for _ in range(5)] == [before] * 5
    assert numbers.now() == 2
    assert [one["event"] for one in said] == [
        "a file cannot be used any more; what it said before holds"
    ] * 2, "once for each mistake"
    assert all("not TOML" in one["reason"] and VALUE not in one["reason"] for one in said)


@pytest.mark.parametrize(("forgets", "left"), [(True, -1), (False, 1)])
def test_a_file_that_has_gone_holds_or_not_and_comes_back(file: Path, forgets: bool, left: int) -> None:  # noqa: FBT001
    file.write_text("a = 1")
    numbers = Numbers(file, forgets=forgets)
    file.unlink()
    with capture_logs() as said:
        assert [numbers.now() for _ in range(3)] == [left] * 3
    assert len(said) == 1
    file.write_text("a = 3")
    assert numbers.now() == 3


@pytest.mark.parametrize("spoil", [directory, pipe, circle])
def test_what_cannot_be_read_any_more_is_not_forgotten(file: Path, spoil: Callable[[Path], None]) -> None:
    file.write_text("a = 1")
    numbers = Numbers(file, forgets=True)
    file.unlink()
    spoil(file)
    assert numbers.now() == 1
