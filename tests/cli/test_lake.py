"""rollout lake: what is there, whether it is whole, and fewer files; over a real lake and its database."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from rollout.lake import segments
from rollout.lake.compact import LOCK
from rollout.lake.segments import Kind, Segment
from tests.command import run
from tests.intake.house import LOG, hand_in, opened
from tests.intake.test_intake import check_lake
from tests.lake.histories import BEGIN_US, Told, as_lines, file_outcomes, request_at

REQUESTS = [request_at(number * 1_000_000, unit=f"u{number}") for number in range(24)]
END = len(as_lines(REQUESTS))
FIRST = Segment("node-1", LOG, 0, len(as_lines(REQUESTS[:1])))
SECOND = Segment("node-1", LOG, FIRST.end, len(as_lines(REQUESTS[:2])))
LAST = Segment("node-1", LOG, len(as_lines(REQUESTS[:-1])), END)
WHOLE = Segment("node-1", LOG, 0, END)


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """Return a control plane's folder, with 24 small files of one log; nobody has it open."""
    with opened(tmp_path / "house") as here:
        hand_in(here.intake, REQUESTS, cuts=24)
    return tmp_path / "house"


def exposures(house: Path) -> Path:
    return house / "lake" / Kind.EXPOSURES


def test_the_list_says_what_is_there_by_day(house: Path, tmp_path: Path) -> None:
    with opened(house) as here:
        hand_in(here.intake, [request_at(0, route=None, code=404)], node="node-2")
    file_outcomes(house / "lake", [Told("u1", "bought", BEGIN_US, 1, "")], node="app-1")
    result = run("lake", "ls", "--data", str(house), "--output", "json", home=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    found = json.loads(result.stdout)
    counted = [(one["table"], one["owner"], one["node"], one["files"], one["rows"]) for one in found]
    # The history begins twelve seconds before midnight.
    assert counted == [
        ("exposures", "ranker", "node-1", 12, 12),
        ("exposures", "ranker", "node-1", 12, 12),
        ("exposures", "", "node-2", 1, 1),
        ("outcomes", "bought", "app-1", 1, 1),
    ]
    assert found[0]["first_us"] == BEGIN_US
    assert found[1]["last_us"] == BEGIN_US + 23_000_000
    of_node = [path.stat().st_size for path in segments.covering(exposures(house)) if "node-1" in path.name]
    assert found[0]["bytes"] + found[1]["bytes"] == sum(of_node)
    text = run("lake", "ls", "--data", str(house), home=tmp_path).stdout
    assert len(text.splitlines()) == 5
    assert "(nobody's)" in text


def test_a_whole_lake_has_no_fault(house: Path, tmp_path: Path) -> None:
    result = run("lake", "check", "--data", str(house), home=tmp_path)
    assert (result.returncode, result.stdout) == (0, "no faults\n")
    (house / "control.db").unlink()
    result = run("lake", "check", "--data", str(house), home=tmp_path)
    assert (result.returncode, result.stdout) == (0, "no faults; there is no database here to compare with\n")


def delete(segment: Segment) -> Callable[[Path], None]:
    return lambda folder: (folder / segment.name).unlink()


def put(name: str, like: Segment | None = None, *, age_s: int = 0) -> Callable[[Path], None]:
    """Put a file there: a copy, or an empty one."""

    def write(folder: Path) -> None:
        (folder / name).write_bytes(b"" if like is None else (folder / like.name).read_bytes())
        then = (folder / name).stat().st_mtime - age_s
        os.utime(folder / name, (then, then))

    return write


def flip(folder: Path) -> None:
    """Turn over the bits of one byte in the middle of a file."""
    content = bytearray((folder / SECOND.name).read_bytes())
    content[len(content) // 2] ^= 0xFF
    (folder / SECOND.name).write_bytes(content)


FAULTS: dict[str, tuple[Callable[[Path], None], str, str]] = {
    "gap": (delete(SECOND), Segment("node-1", LOG, SECOND.end, SECOND.end).name[:50], "are in no file"),
    "end": (delete(LAST), "~*", f"the bytes {LAST.start:,} to {END:,} are counted, but in no file"),
    "overlap": (put(Segment("node-1", LOG, 5, SECOND.end + 5).name, SECOND), f"{5:015d}-", "it overlaps"),
    "orphan": (put(Segment("node-1", LOG, END, END + 9).name, LAST), f"{END:015d}-", "never counted"),
    "stranger": (put("notes.txt"), "notes.txt", "its name is not that of a segment"),
    "half": (put("half.parquet.tmp", age_s=900), "half.parquet.tmp", "half written"),
    "junk": (put(SECOND.name), SECOND.name, "it cannot be read"),
    "flipped": (flip, SECOND.name, "it cannot be read"),
    "wrong merge": (put(WHOLE.name, FIRST), WHOLE.name, "it does not hold what it supersedes"),
}


def test_the_list_of_a_lake_that_cannot_be_read_points_to_the_check(house: Path, tmp_path: Path) -> None:
    put(SECOND.name)(exposures(house))
    result = run("lake", "ls", "--data", str(house), home=tmp_path)
    assert result.returncode == 2
    assert "`rollout lake check` says which file it is" in result.stderr


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_said_with_where_and_what_to_do(name: str, house: Path, tmp_path: Path) -> None:
    spoil, where, what = FAULTS[name]
    spoil(exposures(house))
    result = run("lake", "check", "--data", str(house), "--output", "json", home=tmp_path)
    assert (result.returncode, result.stderr) == (1, "")
    found = json.loads(result.stdout)["faults"]
    assert any(where in one["where"] and what in one["what"] and one["remedy"] for one in found), found
    text = run("lake", "check", "--data", str(house), home=tmp_path)
    assert text.returncode == 1
    assert text.stdout.endswith(f"{len(found)} fault{'' if len(found) == 1 else 's'}\n")


def test_what_is_being_written_or_has_expired_is_no_fault(house: Path, tmp_path: Path) -> None:
    put("half.parquet.tmp")(exposures(house))
    segments.expire(exposures(house), Segment("node-1", LOG, 0, SECOND.end))
    assert run("lake", "check", "--data", str(house), home=tmp_path).stdout == "no faults\n"
    for gone in (FIRST, SECOND):
        delete(gone)(exposures(house))
    assert run("lake", "check", "--data", str(house), home=tmp_path).stdout == "no faults\n"


def test_files_are_merged_also_beside_the_control_plane(house: Path, tmp_path: Path) -> None:
    with opened(house):
        result = run("lake", "compact", "--data", str(house), home=tmp_path)
    assert (result.returncode, result.stdout, result.stderr) == (0, "made 1 file\n", "")
    assert [path.name for path in segments.covering(exposures(house))] == [WHOLE.name]
    check_lake(house / "lake", REQUESTS)
    assert run("lake", "compact", "--data", str(house), home=tmp_path).stdout == "nothing to merge\n"
    assert run("lake", "check", "--data", str(house), home=tmp_path).stdout == "no faults\n"


def test_two_never_merge_at_once(house: Path, tmp_path: Path) -> None:
    held = os.open(house / "lake" / LOCK, os.O_RDWR | os.O_CREAT)
    fcntl.flock(held, fcntl.LOCK_EX)
    code = "import rollout.cli.lake as lake; lake.BUSY_S = 0.2\nfrom rollout.__main__ import main\nmain()"
    result = run("lake", "compact", "--data", str(house), home=tmp_path, program=("-c", code))
    os.close(held)
    assert result.returncode == 2
    assert "another process merges its files; try again later" in result.stderr
    assert len(segments.covering(exposures(house))) == 24


@pytest.mark.parametrize("verb", ["ls", "check", "compact"])
def test_without_a_lake_the_folder_is_asked_for(verb: str, tmp_path: Path) -> None:
    result = run("lake", verb, home=tmp_path)
    assert result.returncode == 2
    assert "there is no lake here; name the folder of `rollout up`: --data" in result.stderr
