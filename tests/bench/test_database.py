"""The benchmark of the control database measures every kind of it, each beside the file."""

from __future__ import annotations

from bench.database import FILE, Plan, Row, lines, table


def test_every_kind_is_measured_beside_the_file() -> None:
    rows = table(Plan(rounds=1, decisions=2, segments=1, events=20))
    assert [row.kind for row in rows] == [FILE, "PostgreSQL, a leader", "SQLite, in memory"]
    assert all(min(row.decision_s, row.event_s) > 0 for row in rows)
    assert len(lines(rows)) == 2 + len(rows)


def test_a_row_says_how_many_times_the_file_it_takes() -> None:
    *_, last = lines([Row(FILE, 0.002, 0.000_010), Row("other", 0.003, 0.000_025)])
    assert last == "| other | 3.00 ms | 1.50 | 333 | 25.0 µs | 2.50 |"
