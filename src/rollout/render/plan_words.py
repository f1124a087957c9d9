"""The cells of a plan's tables, the same on a terminal and on a page."""

from __future__ import annotations

from rollout.domain.plan.harm import Harm
from rollout.domain.plan.parts import MetricPlan, StepPlan
from rollout.domain.plan.plan import Plan
from rollout.domain.plan.words import count, percent, span

ABSENT = "–"
READING = (
    (
        "Units are counted in one arm, each once, when window and grace are over; the control gets as many. "
        "`expect.units` is read as new units each day."
    ),
    (
        "Expected is the mean, longest what nine of ten proofs need, if the candidate is what is asked for: "
        "better by `minEffect`, or like the baseline. The slowest metric decides."
    ),
    (
        "Provable is the smallest effect, or the highest level of a limit, that has a chance of 80 % "
        "before the policy gives up."
    ),
    (
        "Bad is a candidate that is worse by `minEffect`, or by twice its margin or limit, or fails a fifth "
        "of its requests; its users are those who meet it until it is off."
    ),
)


def metric_rows(plan: Plan) -> list[dict[str, str]]:
    """Return one row for each metric."""
    return [
        {
            "metric": metric.name,
            "must be proven": metric.asks,
            "baseline": _baseline(metric),
            "units": _at_least(metric, count(metric.units)),
            "expected": _at_least(metric, "never" if metric.is_never else span(metric.expected_s)),
            "longest": _at_least(metric, "never" if metric.is_never else span(metric.longest_s)),
            "chance": ABSENT if metric.chance is None else chance(metric.chance),
            "provable": provable(metric, metric.proves),
            "bad: off after": off(metric.harm),
            "users": count(None if metric.harm is None else metric.harm.exposed),
        }
        for metric in plan.metrics
    ]


def step_rows(plan: Plan) -> list[dict[str, str]]:
    """Return one row for each weight step."""
    return [
        {
            "step": f"steps[{step.number}]",
            "weight": percent(step.weight),
            "begins": span(step.begins_s),
            "lasts": _lasts(plan, step),
            "units by then": count(step.units),
            "a fifth fails: off after": off(step.disaster),
            "users": count(None if step.disaster is None else step.disaster.exposed),
            "of these failed": count(None if step.disaster is None else step.disaster.failed),
        }
        for step in plan.steps
    ]


def copy_rows(plan: Plan) -> list[dict[str, str]]:
    """Return one row for each step that copies requests."""
    return [
        {
            "step": f"steps[{step.number}]",
            "copies": percent(step.share),
            "lasts": span(step.lasts_s),
            "requests": count(step.copies),
        }
        for step in plan.copies
    ]


def tables(plan: Plan) -> dict[str, list[dict[str, str]]]:
    """Return every table that has rows, under its title."""
    found = {
        "What each metric takes": metric_rows(plan),
        "What each step brings": step_rows(plan),
        "What can be proven by the end of each step": provable_rows(plan),
        "What each copying step brings": copy_rows(plan),
    }
    return {title: rows for title, rows in found.items() if rows}


def provable_rows(plan: Plan) -> list[dict[str, str]]:
    """Return, for each metric with a proof, what can be proven at the end of each step."""
    return [
        {"metric": metric.name}
        | {
            f"steps[{step.number}]": provable(metric, found)
            for step, found in zip(plan.steps, metric.by_step, strict=True)
        }
        for metric in plan.metrics
        if metric.units is not None
    ]


def provable(metric: MetricPlan, found: float | None) -> str:
    """Return an effect with its sign, or the level up to which a limit can be proven to be kept."""
    if found is None or found > 1:
        return ABSENT
    return f"up to {percent(found)}" if metric.proves_level else f"± {percent(found)}"


def chance(share: float) -> str:
    """Return a chance, never quite sure and never quite none."""
    whole = round(share * 100)
    if whole >= 100:  # noqa: PLR2004 (per cent)
        return "over 99 %"
    return f"{whole} %" if whole else "under 1 %"


def off(harm: Harm | None) -> str:
    """Return when a bad candidate is off."""
    if harm is None:
        return ABSENT
    return "not in time" if harm.off_s is None else span(harm.off_s)


def _baseline(metric: MetricPlan) -> str:
    if metric.level is None:
        return "not said" if metric.is_least else ABSENT
    level = percent(metric.level) if metric.level < 1 else f"{metric.level:g}"
    match metric.baseline_meets:
        case None:
            return level
        case True:
            return f"{level}, meets it"
        case False:
            return f"{level}, breaks it"


def _at_least(metric: MetricPlan, text: str) -> str:
    return f"≥ {text}" if metric.is_least and text not in {ABSENT, "never"} else text


def _lasts(plan: Plan, step: StepPlan) -> str:
    lasts = span(step.lasts_s)
    return f"at most {lasts}" if step is plan.steps[-1] else lasts
