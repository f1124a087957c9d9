"""The page shows every fault, what its users notice, and figures in which no promise is broken."""

from __future__ import annotations

import re

import pytest

from tests.faults.checking import Broken, Promise
from tests.faults.course import Course
from tests.faults.faults import FAULTS
from tests.faults.page import HEADS, MEASURED, NOTICED, PAGE, Run, lines, noticed

COSTS = ("failed", "lost, doubled", "other")


def block(name: str) -> list[str]:
    text = PAGE.read_text(encoding="utf-8")
    begin, end = f"<!-- {name} measured: begin -->\n", f"\n<!-- {name} measured: end -->"
    found = re.search(f"{begin}(.*?){end}", text, re.DOTALL)
    assert found is not None
    return found[1].splitlines()


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split(" | ")]


def costs(line: str) -> list[str]:
    return [cell for head, cell in zip(HEADS, cells(line), strict=True) if head in COSTS]


def test_the_page_says_what_is_noticed_of_each_fault() -> None:
    assert block(NOTICED) == noticed(), "run: make faults ARGS=--write"


def test_the_page_has_the_figures_of_every_fault_and_no_promise_is_broken() -> None:
    rows = [line for line in block(MEASURED) if line.startswith("| ")][1:]
    assert [cells(row)[0] for row in rows] == [*(fault.title for fault in FAULTS.values()), "**all**"]
    assert all(set(costs(row)) == {"0"} for row in rows)
    assert len({cells(row)[1] for row in rows[:-1]}) == 1, "all struck equally often"


@pytest.mark.parametrize("promise", Promise)
def test_each_broken_promise_has_its_column(promise: Promise) -> None:
    name = next(iter(FAULTS))
    broken = Course(struck=1, broken=[Broken(promise, "it")])
    *_, row, whole = lines({name: broken}, Run(times=1, seed=1))
    assert costs(row).count("1") == costs(whole).count("1") == 1
