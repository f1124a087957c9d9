"""The benchmark of the closed units asks everybody the same, and would notice a wrong answer."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from bench.evidence import costs, naive
from bench.evidence.lake import Growing, Size
from bench.evidence.question import ASKED, Sums, answered
from rollout.lake.accounts.books import Books


def test_accounts_and_all_files_answer_the_same_as_a_lake_grows(tmp_path: Path) -> None:
    growing = Growing(tmp_path / "lake", Size(6_000, 500))
    growing.fill()
    books = Books(growing.folder, cursors=growing.cursors)
    before: Sums = {}
    for _ in range(3):
        ours = books.ask(ASKED, partial(answered, watermark_us=growing.now_us), 0)
        assert ours == naive.by_sql(growing.folder, growing.now_us)
        assert ours != before
        assert all(sums[0] > 1_000 for sums in ours.values())
        before = ours
        growing.go_on()


def test_the_table_says_how_a_look_grows() -> None:
    found = [costs.Found(10**5, looks_s=[1.0]), costs.Found(10**7, looks_s=[9.0, 10.0, 30.0])]
    assert costs.exponent(found) == pytest.approx(0.5)
    lines = costs.lines(costs.Plan(), found)
    assert "**0.50**" in lines[0]
    assert len({line.count("|") for line in lines[2:]}) == 1
