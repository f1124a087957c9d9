"""Which polls a run has, what is asked for them, and what the answers make of each: no state but the run's.

Polls lie on a grid of the metric's interval from the run's start, or the watch's, so that a process that
begins anew asks for the same ones and comes to the same.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

import numpy as np

from rollout.domain.assignment import arm_name
from rollout.domain.evidence import Poll, PollEvidence
from rollout.domain.experiment import Experiment, Phase
from rollout.domain.metric import Metric, MetricType, Role
from rollout.domain.promql import filled, selectors
from rollout.prometheus.answers import Series, Unusable, several

TIMES_KEPT: Final = 4
"""So many times as many polls as decide are asked for: gaps in between neither count nor reset."""
SETTLE_MS: Final = 5_000
"""How long after its time a poll is asked, or a quarter of the interval: what was scraped then is stored."""
LATE_MS: Final = 10_000
"""How long after that an answer may come, or an interval, before the poll is a gap."""
_SELECTOR: Final = "selector"


@dataclass(frozen=True, slots=True)
class Asking:
    """One query, and the milliseconds at which its value is wanted, evenly apart."""

    query: str
    times: tuple[int, ...]
    interval_ms: int


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of one candidate for one metric; without times no poll is due yet."""

    arm: int
    metric: Metric
    asking: Asking


@dataclass(frozen=True, slots=True)
class Measured:
    """Finite values by the millisecond, and up to when the server has answered at all."""

    values: Mapping[int, float] = field(default_factory=dict)
    until_ms: int | None = None


def questions(experiment: Experiment, now_us: int) -> tuple[Question, ...]:
    """Return what is asked at this time: of each active candidate, and in a watch for limits only."""
    is_watching = experiment.phase is Phase.WATCHING
    return tuple(
        Question(arm, metric, _asking(experiment, arm, metric, now_us))
        for arm in experiment.active_arms
        for metric in experiment.policy.metrics
        if metric.type is MetricType.THRESHOLD and (metric.role is Role.SLO or not is_watching)
    )


def freshness(query: str) -> str:
    """Return the query for how old the newest sample is, in seconds, of the stillest series of each selector.

    A server carries a value on for minutes after its series stopped, unless it saw the series end.
    """
    return " or ".join(
        f'label_replace(time() - min(timestamp({one})), "{_SELECTOR}", "{number}", "", "")'
        for number, one in enumerate(selectors(query))
    )


def measured(
    series: Sequence[Series], ages: Sequence[Series], asking: Asking
) -> tuple[Measured, Unusable | None]:
    """Return each poll's value, and why the newest has none although the server gave some.

    At a poll's time every series that is read must have had a sample in that poll's own interval. A selector
    without any series is its query's own affair, as long as another one has some.
    """
    longest_s = asking.interval_ms / 1_000 + 0.001
    kept, trouble = dict[int, float](), None
    for at in asking.times:
        there = [one for one in series if at in one.values]
        known = [one.values[at] for one in ages if at in one.values]
        trouble = None
        if len(there) > 1:
            trouble = several(there)
        elif there and not (known and max(known) <= longest_s):
            what = f"what it reads had no sample for {asking.interval_ms / 1_000:g} s, the interval"
            trouble = Unusable(what, "see whether it is still scraped, and at least once in an interval")
        elif there and math.isfinite(there[0].values[at]):
            kept[at] = there[0].values[at]
    return Measured(kept, asking.times[-1] if asking.times else None), trouble


def evidence(question: Question, found: Measured, now_us: int) -> PollEvidence | None:
    """Return the last polls of a metric, or nothing before the first one is due.

    The newest one waits a little for its answer; what has none by then was not measured.
    """
    polls, values = list[Poll](), list[float]()
    for at in question.asking.times:
        value = found.values.get(at)
        if value is not None:
            polls.append(_compared(question.metric, value))
            values.append(value)
        elif (found.until_ms is not None and at <= found.until_ms) or _is_late(question, at, now_us):
            polls.append(Poll.GAP)
    if not polls:
        return None
    last = polls[-(question.metric.failure_limit or 1) :]
    is_known = any(poll is not Poll.GAP for poll in last)
    return PollEvidence(np.array(polls, dtype=np.int64), values[-1] if is_known else None)


def _asking(experiment: Experiment, arm: int, metric: Metric, now_us: int) -> Asking:
    policy = experiment.policy
    version, baseline = policy.candidates[arm - 1].version, policy.baseline.version
    query = _query(metric.query or "", arm_name(arm), version, baseline, policy.name)
    interval_ms = max(round((metric.interval_s or 1.0) * 1_000), 1_000)
    begin_ms = -(-_begin_us(experiment) // 1_000)
    due_ms = now_us // 1_000 - min(SETTLE_MS, interval_ms // 4)
    newest = (due_ms - begin_ms) // interval_ms
    oldest = max(newest - TIMES_KEPT * (metric.failure_limit or 1) + 1, 1)
    times = tuple(begin_ms + number * interval_ms for number in range(oldest, newest + 1))
    return Asking(query, times, interval_ms)


@lru_cache(maxsize=10_000)
def _query(text: str, arm: str, version: str, baseline: str, policy: str) -> str:
    """Return a query as it is asked: every look asks for the same few."""
    variables = {"arm.name": arm, "arm.version": version, "baseline.version": baseline, "policy.name": policy}
    return filled(text, variables)


def _begin_us(experiment: Experiment) -> int:
    if experiment.phase is Phase.WATCHING and experiment.watch_from_us is not None:
        return experiment.watch_from_us
    return experiment.started_us


def _is_late(question: Question, at_ms: int, now_us: int) -> bool:
    interval_ms = question.asking.interval_ms
    waited_ms = now_us // 1_000 - at_ms - min(SETTLE_MS, interval_ms // 4)
    return waited_ms >= min(LATE_MS, interval_ms)


def _compared(metric: Metric, value: float) -> Poll:
    is_over = metric.maximum is not None and value > metric.maximum
    is_under = metric.minimum is not None and value < metric.minimum
    return Poll.BREACH if is_over or is_under else Poll.GOOD
