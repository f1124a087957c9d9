"""The fast path of a look: first errors and unit-windows since each start, from the control database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from rollout.domain.assignment import Leaf, arm_name
from rollout.domain.evidence import FirstErrors, LimitEvidence
from rollout.domain.experiment import Experiment, Phase
from rollout.domain.metric import Metric
from rollout.domain.policy import WHOLE_BP, Policy
from rollout.domain.records import BASELINE_SERVED, MINUTE_US, NANO, WINDOW_US, Run, Tally, Threshold
from rollout.intake.sums import fractions, joint
from rollout.stats import events, slo, starts
from rollout.stats.arrays import FloatArray, IntArray
from rollout.stats.starts import Starts
from rollout.store import error_counts as store
from rollout.store.counts import Counts
from rollout.store.sql import ERRORS, WINDOWS
from rollout.store.window_counts import ArmWindows, Folded

_SECOND_US: Final = 1_000_000
_LIFE_US: Final = starts.LIFE_S * _SECOND_US
_ALARM_WINDOWS: Final = 60
"""Ten minutes of unit-windows, over which a shared outage may dominate."""


class FastEvidence:
    """Reads the counts that every segment keeps up to date; what they left out makes a metric absent."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._limits: dict[tuple[Run, str], Threshold] = {}

    def first_errors(self, experiment: Experiment, run: Run, now_us: int) -> Mapping[int, FirstErrors]:
        """Return each active candidate's units with a first error since each start, unless some were lost."""
        if ERRORS in self._counts.incomplete(run):
            return {}
        found = self._counts.first_errors(run, since_us=now_us - _LIFE_US)
        totals = self._counts.error_totals(run)
        recent = self._counts.tallies(run, since_minute=now_us // MINUTE_US - 1)
        alive = _starts(experiment, now_us, every_s=starts.EVERY_S)
        counted = _Counted(found, totals, recent)
        return {
            arm: _first_errors(experiment.policy, arm_name(arm), alive, counted)
            for arm in experiment.active_arms
        }

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
        live, before = self._counts.arm_windows(threshold)
        minutes = _outage_minutes(live, threshold)
        is_watching = experiment.phase is Phase.WATCHING
        outage_dominates = _outage_dominates(experiment, minutes, now_us)
        limits = {}
        for number in experiment.active_arms:
            arm = Leaf.PROMOTED.value if is_watching else arm_name(number)
            own, folded = _finished(live.get(arm), now_us), before.get(arm, Folded())
            if is_watching and not own.units.any() and not folded.units:
                continue
            alive = _starts(experiment, now_us, every_s=starts.WINDOWS_EVERY_S)
            windows, parts = _since(own, folded, alive, minutes)
            sums = [
                self._counts.unit_sums(
                    threshold,
                    arm,
                    since_us=None if index == 0 else int(begin),
                    outage_minutes=sorted(minutes),
                )
                for index, begin in zip(alive.index, alive.begin, strict=True)
            ]
            limits[number] = LimitEvidence(
                start_index=alive.index,
                windows=windows,
                window_fractions=parts,
                totals=joint(sums),
                exceeding_units=np.array([one.nonzero for one in sums], dtype=np.int64),
                fractions=fractions({}, arm),
                outage_dominates=outage_dominates,
            )
        return limits

    def _threshold(self, run: Run, metric: Metric) -> Threshold:
        """Return the run's frozen limit, registered when it is first asked for."""
        known = self._limits.get((run, metric.name))
        if known is None:
            share = 1.0 - (metric.quantile or 0.0)
            known = self._counts.register(run, metric.name, limit_us=metric.max_us or 0, share=share)
            self._limits[run, metric.name] = known
        return known


@dataclass(frozen=True, slots=True)
class _Counted:
    """What the database counts of every arm: the last hour's errors, first errors ever, recent minutes."""

    events: store.FirstErrors
    totals: Mapping[tuple[str, int], int]
    recent: Sequence[Tally]


def _first_errors(policy: Policy, arm: str, alive: Starts, counted: _Counted) -> FirstErrors:
    """Return one candidate's units with a first error beside those that the baseline serves."""
    splits, found = len(policy.steps), counted.events
    arms = np.array(found.arm, dtype=np.str_)
    compared = (arms == arm) | np.isin(arms, BASELINE_SERVED)
    # A split's number is how many steps are on: the first one is 1.
    known = compared & (found.split >= 1) & (found.split <= splits)
    candidate, comparison = starts.first_event_counts(
        found.ts_us[known],
        found.previous_us[known],
        is_candidate=arms[known] == arm,
        split=found.split[known] - 1,
        begin=alive.begin,
        splits=splits,
    )
    # Start 0 reaches back beyond the events that are kept: the totals hold its recent ones too.
    candidate[0], comparison[0] = 0, 0
    for (owner, split), units in counted.totals.items():
        if 1 <= split <= splits and (owner == arm or owner in BASELINE_SERVED):
            table = candidate if owner == arm else comparison
            table[0, split - 1] += units
    own = [tally for tally in counted.recent if tally.arm == arm]
    other = [tally for tally in counted.recent if tally.arm in BASELINE_SERVED]
    return FirstErrors(
        start_index=alive.index,
        candidate=candidate.astype(np.int64),
        comparison=comparison.astype(np.int64),
        share=_shares(policy),
        candidate_requests=sum(tally.requests for tally in own),
        candidate_errors=sum(tally.errors for tally in own),
        comparison_requests=sum(tally.requests for tally in other),
        comparison_errors=sum(tally.errors for tally in other),
    )


def _starts(experiment: Experiment, now_us: int, *, every_s: int) -> Starts:
    """Return the living starts; events carry their split, so a step ends none of them."""
    watched_us = experiment.watch_from_us if experiment.phase is Phase.WATCHING else None
    begin = min(experiment.started_us if watched_us is None else watched_us, now_us)
    return starts.live_starts(now_us, begin, every=every_s * _SECOND_US, life=_LIFE_US)


def _shares(policy: Policy) -> FloatArray:
    weights = np.array([step.weight_bp / WHOLE_BP for step in policy.steps])
    return events.share_among_baseline(weights, candidates=len(policy.candidates))


def _finished(own: ArmWindows | None, now_us: int) -> ArmWindows:
    """Return the windows that have ended; a running one would be judged on its first seconds."""
    if own is None:
        nothing = np.zeros(0, dtype=np.int64)
        return ArmWindows(nothing, nothing, nothing, nothing, nothing)
    ended = (own.window + 1) * WINDOW_US <= now_us
    return ArmWindows(
        *(part[ended] for part in (own.window, own.units, own.fraction_nano, own.requests, own.exceedances))
    )


def _since(
    own: ArmWindows, before: Folded, alive: Starts, outages: frozenset[int]
) -> tuple[IntArray, FloatArray]:
    """Return unit-windows and the sum of their fractions since each start, without shared outages."""
    minute = own.window * WINDOW_US // MINUTE_US
    counted = ~np.isin(minute, sorted(outages))
    begins = own.window * WINDOW_US
    units, parts = [], []
    for index, begin in zip(alive.index, alive.begin, strict=True):
        chosen = counted & ((begins >= begin) | (index == 0))
        units.append(int(own.units[chosen].sum()) + (before.units if index == 0 else 0))
        nano = int(own.fraction_nano[chosen].sum()) + (before.fraction_nano if index == 0 else 0)
        parts.append(min(nano / NANO, float(units[-1])))
    return np.array(units, dtype=np.int64), np.array(parts, dtype=np.float64)


def _outage_minutes(live: dict[str, ArmWindows], threshold: Threshold) -> frozenset[int]:
    """Return the minutes in which baseline-served traffic itself breaks the limit."""
    totals: dict[int, list[int]] = {}
    for arm in BASELINE_SERVED:
        if (found := live.get(arm)) is None:
            continue
        for window, requests, exceedances in zip(
            found.window, found.requests, found.exceedances, strict=True
        ):
            total = totals.setdefault(int(window) * WINDOW_US // MINUTE_US, [0, 0])
            total[0] += int(requests)
            total[1] += int(exceedances)
    if not totals:
        return frozenset()
    requests_, exceedances_ = zip(*totals.values(), strict=True)
    marked = slo.is_environment(requests_, exceedances_, limit=threshold.share)
    return frozenset(minute for minute, is_outage in zip(totals, marked, strict=True) if is_outage)


def _outage_dominates(experiment: Experiment, outages: frozenset[int], now_us: int) -> bool:
    """Return whether shared outages fill more than half of the last ten minutes, or of a shorter life."""
    newest = now_us // WINDOW_US
    oldest = max(newest - _ALARM_WINDOWS, experiment.started_us // WINDOW_US)
    marks = [window * WINDOW_US // MINUTE_US in outages for window in range(oldest, newest)]
    return bool(slo.outage_dominates(np.array(marks, dtype=np.bool_)))
