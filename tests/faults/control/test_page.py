"""The page shows every fault of what decides, and figures in which no promise is broken."""

from __future__ import annotations

from enum import StrEnum

import pytest

from tests.faults.checking import Broken, Promise
from tests.faults.control.checking import Vow
from tests.faults.control.course import Decided
from tests.faults.control.faults import FAULTS
from tests.faults.control.page import HEADS, MEASURED, NOTICED, lines, noticed
from tests.faults.course import Course
from tests.faults.page import Run
from tests.faults.test_page import block, cells

COSTS = ("failed", "lost, doubled", "unproven", "other")


def costs(line: str) -> list[str]:
    return [cell for head, cell in zip(HEADS, cells(line), strict=True) if head in COSTS]


def test_the_page_says_what_is_noticed_of_each_fault() -> None:
    assert block(NOTICED) == noticed(), "run: make faults ARGS='--course control --write'"


def test_the_page_has_the_figures_of_every_fault_and_no_promise_is_broken() -> None:
    rows = [line for line in block(MEASURED) if line.startswith("| ")][1:]
    assert [cells(row)[0] for row in rows] == [*(fault.title for fault in FAULTS.values()), "**all**"]
    assert all(set(costs(row)) == {"0"} for row in rows)
    struck = {fault.every: int(cells(row)[1]) for row, fault in zip(rows, FAULTS.values(), strict=False)}
    assert all(struck[every] == -(-struck[1] // every) for every in struck)


@pytest.mark.parametrize("promise", [*Promise, *Vow])
def test_each_broken_promise_has_its_column(promise: StrEnum) -> None:
    name = next(iter(FAULTS))
    broken = Decided(Course(struck=1, broken=[Broken(promise, "it")]))
    *_, row, whole = lines({name: broken}, Run(times=1, seed=1), 0)
    assert costs(row).count("1") == costs(whole).count("1") == 1
