"""What people notice of each fault of what decides, and the figures: two tables of the page."""

from __future__ import annotations

import os
import platform
from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from typing import Final

from bench.page import put
from tests.faults.checking import Promise
from tests.faults.control.checking import Vow
from tests.faults.control.course import Decided
from tests.faults.control.faults import FAULTS
from tests.faults.page import IN_LAKE, OUTCOMES, PAGE, Run

NOTICED, MEASURED = "decided-noticed", "decided"
DECISIONS: Final = (Vow.DECISION_LOST, Vow.DECISION_DOUBLED)
ACTIONS: Final = (Vow.ACTION_LOST, Vow.ACTION_DOUBLED)
WISHES: Final = (Vow.WISH_LOST, Vow.WISH_DOUBLED)
_COUNTED: Final = {Promise.FAILED, *IN_LAKE, *OUTCOMES, *DECISIONS, *ACTIONS, *WISHES, Vow.UNPROVEN}
OTHERS: Final[Collection[StrEnum]] = tuple(one for one in (*Promise, *Vow) if one not in _COUNTED)
HEADS: Final = (
    *("fault", "struck", "requests", "failed", "lost, doubled", "outcomes", "lost, doubled"),
    *("decisions", "lost, doubled", "actions", "lost, doubled", "unproven", "wishes", "lost, doubled"),
    *("longest without a leader", "other"),
)


def noticed() -> list[str]:
    """Return what people see of each fault."""
    return ["| fault | what people notice |", "|---|---|"] + [
        f"| {fault.title} | {fault.sees} |" for fault in FAULTS.values()
    ]


def lines(courses: Mapping[str, Decided], run: Run, recomputed: int) -> list[str]:
    """Return the figures of a run, and of all faults together."""
    whole = Decided()
    for course in courses.values():
        whole.add(course)
    machine = f"Measured on {platform.machine()}, {os.cpu_count()} cores"
    how = f"{machine}: {run.times} rounds, `--course control --seed {run.seed}`"
    return [
        f"{how}; {recomputed:,} decisions recomputed.",
        "",
        f"| {' | '.join(HEADS)} |",
        "|---|" + "---:|" * (len(HEADS) - 1),
        *(_row(FAULTS[name].title, course) for name, course in courses.items()),
        _row("**all**", whole),
    ]


def write(courses: Mapping[str, Decided], run: Run, recomputed: int) -> None:
    """Put both tables into the page."""
    put(PAGE, NOTICED, "\n".join(noticed()))
    put(PAGE, MEASURED, "\n".join(lines(courses, run, recomputed)))


def _row(title: str, course: Decided) -> str:
    users = course.users
    cells: Sequence[object] = (
        *(title, users.struck, f"{users.requests:,}", users.count([Promise.FAILED]), users.count(IN_LAKE)),
        *(f"{users.outcomes:,}", users.count(OUTCOMES)),
        *(f"{course.decisions:,}", users.count(DECISIONS), f"{course.actions:,}", users.count(ACTIONS)),
        *(users.count([Vow.UNPROVEN]), f"{course.wishes:,}", users.count(WISHES)),
        *(f"{course.leaderless_us / 1e6:.1f} s", users.count(OTHERS)),
    )
    return f"| {' | '.join(map(str, cells))} |"
