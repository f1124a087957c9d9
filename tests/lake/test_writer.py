"""Who wrote before and wakes late files nothing, takes nothing back, and is told so."""

from __future__ import annotations

from pathlib import Path

import pytest

from rollout.domain.records import Digest
from rollout.errors import Retry
from rollout.intake.intake import Filed, Intake, Point
from rollout.lake import segments
from rollout.lake.compact import Compactor
from rollout.lake.segments import Kind
from rollout.lake.writer import Writer
from rollout.store.counts import Counts
from rollout.store.database import Database
from tests.intake.crash import history
from tests.intake.house import LOG, NOW_US, opened, segment, told
from tests.lake.histories import as_lines

FIRST, SECOND = as_lines(history()[:7]), as_lines(history()[7:20])
END = len(FIRST) + len(SECOND)


def held(lake: Path) -> list[str]:
    return sorted(path.name for path in (lake / Kind.EXPOSURES).iterdir())


def test_what_is_written_is_published_and_what_is_taken_back_is_gone(tmp_path: Path) -> None:
    writer, target = Writer(tmp_path, 3), tmp_path / "file"
    writer.publish(writer.write("file", b"rows"), target)
    assert target.read_bytes() == b"rows"
    writer.take_back(target)
    writer.take_back(target)  # it is gone already
    assert list(tmp_path.iterdir()) == [tmp_path / "writer-3"]


def test_whoever_comes_after_ends_who_came_before(tmp_path: Path) -> None:
    before, target, other = Writer(tmp_path, 3), tmp_path / "file", tmp_path / "other"
    ready = before.write("file", b"late")
    after = Writer(tmp_path, 7)
    after.publish(after.write("other", b"rows"), other)
    for late in (
        lambda: before.write("more", b"late"),
        lambda: before.publish(ready, target),
        lambda: before.take_back(other),
        lambda: Writer(tmp_path, 3),
    ):
        with pytest.raises(Retry, match="another control plane writes to it now"):
            late()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other", "writer-7"]
    assert other.read_bytes() == b"rows"


def test_the_same_term_goes_on_where_it_was_killed(tmp_path: Path) -> None:
    Writer(tmp_path, 0).write("torn", b"half")
    again = Writer(tmp_path, 0)
    assert list((tmp_path / "writer-0").iterdir()) == []
    again.publish(again.write("file", b"rows"), tmp_path / "file")


@pytest.mark.parametrize("point", [Point.WRITTEN, Point.FILED])
def test_a_leader_that_sleeps_while_another_files_the_same_bytes_changes_nothing(
    point: Point, tmp_path: Path
) -> None:
    """The later one cuts the log elsewhere, as a node does that was answered by nobody."""
    lake = tmp_path / "lake"
    with opened(tmp_path) as house:
        later: list[Intake] = []

        def reached(now: Point) -> None:
            if now is point and not later:
                later.append(Intake(lake, house.counts, now_us=lambda: NOW_US, term=1))
                assert later[0].accept(told(0, len(FIRST)), segment(FIRST)) == Filed(len(FIRST))

        sleeper = Intake(lake, house.counts, now_us=lambda: NOW_US, reached=reached)
        _ends_badly(sleeper, SECOND_WHOLE)
        assert later[0].accept(told(len(FIRST), END), segment(SECOND)) == Filed(END)
        names = held(lake)
        assert names == [
            f"node-1~{LOG}~{start:015d}-{end:015d}.parquet"
            for start, end in ((0, len(FIRST)), (len(FIRST), END))
        ]
        assert house.counts.cursor("node-1", LOG) == END


SECOND_WHOLE = FIRST + SECOND


def _ends_badly(sleeper: Intake, lines: bytes) -> None:
    """Hand in to who sleeps on the way; in this test both share a database, which lets the later one win."""
    try:
        answer = sleeper.accept(told(0, len(lines)), segment(lines))
    except Retry:
        return
    assert answer == Filed(len(FIRST)), "the cursor had moved: nothing was counted"


def test_who_sleeps_in_clearing_up_takes_nothing_of_the_later_one(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    database = Database.writer(tmp_path / "control.db")
    counts = Counts(database)
    Intake(lake, counts, now_us=lambda: NOW_US, term=1).accept(told(0, len(FIRST)), segment(FIRST))
    sleeping = Writer(lake, 2)
    later = Intake(lake, counts, now_us=lambda: NOW_US, term=3)
    assert later.accept(told(len(FIRST), END), segment(SECOND)) == Filed(END)
    with pytest.raises(Retry):
        # What it had read of the cursor was true when it read it.
        segments.delete_orphans(lake / Kind.EXPOSURES, "node-1", LOG, len(FIRST), delete=sleeping.take_back)
    assert len(held(lake)) == 2
    assert counts.add(told(END, END), Digest(), NOW_US) == END
    database.close()


def test_who_does_not_lead_merges_and_deletes_nothing(tmp_path: Path) -> None:
    with opened(tmp_path) as house:
        house.intake.accept(told(0, len(FIRST)), segment(FIRST))
        house.intake.accept(told(len(FIRST), END), segment(SECOND))
        whole = held(house.folder / "lake")
        leads, looks = [True], []

        def asked() -> bool:
            looks.append(leads[0])
            return leads[0]

        later_s = 2**40
        compactor = Compactor(house.folder / "lake", house.counts.cursors, now_s=lambda: later_s, leads=asked)
        leads[0] = False
        compactor.step()
        assert looks == [False]
        assert held(house.folder / "lake") == whole
