"""Tables find their place in a page, and a page without the place is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench.__main__ import PAGE, sections
from bench.harm.measuring import plans
from bench.page import put

MARKED = "before\n<!-- a measured: begin -->\nold\n<!-- a measured: end -->\nafter\n"


def test_a_table_replaces_the_old_one_and_nothing_else(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(MARKED)
    put(page, "a", "new")
    assert page.read_text() == MARKED.replace("old", "new")


@pytest.mark.parametrize(
    "text", ["nothing", MARKED * 2, MARKED.replace("a measured: end", "b measured: end")]
)
def test_a_page_without_one_place_is_left_alone(text: str, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(text)
    with pytest.raises(ValueError, match="needs one"):
        put(page, "a", "new")
    assert page.read_text() == text


def test_the_page_has_a_place_for_every_benchmark_and_no_other() -> None:
    marks = re.findall(r"<!-- (\w+) measured: begin -->", PAGE.read_text(encoding="utf-8"))
    assert sorted(marks) == sorted(sections(plans()))
