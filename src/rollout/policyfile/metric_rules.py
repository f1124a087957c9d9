"""Metrics that cannot work: a role without its keys, keys without their role, impossible expectations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rollout.domain.metric import Direction, Role
from rollout.domain.promql import mistakes
from rollout.errors import nearest
from rollout.policyfile.draft import Draft
from rollout.policyfile.finding import Complaint, Path, did_you_mean
from rollout.policyfile.metrics import (
    AnyMetric,
    Binary,
    ErrorRate,
    Latency,
    OutcomeMetric,
    Ratio,
    Threshold,
)
from rollout.policyfile.quantities import Span
from rollout.policyfile.shapes import Level
from rollout.policyfile.writing import duration_text, percent_text

METRICS: Final[Path] = ("spec", "metrics")
EXPECT: Final[Path] = ("spec", "expect")


def names(draft: Draft) -> Iterator[Complaint]:
    """Refuse a name for two metrics."""
    first: dict[str, int] = {}
    for index, metric in draft.metrics:
        path: Path = (*METRICS, index, "name")
        if metric.name in {"units", "requests"}:
            yield Complaint(path, "must not be units or requests, which `expect` uses")
        elif metric.name in first:
            yield Complaint(path, f"must be unique: metrics[{first[metric.name]}] has the same name")
        first.setdefault(metric.name, index)


def goal(draft: Draft) -> Iterator[Complaint]:
    """Refuse what could promote but has nothing to prove."""
    is_primary = any(metric.role is Role.PRIMARY for _, metric in draft.metrics)
    if draft.can_promote and draft.metrics_hold and not is_primary:
        what = "nothing could ever be proven: one metric must be primary"
        yield Complaint(METRICS, what, "add one with `role: primary`", shows_value=False)


def roles(draft: Draft) -> Iterator[Complaint]:
    """Refuse a metric without what its role needs, or with what its role cannot use."""
    for index, metric in draft.metrics:
        path: Path = (*METRICS, index)
        match metric:
            case OutcomeMetric():
                yield from _outcome(metric, path)
            case ErrorRate():
                yield from _unused(metric, path, "margin", "floor")
            case Latency():
                yield from _latency(metric, path)
            case Threshold():
                yield from _threshold(metric, path)


def _outcome(metric: OutcomeMetric, path: Path) -> Iterator[Complaint]:
    if metric.direction is None and metric.role is not Role.OBSERVE:
        what = f"is missing: a {metric.role} must say which way is better"
        yield Complaint(
            (*path, "direction"), what, "write `direction: increase` or `decrease`", shows_value=False
        )
    if metric.role is Role.PRIMARY:
        if metric.min_effect is None and metric.margin is None:
            what = "a primary needs `minEffect`, to prove it better, or `margin`, to prove it not worse"
            yield Complaint((*path, "minEffect"), what, shows_value=False)
        if metric.min_effect is not None and metric.margin is not None:
            yield Complaint((*path, "margin"), "either `minEffect` or `margin`, not both")
    if metric.role is Role.GUARDRAIL and metric.min_effect is not None:
        what = "belongs to a primary: a guardrail need not become better"
        yield Complaint((*path, "minEffect"), what, "write `margin`, the change that you accept")
    yield from _unused(metric, path, "minEffect", "margin")
    if metric.margin == 1 and metric.direction is Direction.INCREASE:
        yield Complaint((*path, "margin"), "must be less than 100%: no loss is larger than all of it")
    if metric.min_effect == 1 and metric.direction is Direction.DECREASE:
        yield Complaint((*path, "minEffect"), "must be less than 100%: it cannot fall by all of it")
    if isinstance(metric, Ratio) and metric.numerator == metric.denominator:
        yield Complaint((*path, "denominator"), "must differ from the numerator: the ratio is always 1")


def _unused(metric: AnyMetric | OutcomeMetric, path: Path, *keys: str) -> Iterator[Complaint]:
    """Refuse what an observed metric never uses."""
    if metric.role is not Role.OBSERVE:
        return
    written = {metric.__class__.model_fields[name].alias for name in metric.model_fields_set}
    for key in keys:
        if key in written:
            what = "does nothing: an observed metric is reported, never acted on"
            remedy = "remove the key" if key == "minEffect" else "remove the key, or write `role: guardrail`"
            yield Complaint((*path, key), what, remedy)


def _latency(metric: Latency, path: Path) -> Iterator[Complaint]:
    if metric.role is Role.SLO and metric.max is None:
        yield Complaint(
            (*path, "max"), "an slo needs its limit", "write `max: 250ms`, say", shows_value=False
        )
    if metric.role is Role.SLO and metric.margin is not None:
        yield Complaint((*path, "margin"), "an slo has a limit, `max`, and no margin", "make it a guardrail")
    if metric.role is Role.GUARDRAIL and metric.max is None and metric.margin is None:
        what = "a guardrail on latency needs `margin`, relative to the baseline, or `max`"
        yield Complaint((*path, "margin"), what, shows_value=False)
    if metric.role is Role.GUARDRAIL and metric.max is not None and metric.margin is not None:
        yield Complaint((*path, "margin"), "either `margin` or `max`, not both")
    yield from _unused(metric, path, "margin")


def _threshold(metric: Threshold, path: Path) -> Iterator[Complaint]:
    if metric.role is Role.SLO and metric.max is None and metric.min is None:
        yield Complaint((*path, "max"), "an slo needs its limit: `max` or `min`", shows_value=False)
    if metric.max is not None and metric.min is not None and metric.min >= metric.max:
        yield Complaint((*path, "min"), f"must be less than max, {metric.max:g}")
    if not 1 <= metric.failure_limit <= 1_000:  # noqa: PLR2004 (said in the sentence)
        yield Complaint((*path, "failureLimit"), "must be from 1 to 1000 polls")
    if metric.interval < 1:
        yield Complaint((*path, "interval"), "must be at least 1s")
    for what, remedy in mistakes(metric.query):
        yield Complaint((*path, "query"), what, remedy)


def windows(draft: Draft) -> Iterator[Complaint]:
    """Refuse a metric that needs longer than there is."""
    longest = draft.last_weight[1].hold.at_most if draft.last_weight else None
    if longest is None:
        return
    for index, metric in draft.metrics:
        if isinstance(metric, Threshold):
            if metric.interval * metric.failure_limit > longest:
                what = f"{metric.failure_limit} polls must fit into the last weight step's atMost"
                yield Complaint((*METRICS, index, "interval"), f"{what}, {duration_text(longest)}")
        elif metric.window > longest:
            what = f"must not be longer than the last weight step's atMost, {duration_text(longest)}"
            is_written = "window" in metric.model_fields_set
            default = f"the default is {duration_text(metric.window)}: write a shorter `window`"
            remedy = None if is_written else default
            yield Complaint((*METRICS, index, "window"), what, remedy, shows_value=is_written)


def expectations(draft: Draft) -> Iterator[Complaint]:
    """Refuse what is expected of no metric, or is no level of it."""
    if draft.expect is None:
        return
    metrics = {metric.name: metric for _, metric in draft.metrics}
    for name, level in draft.expect.levels.items():
        path: Path = (*EXPECT, name)
        if name in metrics:
            what = _wrong_level(metrics[name], level)
            if what is not None:
                yield Complaint((*path, "mean"), what)
        elif draft.metrics_hold:
            guess = did_you_mean(nearest(name, ["units", "requests", *metrics]))
            what = "neither units, requests nor the name of a metric"
            yield Complaint(path, what, guess, shows_value=False)


def _wrong_level(metric: AnyMetric, level: Level) -> str | None:
    mean = level.mean
    if isinstance(metric, Latency) and metric.max is None:
        form = f"must be the {metric.quantile:g} quantile of the response time, such as 180ms"
        return None if isinstance(mean, Span) else form
    if isinstance(metric, ErrorRate | Latency):
        does = "exceed the limit, such as 0.4%" if isinstance(metric, Latency) else "fail, such as 0.2%"
        is_share = not isinstance(mean, Span) and 0 <= mean < 1
        return None if is_share else f"must be the share of requests that {does}"
    if isinstance(mean, Span):
        return "must be a number such as 3.1 or a percentage such as 12%"
    if isinstance(metric, Binary):
        return _wrong_share(metric, mean)
    is_relative = isinstance(metric, OutcomeMetric) and metric.role is not Role.OBSERVE
    return (
        "must be more than 0: `minEffect` and `margin` are shares of it"
        if is_relative and mean <= 0
        else None
    )


def _wrong_share(metric: Binary, mean: float) -> str | None:
    if not 0 < mean < 1:
        return "must be a share between 0% and 100%, such as 12%"
    if metric.min_effect and metric.direction is Direction.INCREASE and mean * (1 + metric.min_effect) > 1:
        grown = f"{percent_text(mean)} grown by {percent_text(metric.min_effect)}"
        return f"leaves no room for minEffect: {grown} is above 100%"
    return None
