"""The fast path of a look: first errors and unit-windows since each start, from sums that are kept up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

import numpy as np

from rollout.domain.assignment import Leaf, arm_name
from rollout.domain.evidence import ClosedFractions, FirstErrors, LatencyEvidence, LimitEvidence
from rollout.domain.experiment import Experiment, Phase
from rollout.domain.metric import Metric
from rollout.domain.policy import WHOLE_BP, Policy
from rollout.domain.records import BASELINE_SERVED, MINUTE_US, NANO, WINDOW_US, Run, Threshold
from rollout.intake.fast_latencies import FastLatencies
from rollout.intake.kept import Kept
from rollout.intake.sums import joint
from rollout.stats import events, slo, starts
from rollout.stats.arrays import FloatArray
from rollout.stats.moments import JointMoments
from rollout.stats.starts import Starts
from rollout.store.counts import Counts
from rollout.store.live_errors import ErrorCounts
from rollout.store.live_limits import SinceStarts
from rollout.store.sql import ERRORS, WINDOWS

_SECOND_US: Final = 1_000_000
_LIFE_US: Final = starts.LIFE_S * _SECOND_US
_NOBODY: Final = ClosedFractions(
    0, 0.0, JointMoments.from_sums(0, np.zeros(2, np.int64), np.zeros((2, 2), np.int64))
)
"""No unit has closed here."""
_ALARM_WINDOWS: Final = 60
"""Ten minutes of unit-windows, over which a shared outage may dominate."""
_STARTS_KEPT: Final = 4_096


@dataclass(frozen=True, slots=True)
class _Errors:
    """What was made of a run's errors last, out of what."""

    policy: Policy
    alive: Starts
    counted: ErrorCounts
    found: Mapping[int, FirstErrors]


@dataclass(frozen=True, slots=True)
class _Limit:
    """What was made of a candidate's limit last, out of what."""

    alive: Starts
    since: SinceStarts
    found: LimitEvidence


class FastEvidence:
    """Reads the counts that every segment keeps up to date; what they left out makes a metric absent.

    What has not changed since the last look is the same object: whoever judged it need not judge it again.
    """

    def __init__(self, counts: Counts) -> None:
        self._counts, self._latencies = counts, FastLatencies(counts)
        self._errors, self._limits = Kept[Run, _Errors](), Kept[tuple[Run, str, str], _Limit]()

    def first_errors(self, experiment: Experiment, run: Run, now_us: int) -> Mapping[int, FirstErrors]:
        """Return each active candidate's units with a first error since each start, unless some were lost."""
        if ERRORS in self._counts.incomplete(run):
            return {}
        alive = _starts(experiment, now_us, every_s=starts.EVERY_S)
        counted, last, policy = (
            self._counts.errors(run, alive, now_us),
            self._errors.get(run),
            experiment.policy,
        )
        before: Mapping[int, FirstErrors] = {}
        if (
            last is not None
            and last.policy is policy
            and last.alive is alive
            and _is_as_before(counted, last)
        ):
            before = last.found
            if counted.recent == last.counted.recent and before.keys() == {*experiment.active_arms}:
                return before
        found = {
            arm: _with_requests(
                before[arm] if arm in before else _first_errors(policy, arm_name(arm), alive, counted),
                arm_name(arm),
                counted,
            )
            for arm in experiment.active_arms
        }
        return self._errors.keep(run, _Errors(policy, alive, counted, found)).found

    def limits(
        self, experiment: Experiment, run: Run, metric: Metric, now_us: int
    ) -> Mapping[int, LimitEvidence]:
        """Return each active candidate's unit-windows and unit totals since each start, without outages.

        During a watch they are those of everybody who got the winner, and none is as good as not measured.
        No unit has closed in it yet.
        """
        if WINDOWS in self._counts.incomplete(run):
            return {}
        threshold = self._threshold(run, metric)
        is_watching = experiment.phase is Phase.WATCHING
        arms = {
            number: Leaf.PROMOTED.value if is_watching else arm_name(number)
            for number in experiment.active_arms
        }
        alive = _starts(experiment, now_us, every_s=starts.WINDOWS_EVERY_S)
        found, outages = self._counts.since_starts(threshold, tuple(arms.values()), alive, now_us)
        outage_dominates = _outage_dominates(experiment, outages, now_us)
        return {
            number: self._kept_limit(
                (run, metric.name, arm), found[arm], alive, outage_dominates=outage_dominates
            )
            for number, arm in arms.items()
            if found[arm].has_ended_units or not is_watching
        }

    def _kept_limit(
        self, key: tuple[Run, str, str], since: SinceStarts, alive: Starts, *, outage_dominates: bool
    ) -> LimitEvidence:
        last = self._limits.get(key)
        if (
            last is not None
            and (last.since is since and last.alive is alive)
            and last.found.outage_dominates is outage_dominates
        ):
            return last.found
        made = _limit(since, alive, outage_dominates=outage_dominates)
        return self._limits.keep(key, _Limit(alive, since, made)).found

    def frozen_quantile(self, run: Run, metric: Metric) -> int | None:
        """Return the baseline's quantile in microseconds, once it is frozen."""
        return self._latencies.frozen(run, metric.name)

    def latencies(
        self, experiment: Experiment, run: Run, metric: Metric, now_us: int
    ) -> Mapping[int, LatencyEvidence]:
        """Return each active candidate beside the control; nothing until its quantile is frozen."""
        if WINDOWS in self._counts.incomplete(run):
            return {}
        alive = _starts(experiment, now_us, every_s=starts.WINDOWS_EVERY_S)
        return self._latencies.latencies(experiment, run, metric, alive, now_us)

    def _threshold(self, run: Run, metric: Metric) -> Threshold:
        """Return the run's frozen limit, registered when it is first asked for."""
        share = 1.0 - (metric.quantile or 0.0)
        return self._counts.register(run, metric.name, limit_us=metric.max_us or 0, share=share)


def _limit(found: SinceStarts, alive: Starts, *, outage_dominates: bool) -> LimitEvidence:
    parts = [min(nano / NANO, float(n)) for nano, n in zip(found.fraction_nano, found.windows, strict=True)]
    return LimitEvidence(
        start_index=alive.index,
        windows=np.array(found.windows, dtype=np.int64),
        window_fractions=np.array(parts, dtype=np.float64),
        totals=joint(found.sums),
        exceeding_units=np.array([one.nonzero for one in found.sums], dtype=np.int64),
        fractions=_NOBODY,
        outage_dominates=outage_dominates,
    )


def _first_errors(policy: Policy, arm: str, alive: Starts, counted: ErrorCounts) -> FirstErrors:
    """Return one candidate's units with a first error beside those that the baseline serves; no requests."""
    splits = len(policy.steps)
    shape = (len(alive.index), splits)
    candidate, comparison = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    # A split's number is how many steps are on: the first one is 1. Start 0 reaches back beyond the events
    # that are kept: the totals hold its recent ones too.
    for (owner, split), units in counted.since.items():
        if 1 <= split <= splits and (owner == arm or owner in BASELINE_SERVED):
            (candidate if owner == arm else comparison)[1:, split - 1] += units
    for (owner, split), first in counted.totals.items():
        if 1 <= split <= splits and (owner == arm or owner in BASELINE_SERVED):
            (candidate if owner == arm else comparison)[0, split - 1] += first
    return FirstErrors(alive.index, candidate, comparison, _shares(policy), 0, 0, 0, 0)


def _with_requests(found: FirstErrors, arm: str, counted: ErrorCounts) -> FirstErrors:
    """Return them beside a candidate's requests of the last minutes, and those that the baseline served."""
    requests, failed = counted.recent.get(arm, (0, 0))
    others = [counted.recent[other] for other in BASELINE_SERVED if other in counted.recent]
    return replace(
        found,
        candidate_requests=requests,
        candidate_errors=failed,
        comparison_requests=sum(one[0] for one in others),
        comparison_errors=sum(one[1] for one in others),
    )


def _is_as_before(counted: ErrorCounts, last: _Errors) -> bool:
    """Return whether no error has come since the last look."""
    return counted.since is last.counted.since and counted.totals is last.counted.totals


def _starts(experiment: Experiment, now_us: int, *, every_s: int) -> Starts:
    """Return the living starts; events carry their split, so a step ends none of them."""
    watched_us = experiment.watch_from_us if experiment.phase is Phase.WATCHING else None
    begin = min(experiment.started_us if watched_us is None else watched_us, now_us)
    every_us = every_s * _SECOND_US
    return _live_since(begin, (now_us - begin) // every_us, every_us)


@lru_cache(maxsize=_STARTS_KEPT)
def _live_since(begin_us: int, newest: int, every_us: int) -> Starts:
    """Return the starts that live while one of them is the newest: all that end, end when one begins."""
    return starts.live_starts(begin_us + newest * every_us, begin_us, every=every_us, life=_LIFE_US)


def _shares(policy: Policy) -> FloatArray:
    weights = np.array([step.weight_bp / WHOLE_BP for step in policy.steps])
    return events.share_among_baseline(weights, candidates=len(policy.candidates))


def _outage_dominates(experiment: Experiment, outages: frozenset[int], now_us: int) -> bool:
    """Return whether shared outages fill more than half of the last ten minutes, or of a shorter life."""
    if not outages:
        return False
    newest = now_us // WINDOW_US
    oldest = max(newest - _ALARM_WINDOWS, experiment.started_us // WINDOW_US)
    marks = [window * WINDOW_US // MINUTE_US in outages for window in range(oldest, newest)]
    return bool(slo.outage_dominates(np.array(marks, dtype=np.bool_)))
