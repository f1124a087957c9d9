"""What is shown of the runs: a line for each as it ends, and a table of all of them."""

from __future__ import annotations

from collections.abc import Sequence

from bench.harm.load import LATE_S
from bench.harm.runs import PER_SECOND, Plan
from bench.harm.timing import Course, spread
from rollout.stats.starts import EVERY_S

GOAL_TOTAL_S = 3.0
GOAL_PIPELINE_S = 2.0
REACHED = 0.99
"""The share of the rate that must be answered, over all runs: the arrivals of one run vary by chance."""


def line(number: int, course: Course) -> str:
    """Return one run in one line."""
    return (
        f"  run {number:>3}: {course.total_s:5.2f} s = evidence {course.evidence_s:5.2f} + pipeline "
        f"{course.pipeline_s:5.2f} (filed {course.filed_s - course.passed_s:.2f}, look "
        f"{course.looked_s - course.filed_s:.2f}, zero {course.zero_s - course.looked_s:.2f}); "
        f"{course.bad} bad; {course.requests_per_s:.0f}/s, {course.late_share:.1%} late"
    )


def lines(plan: Plan, found: Sequence[Course]) -> list[str]:
    """Return the table of all runs, under what was asked for and what was reached."""
    rows = [
        ("**from the first bad answer to the weight zero**", [one.total_s for one in found]),
        ("evidence: until the errors so far pass the bar", [one.evidence_s for one in found]),
        ("**pipeline: from there to the weight zero**", [one.pipeline_s for one in found]),
        ("- logged, cut, and written into the lake", [one.filed_s - one.passed_s for one in found]),
        ("- until the look that decides begins", [one.looked_s - one.filed_s for one in found]),
        ("- judged, recorded, published, met by a request", [one.zero_s - one.looked_s for one in found]),
    ]
    counts = [
        ("bad answers of the candidate", [float(one.bad) for one in found]),
        ("failures that users met, in all of a run", [float(one.user_failures) for one in found]),
    ]
    quiet = f"{plan.quiet_s:g} to {plan.quiet_s + EVERY_S:g} s"
    return [
        f"{len(found)} runs, each quiet for {quiet} first. {_goals(found)}",
        *_reached(found),
        "",
        "| | median | 90 % | largest |",
        "|---|---:|---:|---:|",
        *(_row(name, values, "{:.2f} s") for name, values in rows),
        *(_row(name, values, "{:.0f}") for name, values in counts),
    ]


def _row(name: str, values: list[float], form: str) -> str:
    return f"| {name} | " + " | ".join(form.format(value) for value in spread(values)) + " |"


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


def _goals(found: Sequence[Course]) -> str:
    total_s, pipeline_s = (
        spread(values)[0] for values in ([one.total_s for one in found], [one.pipeline_s for one in found])
    )
    is_met = total_s <= GOAL_TOTAL_S and pipeline_s <= GOAL_PIPELINE_S
    goal = f"medians of at most {GOAL_TOTAL_S:g} s in all and {GOAL_PIPELINE_S:g} s in the pipeline"
    return f"The goal, {goal}, is {'met' if is_met else '**missed**'}."
