"""The imports' benchmark: each way reads every row of every format, and ratios are to reading alone."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from bench.imports.costs import Cost, Plan, Row, files, lines, table
from bench.imports.once import alone, validated
from rollout.outcomefile.source import Form


def test_each_format_holds_the_same_good_rows(tmp_path: Path) -> None:
    made = dict(files(tmp_path, 300, time.time_ns() // 1_000))
    assert list(made) == list(Form)
    assert [alone(file, form) for form, file in made.items()] == [300] * 3
    assert [validated(file, form) for form, file in made.items()] == [300] * 3


def test_ratios_are_to_reading_alone() -> None:
    row = Row(Form.CSV, 1000, Cost(1, 0.001, 80), Cost(0.02, 0.01, 90), Cost(0.05, 0.02, 95))
    assert lines([row])[-1] == (
        "| 1,000 rows, csv | 1.00 µs | 80 MB | 50,000 | 10.0 µs | 10.0 | 90 MB "
        "| 20,000 | 20.0 µs | 20.0 | 95 MB |"
    )


@pytest.mark.slow
def test_every_row_is_taken() -> None:
    rows = table(Plan({2_000: 1}))
    assert [(row.form, row.rows) for row in rows] == [(form, 2_000) for form in Form]
    assert all(row.imported.used_s > row.alone.used_s for row in rows)
