"""The recorder's benchmark: its lines are good ones, and everything beside bare decoding costs more."""

from __future__ import annotations

from pathlib import Path

from bench.records.costs import Row, Traffic, lines_of, table
from bench.records.lag import as_filed
from bench.records.workload import lines
from rollout.lake.lines import read
from rollout.lake.segments import Segment


def test_its_lines_are_read_and_hold_as_many_users_of_both_arms() -> None:
    found = read(lines(2_000, compared=0.5))
    assert found.bad == []
    assert len(found.lines) == 2_000
    arms = [line.route for line in found.lines]
    assert {route for route in arms if route} == {"ranker/control/2", "ranker/candidate1/2", "ranker/rest"}
    assert 0.45 < arms.count("ranker/rest") / 2_000 < 0.55
    assert len({line.unit for line in found.lines}) > 1_900


def test_a_cut_is_recorded_filed_and_counted() -> None:
    (row,) = table([Traffic("few", 1.0, 500)], rounds=2)
    assert row.recorder_us > row.hash_us > 0
    assert row.intake_us > 0
    assert 5 < row.bytes < 100
    assert len(lines_of([row])) == 6


def test_a_missed_goal_is_said() -> None:
    text = "\n".join(lines_of([Row("a cut", 100, 0.5, 0.5, 3.0, 5.0, 8.0)]))
    assert "the goal of at most 2.5 µs is **missed**" in text
    assert "| a cut | 0.50 | 0.50 (1.0) | 3.00 (6.0) | 5.00 (10.0) | 8.0 B |" in text


def test_a_segment_that_compaction_made_does_not_stand_for_when_its_records_came(tmp_path: Path) -> None:
    log = "ab" * 16
    cuts = [Segment("n", log, 0, 10), Segment("n", log, 10, 20), Segment("n", log, 0, 20)]
    others = [Segment("m", log, 0, 20), Segment("n", "cd" * 16, 0, 10)]
    for one in (*cuts, *others):
        (tmp_path / one.name).touch()
    found = {path.name for path in as_filed(tmp_path)}
    assert found == {one.name for one in (*cuts[:2], *others)}
