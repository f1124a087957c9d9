"""Combinations that cannot work, though each key by itself is well written."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Final

from rollout.domain.policy import RETRY_PAUSE_S, WHOLE_BP, Direction
from rollout.errors import nearest
from rollout.policyfile.draft import Draft
from rollout.policyfile.finding import Complaint, Path, did_you_mean
from rollout.policyfile.leaves import Fallback
from rollout.policyfile.shapes import Binary, Hold, Latency, Level
from rollout.policyfile.writing import duration_text, percent_text

ARMS: Final = 2
MAXIMUM_WEIGHT_BP: Final = WHOLE_BP // ARMS
METRICS: Final[Path] = ("spec", "metrics")
STEPS: Final[Path] = ("spec", "steps")
EXPECT: Final[Path] = ("spec", "expect")


def impossible(draft: Draft) -> list[Complaint]:
    """Return every combination that cannot work, among the parts that hold."""
    return [complaint for check in CHECKS for complaint in check(draft)]


def _weights(draft: Draft) -> Iterator[Complaint]:
    for index, step in draft.steps:
        if step.set_weight > MAXIMUM_WEIGHT_BP:
            yield Complaint((*STEPS, index, "setWeight"), "must be at most 50% with one candidate")
    for (_, before), (index, step) in pairwise(draft.steps):
        if step.set_weight < before.set_weight:
            least = percent_text(before.set_weight / WHOLE_BP)
            what = f"weights only grow: must be at least the step before's {least}"
            yield Complaint((*STEPS, index, "setWeight"), what)


def _last_step(draft: Draft) -> Iterator[Complaint]:
    if not draft.last_step_holds:
        return
    index, step = draft.steps[-1]
    if step.hold.until is None:
        what = "the last step must wait for the verdict"
        yield Complaint((*STEPS, index, "hold", "until"), what, "write `until: verdict`", shows_value=False)
    if step.hold.at_most is None:
        what = "the last step must end some day"
        yield Complaint(
            (*STEPS, index, "hold", "atMost"), what, "write `atMost: 14d`, say", shows_value=False
        )


def _holds(draft: Draft) -> Iterator[Complaint]:
    last = draft.steps[-1][0] if draft.last_step_holds else None
    for index, step in draft.steps:
        path: Path = (*STEPS, index, "hold")
        hold = step.hold
        if index != last and hold.until is not None:
            yield Complaint((*path, "until"), "only the last step waits for the verdict")
        if _is_empty(hold) and index != last:
            yield Complaint(path, "must say what to wait for: `for`, `minUnits` or both", shows_value=False)
        if hold.for_ is not None and hold.at_most is not None and hold.for_ > hold.at_most:
            yield Complaint((*path, "for"), f"must be at most atMost, {duration_text(hold.at_most)}")


def _is_empty(hold: Hold) -> bool:
    return hold.for_ is None and not hold.min_units and hold.until is None


def _names(draft: Draft) -> Iterator[Complaint]:
    first: dict[str, int] = {}
    for index, metric in draft.metrics:
        path: Path = (*METRICS, index, "name")
        if metric.name in {"units", "requests"}:
            yield Complaint(path, "must not be units or requests, which `expect` uses")
        elif metric.name in first:
            yield Complaint(path, f"must be unique: metrics[{first[metric.name]}] has the same name")
        first.setdefault(metric.name, index)


def _primary(draft: Draft) -> Iterator[Complaint]:
    primaries = [(index, metric) for index, metric in draft.metrics if isinstance(metric, Binary)]
    if draft.metrics_hold and not primaries:
        what = "nothing could ever be proven: one metric must be primary"
        yield Complaint(METRICS, what, "add one with `role: primary`", shows_value=False)
    for index, metric in primaries:
        path: Path = (*METRICS, index)
        if metric.min_effect is None and metric.margin is None:
            what = "a primary needs `minEffect`, to prove it better, or `margin`, to prove it not worse"
            yield Complaint((*path, "minEffect"), what, shows_value=False)
        if metric.min_effect is not None and metric.margin is not None:
            yield Complaint((*path, "margin"), "either `minEffect` or `margin`, not both")


def _windows(draft: Draft) -> Iterator[Complaint]:
    longest = draft.steps[-1][1].hold.at_most if draft.last_step_holds else None
    if longest is None:
        return
    for index, metric in draft.metrics:
        if metric.window > longest:
            what = f"must not be longer than the last step's atMost, {duration_text(longest)}"
            is_written = "window" in metric.model_fields_set
            remedy = (
                None
                if is_written
                else f"the default is {duration_text(metric.window)}: write a shorter `window`"
            )
            yield Complaint((*METRICS, index, "window"), what, remedy, shows_value=is_written)


def _tries(draft: Draft) -> Iterator[Complaint]:
    resilience = draft.resilience
    if resilience is None:
        return
    path: Path = ("spec", "resilience", "perTryTimeout")
    timeout, one_try = resilience.timeout, resilience.per_try_timeout
    is_written = "per_try_timeout" in resilience.model_fields_set
    remedy = None if is_written else f"the default is {duration_text(one_try)}"
    if resilience.fallback is Fallback.NONE:
        if one_try > timeout:
            what = f"must be at most timeout, {duration_text(timeout)}"
            yield Complaint(path, what, remedy, shows_value=is_written)
    elif 2 * one_try + RETRY_PAUSE_S > timeout:
        both = "the candidate's try, a pause and the fallback's try"
        what = f"{both} must fit into timeout, {duration_text(timeout)}"
        most_ms = math.floor((timeout - RETRY_PAUSE_S) / 2 * 1000)
        if most_ms > 0:
            remedy = f"write at most {duration_text(most_ms / 1000)}"
        yield Complaint(path, what, remedy, shows_value=is_written)


def _versions(draft: Draft) -> Iterator[Complaint]:
    if draft.baseline and draft.candidate and draft.baseline.version == draft.candidate.version:
        what = "must differ from the baseline's version"
        yield Complaint(("spec", "candidate", "version"), what)


def _expectations(draft: Draft) -> Iterator[Complaint]:
    if draft.expect is None:
        return
    metrics = {metric.name: metric for _, metric in draft.metrics}
    for name, level in draft.expect.levels.items():
        if name not in metrics:
            if draft.metrics_hold:
                guess = did_you_mean(nearest(name, ["units", "requests", *metrics]))
                what = "neither units, requests nor the name of a metric"
                yield Complaint((*EXPECT, name), what, guess, shows_value=False)
            continue
        metric = metrics[name]
        if isinstance(metric, Binary):
            yield from _binary_level(name, metric, level)
        elif not 0 <= level.mean < 1:
            what = (
                "must be the share of requests that exceed the limit, such as 0.4%"
                if isinstance(metric, Latency)
                else "must be the share of requests that fail, such as 0.2%"
            )
            yield Complaint((*EXPECT, name, "mean"), what)


def _binary_level(name: str, metric: Binary, level: Level) -> Iterator[Complaint]:
    if not 0 < level.mean < 1:
        yield Complaint((*EXPECT, name, "mean"), "must be a share between 0% and 100%, such as 12%")
    elif metric.min_effect and metric.direction is Direction.INCREASE:
        reached = level.mean * (1 + metric.min_effect)
        if reached > 1:
            grown = f"{percent_text(level.mean)} grown by {percent_text(metric.min_effect)}"
            what = f"leaves no room for minEffect: {grown} is above 100%"
            yield Complaint((*EXPECT, name, "mean"), what)


CHECKS: Final[tuple[Callable[[Draft], Iterator[Complaint]], ...]] = (
    _weights,
    _last_step,
    _holds,
    _names,
    _primary,
    _windows,
    _tries,
    _versions,
    _expectations,
)
