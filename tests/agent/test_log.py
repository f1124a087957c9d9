"""Who a log is: an identity drawn at each rotation, never mistaken, whoever dies in between."""

from __future__ import annotations

import errno
import itertools
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from rollout.agent.log import Log
from rollout.agent.offsets import Offsets
from rollout.lake import segments


def names() -> Callable[[], str]:
    numbers = itertools.count(1)
    return lambda: f"{next(numbers):032x}"


def opened(folder: Path, draw: Callable[[], str], elapsed_us: Callable[[], int] = lambda: 0) -> Log:
    access = folder / "access.log"
    return Log(access, reopen=access.touch, draw=draw, settle_us=10, elapsed_us=elapsed_us)


def test_a_rotated_file_keeps_its_identity_and_the_new_one_gets_another(tmp_path: Path) -> None:
    clock = [0]
    log = opened(tmp_path, names(), lambda: clock[0])
    assert log.parts() == []
    (tmp_path / "access.log").write_text("one\n")
    (first,) = log.parts()
    log.rotate(100)
    old, new = log.parts()
    assert (old.log, old.is_complete, old.path.read_text()) == (first.log, False, "one\n")
    assert new.log != first.log
    for clock[0], is_complete in ((9, False), (10, True)):
        assert [part.is_complete for part in log.parts()] == [is_complete, False]
    assert [part.log for part in log.parts()] == [old.log, new.log]


def test_a_crash_between_renaming_and_naming_is_noticed(tmp_path: Path) -> None:
    draw = names()
    file = tmp_path / "access.log"
    file.write_text("one\n")
    (first,) = opened(tmp_path, draw).parts()
    inode = file.stat().st_ino
    file.rename(tmp_path / f"access.log.{5:016d}.{first.log}")
    file.write_text("two\n")
    # Even if the new file were given the old one's inode, the identity is taken.
    (tmp_path / "access.log.identity").write_text(f'{{"log": "{first.log}", "inode": {file.stat().st_ino}}}')
    old, new = opened(tmp_path, draw).parts()
    assert (old.log, old.path.stat().st_ino) == (first.log, inode)
    assert new.log != first.log


def test_a_file_that_someone_else_put_there_is_a_new_log(tmp_path: Path) -> None:
    draw = names()
    file = tmp_path / "access.log"
    file.write_text("one\n")
    (first,) = opened(tmp_path, draw).parts()
    (tmp_path / "other").write_text("two\n")
    (tmp_path / "other").rename(file)
    (second,) = opened(tmp_path, draw).parts()
    assert second.log != first.log


def test_a_rotated_file_is_complete_only_once_the_writer_has_begun_another(tmp_path: Path) -> None:
    clock, tried = [0], []
    access = tmp_path / "access.log"
    access.write_text("one\n")
    log = Log(access, reopen=lambda: tried.append(1), draw=names(), settle_us=10, elapsed_us=lambda: clock[0])
    log.rotate(5)
    for clock[0] in (0, 100):
        assert log.heal(100) is None
        assert [part.is_complete for part in log.parts()] == [False]
    assert len(tried) == 3, "a writer without a file is told again"
    access.touch()
    for clock[0], is_complete in ((200, False), (209, False), (210, True)):
        assert [part.is_complete for part in log.parts()] == [is_complete, False]


def test_a_clock_that_is_set_neither_completes_a_file_nor_changes_the_order(tmp_path: Path) -> None:
    log = opened(tmp_path, names())
    order = []
    for now_us in (500, 10**15, 3):
        (tmp_path / "access.log").write_text(f"{now_us}\n")
        log.rotate(now_us)
        order.append(f"{now_us}\n")
    parts = log.parts()
    assert [part.path.read_text() for part in parts] == [*order, ""]
    assert not any(part.is_complete for part in parts)


def test_a_file_renamed_by_somebody_is_taken_for_rotated_and_the_writer_begins_another(
    tmp_path: Path,
) -> None:
    log = opened(tmp_path, names())
    (tmp_path / "access.log").write_text("one\n")
    (first,) = log.parts()
    (tmp_path / "access.log").rename(tmp_path / "access.log.1")
    assert log.heal(7) is None
    old, new = log.parts()
    assert (old.log, old.path.read_text(), old.is_current) == (first.log, "one\n", False)
    assert (new.path.read_text(), new.is_current) == ("", True)


def rotated(log: Log, _access: Path) -> None:
    log.rotate(7)


def deleted(log: Log, access: Path) -> None:
    access.unlink()
    log.heal(7)


@pytest.mark.parametrize("is_killed", [False, True])
@pytest.mark.parametrize(("end", "before"), [(rotated, ["one\n"]), (deleted, [])])
def test_a_file_renamed_before_it_had_an_identity_is_taken_for_rotated_too(
    end: Callable[[Log, Path], None], before: list[str], tmp_path: Path, *, is_killed: bool
) -> None:
    draw = names()
    log, access = opened(tmp_path, draw), tmp_path / "access.log"
    access.write_text("one\n")
    log.parts()
    (tmp_path / "access.log.copy").write_text("one\n")
    end(log, access)
    access.write_text("two\n")
    access.rename(tmp_path / "access.log.1")
    if is_killed:
        log = opened(tmp_path, draw)
    assert log.heal(8) is None
    assert [part.path.read_text() for part in log.parts()] == [*before, "two\n", ""]
    assert len({part.log for part in log.parts()}) == len(before) + 2
    assert log.heal(9) is None
    assert (tmp_path / "access.log.copy").exists(), "it was there before, so its lines were read"


def test_the_first_file_of_all_may_be_renamed_before_anybody_looks(tmp_path: Path) -> None:
    access = tmp_path / "access.log"
    (tmp_path / "access.log.old").write_text("of another program\n")
    log = opened(tmp_path, names())
    access.write_text("one\n")
    access.rename(tmp_path / "access.log.1")
    assert log.heal(7) is None
    assert [part.path.read_text() for part in log.parts()] == ["one\n"]
    assert (tmp_path / "access.log.old").exists()


def test_what_an_older_program_kept_beside_the_file_is_read_and_nothing_is_taken_twice(
    tmp_path: Path,
) -> None:
    draw, access = names(), tmp_path / "access.log"
    access.write_text("one\n")
    (first,) = opened(tmp_path, draw).parts()
    kept = {"log": first.log, "inode": access.stat().st_ino}
    (tmp_path / "access.log.identity").write_text(json.dumps(kept))
    access.rename(tmp_path / f"access.log.{5:016d}.{first.log}")
    (tmp_path / "access.log.copy").write_text("one\n")
    log = opened(tmp_path, draw)
    log.heal(7)
    assert [part.path.read_text() for part in log.parts()] == ["one\n", ""]
    assert (tmp_path / "access.log.copy").exists(), "nobody can say whether its lines were read"


def test_a_disk_without_room_keeps_nobody_from_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, access = opened(tmp_path, names()), tmp_path / "access.log"
    access.write_text("one\n")
    log.parts()
    (tmp_path / "access.log.copy").write_text("one\n")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(segments, "publish", full)
        assert log.heal(7) is None
        assert len(log.parts()) == 1
    log.heal(8)
    access.rename(tmp_path / "access.log.1")
    again = opened(tmp_path, names())
    assert again.heal(9) is None
    assert (tmp_path / "access.log.copy").exists()


def test_a_file_that_is_gone_is_told_once(tmp_path: Path) -> None:
    log = opened(tmp_path, names())
    assert log.heal(7) is None, "nobody has written yet"
    (tmp_path / "access.log").write_text("one\n")
    (first,) = log.parts()
    (tmp_path / "access.log").unlink()
    assert [log.heal(7), log.heal(8)] == [first.log, None]
    (new,) = log.parts()
    assert new.log != first.log


def test_offsets_outlive_the_process_and_forget_what_is_deleted(tmp_path: Path) -> None:
    offsets = Offsets(tmp_path / "offsets")
    offsets.acknowledged("a", 5)
    offsets.acknowledged("b", 7)
    assert Offsets(tmp_path / "offsets").of("a") == 5
    offsets.keep_only({"b"})
    again = Offsets(tmp_path / "offsets")
    assert (again.of("a"), again.of("b")) == (0, 7)
