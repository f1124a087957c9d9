"""What is shown of the runs: a line for each as it ends, and the tables of all settings."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from bench.harm.bounds import Bound, bounds_of
from bench.harm.checkers import CHECKERS, Found, false_alarms
from bench.harm.load import LATE_S
from bench.harm.past import WEEK_S
from bench.harm.servers import QUIET_SHARE
from bench.harm.settings import PER_SECOND, PIPELINE_GOAL_S, Plan, Setting
from bench.harm.timing import Course, spread
from bench.rows import table

REACHED: Final = 0.99
"""The share of the rate that must be answered, over all runs: the arrivals of one run vary by chance."""


@dataclass(frozen=True, slots=True)
class Measured:
    """All runs of one setting."""

    plan: Plan
    courses: Sequence[Course]

    @property
    def setting(self) -> Setting:
        """What was measured."""
        return self.plan.setting


def line(number: int, course: Course) -> str:
    """Return one run in one line."""
    return (
        f"  run {number:>3}: {course.total_s:5.2f} s = evidence {course.evidence_s:5.2f} + pipeline "
        f"{course.pipeline_s:5.2f} (filed {course.filed_s - course.passed_s:.2f}, look "
        f"{course.looked_s - course.filed_s:.2f}, zero {course.zero_s - course.looked_s:.2f}); "
        f"{course.bad} bad; {course.requests_per_s:.0f}/s, {course.late_share:.1%} late"
    )


def lines(found: Sequence[Measured]) -> list[str]:
    """Return all tables, under what was asked for and what was reached."""
    return [
        *_goals(found),
        *_reached([course for one in found for course in one.courses]),
        "",
        *_whole(found),
        "",
        *_parts(found),
        "",
        *_checkers(found),
    ]


def _whole(found: Sequence[Measured]) -> list[str]:
    heads = (
        "errors 1 % → 20 % at",
        "runs",
        "first bad answer → weight zero, median",
        "worst",
        "bad answers, median",
        "worst",
        "Wald's bound",
        "at its start's bar",
    )
    rows = []
    for one in found:
        total = spread([course.total_s for course in one.courses])
        bad = spread([float(course.bad) for course in one.courses])
        rows.append(
            (
                one.setting.told,
                f"{len(one.courses)}",
                f"**{total[0]:.2f} s**",
                f"{total[2]:.2f} s",
                f"{bad[0]:.0f}",
                f"{bad[2]:.0f}",
                *map(_bound, bounds_of(one.setting)),
            )
        )
    return table(heads, rows)


def _bound(bound: Bound) -> str:
    return f"{bound.requests:.0f} requests, {bound.seconds:.2f} s"


def _parts(found: Sequence[Measured]) -> list[str]:
    heads = ("median (90 %, largest)", *(one.setting.told for one in found))
    parts: dict[str, Callable[[Course], float]] = {
        "evidence: until the errors so far pass the bar": lambda one: one.evidence_s,
        "**pipeline: from there to the weight zero**": lambda one: one.pipeline_s,
        "- logged, cut, and written into the lake": lambda one: one.filed_s - one.passed_s,
        "- until the look that decides begins": lambda one: one.looked_s - one.filed_s,
        "- judged, recorded, published, met by a request": lambda one: one.zero_s - one.looked_s,
    }
    return table(
        heads,
        [
            (name, *(_spread([part(one) for one in each.courses]) for each in found))
            for name, part in parts.items()
        ],
    )


def _spread(values: list[float]) -> str:
    median, most, largest = spread(values)
    return f"{median:.2f} s ({most:.2f}, {largest:.2f})"


def _checkers(found: Sequence[Measured]) -> list[str]:
    """Return what threshold checkers would have done with the same answers, and in a quiet week."""
    steps = sorted({one.setting.weight for one in found}, reverse=True)
    heads = (
        "median (worst), of the same runs",
        *(
            f"{head} at {weight:.0%}"
            for weight in steps
            for head in ("until zero", "bad answers", "false alarms in a quiet week")
        ),
    )
    rows = [
        (f"**this program, {age}**", *(cell for weight in steps for cell in _ours(of_age, weight)))
        for age, is_old in (("fresh", False), ("after 7 quiet days", True))
        if (of_age := [one for one in found if one.setting.is_old is is_old])
    ]
    for checker in CHECKERS:
        cells = [checker.name]
        for weight in steps:
            every = [one for course in _at(found, weight) for one in course.by_checkers.get(checker.name, ())]
            alarms = false_alarms(
                checker, per_second=PER_SECOND * weight, bad_share=QUIET_SHARE, lasts_s=WEEK_S
            )
            cells += [*_ends(every), f"{alarms:,}"]
        rows.append(tuple(cells))
    return table(heads, rows)


def _ours(found: Sequence[Measured], weight: float) -> tuple[str, str, str]:
    courses = _at(found, weight)
    if not courses:
        return ("–", "–", "–")
    every = [Found(course.total_s, course.bad) for course in courses]
    return (*_ends(every), f"0 in {len(courses)} runs")


def _at(found: Sequence[Measured], weight: float) -> list[Course]:
    return [course for one in found if math.isclose(one.setting.weight, weight) for course in one.courses]


def _ends(every: Sequence[Found]) -> tuple[str, str]:
    after_s, bad = [one.after_s for one in every], [one.bad for one in every]
    return (
        f"{np.median(after_s):.1f} s ({max(after_s):.1f})",
        f"{np.median(bad):,.0f} ({max(bad):,})",
    )


def _reached(found: Sequence[Course]) -> tuple[str, str]:
    rates = [one.requests_per_s for one in found]
    late = max(one.late_share for one in found)
    mean = sum(rates) / len(rates)
    is_reached = mean >= REACHED * PER_SECOND
    rate = f"The rate of {PER_SECOND:.0f} requests/s was {'reached' if is_reached else '**not reached**'}"
    return (
        f"{rate}: {mean:.0f} were answered, by run {min(rates):.0f} to {max(rates):.0f};",
        f"in no run were more than {late:.1%} sent over {LATE_S * 1000:.0f} ms late.",
    )


def _goals(found: Sequence[Measured]) -> list[str]:
    """Say of every goal whether it is met."""
    said = []
    for one in found:
        total_s, pipeline_s = (
            spread(values)[0]
            for values in (
                [course.total_s for course in one.courses],
                [course.pipeline_s for course in one.courses],
            )
        )
        goals = [] if one.setting.goal_s is None else [("in all", total_s, one.setting.goal_s)]
        goals.append(("in the pipeline", pipeline_s, PIPELINE_GOAL_S))
        words = ", ".join(
            f"at most {goal:g} s {what} {'met' if value <= goal else '**missed**'}"
            for what, value, goal in goals
        )
        said.append(f"Goals at {one.setting.told} (medians): {words}.")
    return said
