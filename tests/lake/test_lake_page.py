"""The page about the lake: its tables are the code's, and its queries run as they stand there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from rollout.lake import segments
from rollout.lake.compact import Compactor
from rollout.lake.digest import EXPOSURES, OUTCOMES
from rollout.lake.segments import Kind
from tests.command import ROOT
from tests.intake.house import hand_in, opened
from tests.lake.histories import BEGIN_US, Told, as_lines, file_outcomes, request_at

PAGE = (ROOT / "docs" / "lake.md").read_text(encoding="utf-8")
PREPARATION, *QUESTIONS = re.findall(r"^```sql\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
REQUESTS = [
    request_at(n * 100_000, unit=f"u{n % 7}", route=f"ranker/{'control' if n % 7 % 2 else 'candidate1'}/1")
    for n in range(40)
]


@pytest.mark.parametrize(("table", "columns"), [("exposures", EXPOSURES), ("outcomes", OUTCOMES)])
def test_the_tables_are_those_of_the_code(table: str, columns: dict[str, str]) -> None:
    text = PAGE[PAGE.index(f"**`{table}`**") :]
    block = text[text.index("|---") : text.index("\n\n", text.index("|---"))]
    assert dict(re.findall(r"^\| `(\w+)` \| `(\w+)` \|", block, re.MULTILINE)) == columns


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield an engine in the folder of a lake in which files supersede others and some have expired."""
    with opened(tmp_path) as house:
        hand_in(house.intake, REQUESTS, cuts=20)
        hand_in(house.intake, REQUESTS[:4], node="node-2", cuts=2)
        assert Compactor(tmp_path / "lake", house.counts.cursors, now_s=lambda: 0.0).step() == 1
    first = segments.Segment("node-2", "0123456789abcdef" * 2, 0, len(as_lines(REQUESTS[:2])))
    segments.expire(tmp_path / "lake" / Kind.EXPOSURES, first)
    file_outcomes(tmp_path / "lake", [Told("u1", "bought", BEGIN_US, 1, "")], node="app-1")
    monkeypatch.chdir(tmp_path)
    with duckdb.connect() as engine:
        engine.execute(PREPARATION)
        yield engine


def test_the_files_that_count_are_those_of_our_own_readers(
    asked: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    for kind in Kind:
        found = {name for (name,) in asked.execute(f"FROM files('lake/{kind}')").fetchall()}
        covering = segments.covering(tmp_path / "lake" / kind)
        assert found == {str(path.relative_to(tmp_path)) for path in covering}
    assert asked.execute("SELECT sum(requests) FROM exposures").fetchall() == [(42,)]


@pytest.mark.parametrize("question", QUESTIONS)
def test_every_query_answers(asked: duckdb.DuckDBPyConnection, question: str) -> None:
    rows = asked.execute(question).fetchall()
    assert {"control", "candidate1"} <= {str(cell) for row in rows for cell in row}
