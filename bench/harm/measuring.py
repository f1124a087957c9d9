"""All settings, one after the other: each run shown as it ends, then the tables and the picture."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from bench.harm import picture, table
from bench.harm.runs import courses
from bench.harm.settings import QUIET_S, SETTINGS, Plan

NAMES: Final = tuple(one.name for one in SETTINGS)

__all__ = ["NAMES", "QUIET_S", "Plan", "lines", "plans"]


def plans(name: str | None = None, runs: int | None = None, quiet_s: float = QUIET_S) -> list[Plan]:
    """Return what is measured: every setting or one, as often as it says itself or as is asked."""
    return [
        Plan(one, one.runs if runs is None else runs, quiet_s) for one in SETTINGS if name in {None, one.name}
    ]


def lines(asked: Sequence[Plan], drawing: Path | None = None) -> list[str]:
    """Measure, return the tables, and draw the runs where a file is named."""
    found = [measured(plan) for plan in asked]
    if drawing is not None:
        drawing.write_text(picture.drawn(found), encoding="utf-8")
    return table.lines(found)


def measured(plan: Plan) -> table.Measured:
    """Measure one setting, and show each run as it ends."""
    print(f"  {plan.setting.told}: {plan.runs} runs", flush=True)
    found = []
    with closing(courses(plan)) as running:
        for number, course in enumerate(running, start=1):
            found.append(course)
            print(table.line(number, course), flush=True)
    return table.Measured(plan, found)
