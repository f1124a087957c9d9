"""Who a log is: an identity drawn at each rotation, never mistaken, whoever dies in between."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

from rollout.agent.log import Log
from rollout.agent.offsets import Offsets


def names() -> Callable[[], str]:
    numbers = itertools.count(1)
    return lambda: f"{next(numbers):032x}"


def opened(folder: Path, draw: Callable[[], str]) -> Log:
    return Log(folder / "access.log", reopen=(folder / "access.log").touch, draw=draw, settle_us=10)


def test_a_rotated_file_keeps_its_identity_and_the_new_one_gets_another(tmp_path: Path) -> None:
    draw = names()
    log = opened(tmp_path, draw)
    assert log.parts(0) == []
    (tmp_path / "access.log").write_text("one\n")
    (first,) = log.parts(0)
    log.rotate(100)
    old, new = opened(tmp_path, draw).parts(105)
    assert (old.log, old.is_complete, old.path.read_text()) == (first.log, False, "one\n")
    assert new.log != first.log
    assert [part.is_complete for part in log.parts(110)] == [True, False]
    assert [part.log for part in log.parts(110)] == [old.log, new.log]


def test_a_crash_between_renaming_and_naming_is_noticed(tmp_path: Path) -> None:
    draw = names()
    file = tmp_path / "access.log"
    file.write_text("one\n")
    (first,) = opened(tmp_path, draw).parts(0)
    inode = file.stat().st_ino
    file.rename(tmp_path / f"access.log.{5:016d}.{first.log}")
    file.write_text("two\n")
    # Even if the new file were given the old one's inode, the identity is taken.
    (tmp_path / "access.log.identity").write_text(f'{{"log": "{first.log}", "inode": {file.stat().st_ino}}}')
    old, new = opened(tmp_path, draw).parts(100)
    assert (old.log, old.path.stat().st_ino) == (first.log, inode)
    assert new.log != first.log


def test_a_file_that_someone_else_put_there_is_a_new_log(tmp_path: Path) -> None:
    draw = names()
    file = tmp_path / "access.log"
    file.write_text("one\n")
    (first,) = opened(tmp_path, draw).parts(0)
    (tmp_path / "other").write_text("two\n")
    (tmp_path / "other").rename(file)
    (second,) = opened(tmp_path, draw).parts(0)
    assert second.log != first.log


def test_offsets_outlive_the_process_and_forget_what_is_deleted(tmp_path: Path) -> None:
    offsets = Offsets(tmp_path / "offsets")
    offsets.acknowledged("a", 5)
    offsets.acknowledged("b", 7)
    assert Offsets(tmp_path / "offsets").of("a") == 5
    offsets.keep_only({"b"})
    again = Offsets(tmp_path / "offsets")
    assert (again.of("a"), again.of("b")) == (0, 7)
