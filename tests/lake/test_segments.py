"""Names say what a file holds; readers see each byte once."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.lake.segments import Segment, covering, delete_orphans, delete_unfinished, publish

LOG = "a1" * 16


@given(
    st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", fullmatch=True),
    st.from_regex(r"[0-9a-f]{32}", fullmatch=True),
    st.integers(0, 10**15 - 1),
    st.integers(0, 10**15 - 1),
)
def test_a_name_is_read_back_as_it_was_written(node: str, log: str, one: int, other: int) -> None:
    segment = Segment(node, log, min(one, other), max(one, other))
    assert Segment.of_name(segment.name) == segment


@pytest.mark.parametrize(
    "name", ["a.parquet", f"n~{LOG}~1-2.parquet", f"n~{LOG}~{9:015d}-{8:015d}.parquet", ""]
)
def test_other_names_are_no_segments(name: str) -> None:
    assert Segment.of_name(name) is None


@pytest.mark.parametrize(
    ("node", "log", "start", "end", "what"),
    [
        ("../n", LOG, 0, 1, "node"),
        ("n~", LOG, 0, 1, "node"),
        ("n", "A" * 32, 0, 1, "log"),
        ("n", LOG, 2, 1, "start"),
    ],
)
def test_what_could_be_no_name_is_refused(node: str, log: str, start: int, end: int, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        Segment(node, log, start, end)


def file(folder: Path, start: int, end: int, node: str = "n") -> Path:
    path = folder / Segment(node, LOG, start, end).name
    path.with_suffix(".tmp").touch()
    publish(path.with_suffix(".tmp"), path)
    return path


def test_a_segment_inside_a_longer_one_is_superseded(tmp_path: Path) -> None:
    file(tmp_path, 0, 10)
    file(tmp_path, 10, 20)
    kept = [file(tmp_path, 0, 20), file(tmp_path, 20, 30), file(tmp_path, 0, 10, node="m")]
    (tmp_path / "notes.txt").touch()
    assert sorted(covering(tmp_path)) == sorted(kept)


def test_orphans_end_beyond_the_cursor(tmp_path: Path) -> None:
    counted, other = file(tmp_path, 0, 10), file(tmp_path, 0, 99, node="m")
    file(tmp_path, 10, 20)
    (tmp_path / "half.parquet.tmp").touch()
    assert delete_orphans(tmp_path, "n", LOG, 10) == 1
    assert delete_orphans(tmp_path, "n", LOG, 10) == 0
    delete_unfinished(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([counted, other])
