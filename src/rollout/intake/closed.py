"""The slow path of a look: what a run asks of its units' accounts, and the sums that answer it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from typing import Final

import numpy as np

from rollout.domain.assignment import blocks
from rollout.domain.experiment import Experiment
from rollout.domain.judge import Patience
from rollout.domain.metric import Metric, MetricType, Source
from rollout.domain.policy import Policy
from rollout.domain.quality import Gap
from rollout.domain.question import FALLBACK, fallback_window_s
from rollout.domain.records import Run
from rollout.lake.accounts.accounts import Accounts
from rollout.lake.accounts.asked import Asked, Counter, Limits, Told, Trouble, Window
from rollout.lake.accounts.books import Books
from rollout.lake.accounts.outcomes import Outcomes, Received
from rollout.lake.accounts.totals import ClosedSums
from rollout.lake.outcomes import MICRO
from rollout.stats.arrays import BoolArray, IntArray

_SECOND_US: Final = 1_000_000
AHEAD_US: Final = 300 * _SECOND_US
"""So far two clocks may differ, as at the door for outcomes."""


@dataclass(frozen=True, slots=True)
class Marks:
    """Everything before these times is filed: of the proxies, and of proxies and outcomes."""

    proxy_us: int | None
    joined_us: int | None


@dataclass(frozen=True, slots=True)
class Rates:
    """Closed units, and those with anything told of them, [ten minutes of enrolment], all arms."""

    first_slice: int
    units: IntArray
    telling: IntArray


@dataclass(frozen=True, slots=True)
class Closed:
    """What was filed before its marks; a metric of which no unit has closed yet is in none of them."""

    marks: Marks
    first_us: int | None
    """When the first unit was enrolled."""
    enrolled: IntArray
    """Distinct units, [stratum, arm]."""
    enrolled_arms: BoolArray | None
    units_in_step: IntArray
    two_armed: int
    """Units seen in two arms: they are in no sum."""
    sums: Mapping[str, ClosedSums] = field(default_factory=dict)
    """By metric, and the fallbacks."""
    rates: Mapping[str, Rates] = field(default_factory=dict)
    received: Mapping[str, Received] = field(default_factory=dict)
    """By outcome: how often one came again."""
    units: int = 0
    """Distinct units, with those in two arms."""
    ahead: int = 0
    """Units that begin after the look, and requests that are years away."""
    gaps: tuple[Gap, ...] = ()
    """What the lake lacked when it was asked."""


class ClosedUnits:
    """Asks the accounts everything that one look needs of them."""

    def __init__(self, books: Books, patience: Patience) -> None:
        self._books, self._patience = books, patience

    def ask(self, experiment: Experiment, marks: Marks, frozen_us: Mapping[str, int], now_us: int) -> Closed:
        """Return all that is known of a run's units; `frozen_us` are the baseline's quantiles."""
        asked = asked_of(experiment, self._patience, frozen_us)
        return self._books.ask(asked, lambda *known: _closed(experiment, marks, now_us, *known), now_us)

    def sum_up(
        self, experiments: Sequence[tuple[Experiment, Mapping[str, int]]], horizon_us: int, now_us: int
    ) -> None:
        """Have runs need no request before a horizon any more."""
        asked = [asked_of(one, self._patience, frozen_us) for one, frozen_us in experiments]
        self._books.sum_up(asked, horizon_us, now_us)


def asked_of(experiment: Experiment, patience: Patience, frozen_us: Mapping[str, int]) -> Asked:
    """Return what a run asks of its units: each metric that they can answer, and their fallbacks."""
    policy = experiment.policy

    def window(window_s: float) -> Window:
        return Window(int(window_s * _SECOND_US), patience.grace_for(window_s))

    counters = [
        Counter(metric.name, window(metric.window_s), counted)
        for metric in policy.metrics
        if (counted := _counted(policy, metric, frozen_us.get(metric.name))) is not None
    ]
    return Asked(
        run=Run(policy.name, experiment.revision),
        since_us=experiment.started_us,
        arms=policy.arms,
        blocks=tuple(numbers(policy)),
        counters=(*counters, Counter(FALLBACK, window(fallback_window_s(policy)), Trouble.FALLBACK)),
        told=tuple(
            Told(
                name=metric.name,
                window=window(metric.window_s),
                kind=metric.type,
                sources=sources_of(metric),
                cap_u=None if metric.cap is None else round(metric.cap * MICRO),
                before_us=None if metric.pre_window_s is None else int(metric.pre_window_s * _SECOND_US),
            )
            for metric in policy.metrics
            if metric.source is Source.OUTCOMES
        ),
    )


def sources_of(metric: Metric) -> tuple[str, ...]:
    """Return the outcomes that a metric is made of."""
    if metric.numerator is not None and metric.denominator is not None:
        return (metric.numerator, metric.denominator)
    return (metric.name,)


def _closed(
    experiment: Experiment,
    marks: Marks,
    now_us: int,
    accounts: Accounts,
    outcomes: Mapping[str, Outcomes],
) -> Closed:
    first_us = accounts.first_us()
    began_us = experiment.started_us if first_us is None else first_us
    sums, rates = {}, {}
    for metric in accounts.asked.everything:
        mark_us = marks.joined_us if isinstance(metric, Told) else marks.proxy_us
        if mark_us is None or mark_us < began_us + metric.window.closes_after_us:
            continue
        found = accounts.closed(metric.name, mark_us)
        if not found.units.any():
            continue
        sums[metric.name] = found
        if isinstance(metric, Told):
            first, table = accounts.rates(metric.name)
            rates[metric.name] = Rates(first, table[:, 0], table[:, 1])
    strata, arms = _strata(experiment, accounts)
    return Closed(
        marks=marks,
        first_us=first_us,
        enrolled=strata,
        enrolled_arms=arms,
        units_in_step=accounts.enrolled(experiment.step_entered_us).sum(axis=0),
        two_armed=accounts.two_armed,
        sums=sums,
        rates=rates,
        received={name: outcomes[name].received for name in sorted(accounts.asked.metrics)},
        units=accounts.units,
        ahead=int(accounts.enrolled(now_us + AHEAD_US).sum()) + accounts.misdated,
    )


def _strata(experiment: Experiment, accounts: Accounts) -> tuple[IntArray, BoolArray | None]:
    """Return the units that say something about the split, [stratum, arm], and which arms each is over.

    They count from a person's clearing of a mismatch on; a candidate that stops opens new strata.
    """
    policy, cleared_us = experiment.policy, experiment.balanced_us
    stopped = {arm: max(at_us, cleared_us or 0) for arm, at_us in experiment.stopped.items()}
    stops = sorted(set(stopped.values()))
    since = [accounts.enrolled(begin_us) for begin_us in (cleared_us, *stops)]
    if not stops:
        return since[0], None
    spans = [*(now - later for now, later in pairwise(since)), since[-1]]
    over = [[stopped.get(arm, begin_us + 1) > begin_us for arm in range(policy.arms)] for begin_us in stops]
    arms = np.array([[True] * policy.arms, *over], dtype=np.bool_)
    return np.concatenate(spans), np.repeat(arms, len(accounts.asked.blocks), axis=0)


@cache
def nobody(arms: int) -> IntArray:
    """Return the strata of a look at which nobody is known."""
    none = np.zeros((1, arms), dtype=np.int64)
    none.flags.writeable = False
    return none


def numbers(policy: Policy) -> list[int]:
    """Return the numbers of a policy's blocks, in their order."""
    return sorted({block.number for block in blocks(policy)})


def _counted(policy: Policy, metric: Metric, frozen_us: int | None) -> Trouble | Limits | None:
    """Return what is counted against requests for a metric of the proxy, if it is one that is measured.

    A candidate may be slower than the baseline's own quantile by the margin; without the quantile nothing is.
    """
    if metric.type is MetricType.ERROR_RATE:
        return Trouble.ERROR
    if metric.type is not MetricType.LATENCY:
        return None
    if metric.max_us is not None:
        return (metric.max_us,) * policy.arms
    if frozen_us is None:
        return None
    return (frozen_us, *(round(frozen_us * (1.0 + (metric.margin or 0.0))),) * (policy.arms - 1))
