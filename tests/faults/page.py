"""What users notice of each fault, and the figures: two tables, and their place in the page."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.page import put
from tests.faults.checking import Promise
from tests.faults.course import Course
from tests.faults.faults import FAULTS

PAGE: Final = Path(__file__).parents[2] / "docs" / "reliability.md"
NOTICED, MEASURED = "noticed", "faults"
IN_LAKE: Final = (Promise.LOST, Promise.DOUBLED, Promise.CHANGED)
OUTCOMES: Final = (Promise.OUTCOME_LOST, Promise.OUTCOME_DOUBLED)
OTHERS: Final = tuple(one for one in Promise if one not in {Promise.FAILED, *IN_LAKE, *OUTCOMES})
HEADS: Final = (
    *("fault", "struck", "hit", "requests", "failed", "asked again", "longest wait"),
    *("lost, doubled", "not written", "outcomes", "sent again", "lost, doubled", "other"),
)


@dataclass(frozen=True, slots=True)
class Run:
    """How often each fault struck, and what makes the same run again."""

    times: int
    seed: int


def noticed() -> list[str]:
    """Return what users of each broken thing see."""
    return ["| fault | what users notice |", "|---|---|"] + [
        f"| {fault.title} | {fault.sees} |" for fault in FAULTS.values()
    ]


def lines(courses: Mapping[str, Course], run: Run) -> list[str]:
    """Return the figures of a run, and of all faults together."""
    whole = Course()
    for course in courses.values():
        whole.add(course)
    named = {FAULTS[name].title: course for name, course in courses.items()}
    machine = f"Measured on {platform.machine()}, {os.cpu_count()} cores"
    return [
        f"{machine}: {run.times} strikes each, `--seed {run.seed}`.",
        "",
        f"| {' | '.join(HEADS)} |",
        "|---|" + "---:|" * (len(HEADS) - 1),
        *(_row(title, course) for title, course in named.items()),
        _row("**all**", whole),
    ]


def write(courses: Mapping[str, Course], run: Run) -> None:
    """Put both tables into the page."""
    put(PAGE, NOTICED, "\n".join(noticed()))
    put(PAGE, MEASURED, "\n".join(lines(courses, run)))


def _not_written(course: Course) -> str:
    if not course.forgiven:
        return "0"
    return f"{course.forgiven}, up to {max(course.before_us, 0) / 1e6:.1f} s before"


def _row(title: str, course: Course) -> str:
    cells: Sequence[object] = (
        *(title, course.struck, f"{course.met:,}", f"{course.requests:,}"),
        *(course.count([Promise.FAILED]), course.cut, f"{course.longest_us / 1e6:.1f} s"),
        *(course.count(IN_LAKE), _not_written(course), f"{course.outcomes:,}", course.again),
        *(course.count(OUTCOMES), course.count(OTHERS)),
    )
    return f"| {' | '.join(map(str, cells))} |"
