"""Merging changes how many files there are, and no answer: beside the intake, and whoever is killed when."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from rollout.lake.compact import FEWEST, Compactor, run_to_merge
from rollout.lake.segments import Kind, Segment, covering, listed
from tests.intake.house import LOG, House, hand_in, opened, segment, told
from tests.intake.test_intake import check_lake
from tests.lake.histories import Request, as_lines, request_at

OTHER_LOG = "fedcba9876543210" * 2
HISTORY = [request_at(number * 100_000, unit=f"user-{number % 37}") for number in range(90)]
LATER_S = 4e9
"""Long after any file of today was written."""


def within(house: House) -> Path:
    return house.folder / "lake" / Kind.EXPOSURES


def compactor(house: House, now_s: float = 0.0) -> Compactor:
    return Compactor(house.folder / "lake", house.counts.cursors, now_s=lambda: now_s)


def test_many_small_files_become_one_and_every_line_stays_once(tmp_path: Path) -> None:
    with opened(tmp_path) as house:
        hand_in(house.intake, HISTORY, cuts=30)
        assert len(covering(within(house))) == 30
        assert compactor(house).step() == 1
        assert len(covering(within(house))) == 1
        check_lake(tmp_path / "lake", HISTORY)
        # Readers that have listed the old files still find them, for a while.
        assert len(list(listed(within(house)))) == 31
        assert compactor(house, LATER_S).step() == 0
        assert len(list(listed(within(house)))) == 1
        check_lake(tmp_path / "lake", HISTORY)


def test_what_is_filed_but_not_counted_is_left_alone(tmp_path: Path) -> None:
    with opened(tmp_path) as house:
        hand_in(house.intake, HISTORY, cuts=30)
        end = len(as_lines(HISTORY))
        orphan = within(house) / Segment("node-1", LOG, end, end + 10).name
        orphan.write_bytes(segment(as_lines(HISTORY[:1])))
        assert compactor(house).step() == 1
        assert sorted(path.name for path in covering(within(house))) == [
            Segment("node-1", LOG, 0, end).name,
            orphan.name,
        ]
    with opened(tmp_path) as again:
        assert not orphan.exists()
        check_lake(tmp_path / "lake", HISTORY)
        assert compactor(again).step() == 0


def test_a_merge_that_was_killed_is_begun_again(tmp_path: Path) -> None:
    with opened(tmp_path) as house:
        hand_in(house.intake, HISTORY, cuts=30)
        whole = Segment("node-1", LOG, 0, len(as_lines(HISTORY)))
        half = within(house) / f"{whole.name}.tmp"
        half.write_bytes(b"PAR1 and then nothing")
    with opened(tmp_path) as house:
        assert not half.exists()
        assert compactor(house).step() == 1
        check_lake(tmp_path / "lake", HISTORY)


def test_the_intake_goes_on_while_files_are_merged(tmp_path: Path) -> None:
    with opened(tmp_path) as house:
        cursor, hand = 0, compactor(house, LATER_S)
        for number, request in enumerate(HISTORY):
            lines = as_lines([request])
            house.intake.accept(told(cursor, cursor + len(lines)), segment(lines))
            cursor += len(lines)
            if number % 3 == 0:
                hand.step()
        assert len(covering(within(house))) < 2 * FEWEST
        check_lake(tmp_path / "lake", HISTORY)


def test_of_a_log_that_has_ended_one_file_is_left(tmp_path: Path) -> None:
    first, second = HISTORY[:6], HISTORY[6:]
    with opened(tmp_path) as house:
        hand_in(house.intake, first, cuts=3)
        hand_in_elsewhere(house, second)
        assert compactor(house).step() == 0
        assert compactor(house, LATER_S).step() == 1
        assert len(covering(within(house))) == 2
        check_lake(tmp_path / "lake", HISTORY)


def hand_in_elsewhere(house: House, requests: list[Request]) -> None:
    """Hand in requests as the same node's next log."""
    lines = as_lines(requests)
    house.intake.accept(told(0, len(lines), log=OTHER_LOG), segment(lines))


@given(st.lists(st.integers(1, 1_000), max_size=200))
def test_files_stay_few_and_no_byte_is_written_often(lengths: list[int]) -> None:
    chain: list[Segment] = []
    written, end = 0, 0
    for length in lengths:
        chain.append(Segment("n", LOG, end, end + length))
        end += length
        while run := run_to_merge(chain, has_ended=False):
            assert list(run) == chain[-len(run) :]
            chain[-len(run) :] = [Segment("n", LOG, run[0].start, run[-1].end)]
            written += run[-1].end - run[0].start
    assert [one.start for one in chain] == [0, *(one.end for one in chain[:-1])][: len(chain)]
    assert len(chain) < FEWEST + 12
    assert written <= 6 * max(end, 1)
