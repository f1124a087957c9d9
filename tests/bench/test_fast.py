"""The fast path's benchmark: its world is what it says, and memory tells what the tables tell."""

from __future__ import annotations

from bench.fast.costs import Plan, Row, lines, table
from bench.fast.workload import BEGIN_US, SECOND_US, World


def test_its_segments_hold_the_requests_of_all_experiments() -> None:
    world = World(3, 200)
    (one, two) = world.segments([5, 6, 7], 0, 20, 10)
    assert [end_us for end_us, _ in (one, two)] == [BEGIN_US + 10 * SECOND_US, BEGIN_US + 20 * SECOND_US]
    for _, digest in (one, two):
        assert sum(tally.requests for tally in digest.tallies) == 2_000
        assert sum(row[4] for row in digest.windows) == 2_000
        assert {row[0] for row in digest.windows} == {5, 6, 7}
        assert 0 < len(digest.errors) < 100


def test_a_small_world_is_measured() -> None:
    (row,) = table(Plan((World(2, 100),), history_s=60, rounds=1))
    assert row.asked_s > row.pass_s > 0
    assert row.event_us > 0
    assert len(lines([row])) == 6


def test_a_missed_goal_and_the_growth_are_said() -> None:
    rows = [Row(World(1_000, rate), 0.5 * rate / 500, 9.0, 1.0, 2.0, 3.0) for rate in (500, 5_000)]
    text = "\n".join(lines(rows))
    assert "the goal of at most 0.5 s is **missed**" in text
    assert "to the power of 1.00" in text
    assert "| 1,000, 500 | 500.0 ms | 9.00 s | 18 | 1.00 s | 2 µs | 3 MB |" in text
