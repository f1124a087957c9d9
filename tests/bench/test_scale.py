"""The benchmark of many experiments: its world is looked at and answers, and a missed goal is said."""

from __future__ import annotations

import pytest

from bench.scale.costs import Plan, Row, lines, table


@pytest.mark.slow
def test_a_small_world_is_looked_at_again_and_again() -> None:
    (row,) = table(Plan((3,), per_second=4_000, settles_s=1.0, lasts_s=3.0))
    assert row.looks_per_s > 1
    assert row.look_s > 0
    assert row.answer_s > 0
    assert 0 < row.against_s <= row.most_against_s < 60
    assert len(lines([row])) == 8


def test_a_missed_goal_and_the_growth_are_said() -> None:
    rows = [Row(size, 40.0, size / 40.0, size / 30.0, 0.5, 1.5, 0.01, 0.005, 0.02) for size in (100, 1_000)]
    text = "\n".join(lines(rows))
    assert "costs 5.00 s of the processor" in text
    assert "ends 24.00 s after it was due; the goal of at most 1 s for both is **missed**." in text
    assert "after\n1.50 s in 95 of 100 cases; the goal of at most 1 s is **missed**." in text
    assert "to the power of 1.00" in text
    assert (
        "| 1,000 | 40.0 | 0.50 s | 1.50 s | 25.00 s | 33.33 s | 10.0 ms | 5.00 ms | 5.00 s | 20 ms |" in text
    )


def test_a_goal_is_met_by_what_it_costs_and_how_late_it_ends() -> None:
    text = "\n".join(lines([Row(1_000, 500.0, 1.9, 2.5, 0.1, 0.2, 0.001, 0.0009, 0.02)]))
    assert "the goal of at most 1 s for both is met." in text
    assert "0.20 s in 95 of 100 cases; the goal of at most 1 s is met." in text
