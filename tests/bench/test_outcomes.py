"""The outcomes' benchmark: what it sends is taken, whole, by the real door."""

from __future__ import annotations

import pytest

from bench.outcomes.costs import BATCH, PLAIN, SINGLE, Plan, Row, lines, table, ways


def test_each_way_says_how_many_outcomes_a_request_holds() -> None:
    found = {way.name: way for way in ways(now_us=1_790_000_000_000_000)}
    assert found[SINGLE].requests[0].count(b'"unit"') == 1
    assert found["500 at once, lines"].requests[0].count(b'"unit"') == BATCH
    packed = found["500 at once, lines, gzip"].requests[0]
    assert b"content-encoding: gzip" in packed
    assert len(packed) < len(found["500 at once, lines"].requests[0]) / 3


def test_ratios_are_to_the_plain_door() -> None:
    found = lines([Row(PLAIN, 1_000.0, 500.0), Row("batches", 50_000.0, 5.0)])
    assert found[-1] == "| batches | 50,000 | 50.0 | 5.0 µs | 0.010 |"


@pytest.mark.slow
def test_the_door_takes_all_of_it_and_batches_cost_less() -> None:
    rows = {row.name: row for row in table(Plan(rounds=1, burst_s=0.3))}
    assert len(rows) == 5
    # A batch shares its request, its answer and its sync among 500.
    assert all(row.used_us < rows[SINGLE].used_us / 3 for name, row in rows.items() if "500" in name)
