"""Which split was live when: nothing before the first word, and nothing during a change."""

from __future__ import annotations

from pathlib import Path

from rollout.agent.journal import KEPT_ENTRIES, LARGEST_BYTES, Journal, SplitHistory


def history(file: Path) -> SplitHistory:
    found = SplitHistory(file)
    found.refresh()
    return found


def test_a_request_belongs_to_the_split_acknowledged_when_it_began(tmp_path: Path) -> None:
    file = tmp_path / "node" / "acknowledgements.jsonl"
    reader = SplitHistory(file)
    reader.refresh()
    assert reader.split_at("ranker", 5) is None
    journal = Journal(file)
    journal.published("ranker", 1, 10)
    journal.acknowledged("ranker", 1, 20)
    journal.published("ranker", 2, 30)
    reader.refresh()
    assert [reader.split_at("ranker", at) for at in (9, 10, 19, 20, 29, 30, 99)] == [
        None,
        None,
        None,
        1,
        1,
        None,
        None,
    ]
    journal.acknowledged("other", 7, 35)
    journal.acknowledged("ranker", 2, 40)
    reader.refresh()
    assert [reader.split_at("ranker", at) for at in (39, 40)] == [None, 2]
    assert reader.split_at("other", 35) == 7


def test_of_times_that_came_twice_the_second_answer_stands(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    journal.acknowledged("ranker", 1, 40)
    journal.acknowledged("ranker", 2, 100)
    journal.published("ranker", 3, 50)
    journal.acknowledged("ranker", 3, 60)
    found = history(tmp_path / "journal")
    assert [found.split_at("ranker", at) for at in (45, 50, 60, 99, 100)] == [1, None, 3, 3, 3]


def test_a_clock_that_is_set_back_changes_no_split(tmp_path: Path) -> None:
    """An hour is lived twice, and the split stands that was live when a request began the second time."""
    hour, second = 3_600_000_000, 1_000_000
    clock = [0, 0]
    journal = Journal(tmp_path / "journal")
    found = SplitHistory(tmp_path / "journal", now_us=lambda: clock[0], elapsed_us=lambda: clock[1])

    def pass_by(elapsed_us: int, *, set_back_us: int = 0) -> None:
        clock[:] = [clock[0] + elapsed_us - set_back_us, clock[1] + elapsed_us]
        found.refresh()

    pass_by(second)
    journal.acknowledged("ranker", 1, clock[0])
    pass_by(2 * hour)
    journal.acknowledged("ranker", 2, clock[0])
    pass_by(second)
    assert found.split_at("ranker", hour) == 1
    pass_by(second, set_back_us=hour)
    again_us = clock[0]
    assert [found.split_at("ranker", at) for at in (again_us - 2 * second, again_us, 2 * hour)] == [1, 2, 2]
    journal.acknowledged("ranker", 3, again_us + second)
    pass_by(2 * second)
    assert [found.split_at("ranker", at) for at in (again_us, again_us + second, 9 * hour)] == [2, 3, 3]


def test_a_clock_that_is_put_right_slowly_or_set_forward_changes_nothing(tmp_path: Path) -> None:
    clock = [10_000_000, 0]
    journal = Journal(tmp_path / "journal")
    journal.acknowledged("ranker", 1, 1_000_000)
    journal.acknowledged("ranker", 2, 9_990_000)
    found = SplitHistory(tmp_path / "journal", now_us=lambda: clock[0], elapsed_us=lambda: clock[1])
    found.refresh()
    for now_us in (10_050_000, 10**12):
        clock[:] = [now_us, clock[1] + 100_000]
        found.refresh()
        assert [found.split_at("ranker", at) for at in (9_980_000, 9_990_000)] == [1, 2]


def test_a_torn_last_line_is_left_out_and_cut_off(tmp_path: Path) -> None:
    file = tmp_path / "journal"
    Journal(file).acknowledged("ranker", 1, 10)
    with file.open("ab") as stream:
        stream.write(b'{"experiment":"ranker","event":"publ')
    assert history(file).split_at("ranker", 50) == 1
    Journal(file).published("ranker", 2, 40)
    assert history(file).split_at("ranker", 39) == 1
    assert history(file).split_at("ranker", 50) is None


def test_a_large_journal_keeps_each_experiments_newest_entries(tmp_path: Path) -> None:
    file = tmp_path / "journal"
    line = b'{"experiment":"ranker","event":"acknowledged","split":%d,"ts_us":%d}\n'
    lines = [line % (number, number) for number in range(LARGEST_BYTES // 60)]
    file.write_bytes(b"".join(lines) + b'{"experiment":"quiet","event":"acknowledged","split":9,"ts_us":1}\n')
    Journal(file)
    assert len(file.read_bytes().splitlines()) == KEPT_ENTRIES + 1
    assert history(file).split_at("ranker", len(lines)) == len(lines) - 1
    assert history(file).split_at("quiet", 5) == 9
