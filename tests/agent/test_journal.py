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


def test_a_clock_that_was_set_back_changes_no_order(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    journal.acknowledged("ranker", 1, 100)
    journal.published("ranker", 2, 50)
    journal.acknowledged("ranker", 2, 60)
    found = history(tmp_path / "journal")
    assert [found.split_at("ranker", at) for at in (60, 99, 100)] == [None, None, 2]


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
