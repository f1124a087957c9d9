"""The table of what deciding costs: every row beside the judging of the same look."""

from __future__ import annotations

import pytest

from bench import decisions
from bench.decisions import Row


@pytest.mark.parametrize(("slowest", "verdict"), [(19.0, "is kept"), (21.0, "is not kept")])
def test_the_budget_is_the_slowest_decision_s(slowest: float, verdict: str) -> None:
    rows = [Row(decisions.REFERENCE, 1_000.0), Row("deciding: harm", 5.0), Row("deciding: two", slowest)]
    summary, _, *table = decisions.lines(rows)
    assert summary == f"The slowest decision takes {slowest} µs; the budget of 20 µs {verdict}."
    assert table[-1] == f"| deciding: two | {slowest} | {slowest / 10:.2f}% |"
