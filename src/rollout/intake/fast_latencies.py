"""Latencies beside the baseline's own: a quantile frozen once, and what each side exceeds since then (d)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from rollout.domain.assignment import CONTROL, arm_name, blocks
from rollout.domain.evidence import ClosedRatio, LatencyEvidence
from rollout.domain.experiment import Experiment
from rollout.domain.metric import Metric
from rollout.domain.policy import Policy
from rollout.domain.records import BASELINE_SERVED, Run, Side, Threshold
from rollout.intake.sums import joint
from rollout.stats import quantiles
from rollout.stats.arrays import IntArray
from rollout.stats.moments import JointMoments
from rollout.stats.starts import Starts
from rollout.store.counts import Counts
from rollout.store.live_limits import SinceStarts

WARM_UP: Final = 2_000
"""Baseline requests from which a quantile is taken that the policy does not expect."""


@dataclass(frozen=True, slots=True)
class _Arm:
    """One arm since each start, over its blocks."""

    minutes: IntArray
    totals: JointMoments
    exceeding: IntArray


class FastLatencies:
    """Freezes a run's quantile, and reads what the counts have held against it since."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts

    def frozen(self, run: Run, metric: str) -> int | None:
        """Return the baseline's quantile in microseconds, once it is frozen: it stands in the database."""
        known = self._counts.threshold(run, metric, Side.CONTROL)
        return None if known is None else known.limit_us

    def latencies(
        self, experiment: Experiment, run: Run, metric: Metric, alive: Starts, now_us: int
    ) -> Mapping[int, LatencyEvidence]:
        """Return the active candidates beside the control; nothing until the quantile is frozen.

        What is counted begins with the next segment, for both sides alike. No unit has closed in it yet.
        """
        policy, active = experiment.policy, experiment.active_arms
        control = self._side(policy, run, metric, Side.CONTROL)
        candidates = self._side(policy, run, metric, Side.CANDIDATES)
        if control is None or candidates is None:
            return {}
        places = {arm: _places(policy, arm) for arm in (CONTROL, *map(arm_name, active))}
        own, _ = self._counts.since_starts(control, places.pop(CONTROL), alive, now_us)
        others = tuple(place for found in places.values() for place in found)
        found, _ = self._counts.since_starts(candidates, others, alive, now_us)
        base = _arm(own, tuple(own))
        arms = {number: _arm(found, places[arm_name(number)]) for number in active}
        nobody = JointMoments.from_sums(
            np.zeros(len(own), np.int64),
            np.zeros((len(own), 2), np.int64),
            np.zeros((len(own), 2, 2), np.int64),
        )
        return {
            number: LatencyEvidence(
                start_index=alive.index,
                candidate_minutes=one.minutes,
                control_minutes=base.minutes,
                candidate=one.totals,
                control=base.totals,
                candidate_exceeding=one.exceeding,
                control_exceeding=base.exceeding,
                ratio=ClosedRatio(nobody, nobody, 0, 0),
            )
            for number, one in arms.items()
        }

    def _side(self, policy: Policy, run: Run, metric: Metric, side: Side) -> Threshold | None:
        """Return one side's limit, frozen now if it can be."""
        known = self._counts.threshold(run, metric.name, side)
        if known is None and (quantile_us := self._quantile_us(policy, run, metric)) is not None:
            longer_us = round(quantile_us * (1.0 + (metric.margin or 0.0)))
            limits = {Side.CONTROL: quantile_us, Side.CANDIDATES: longer_us}
            self._counts.register_sides(run, metric.name, limits, share=1.0 - (metric.quantile or 0.0))
            known = self._counts.threshold(run, metric.name, side)
        return known

    def _quantile_us(self, policy: Policy, run: Run, metric: Metric) -> int | None:
        """Return the baseline's quantile: what the policy expects, or that of enough answers."""
        expected = (policy.expect.levels or {}).get(metric.name)
        if expected is not None:
            return round(expected.mean)
        counts = np.zeros(quantiles.BUCKETS, dtype=np.int64)
        for bucket, answers in self._counts.durations(run, BASELINE_SERVED).items():
            counts[bucket] = answers
        if counts.sum() < WARM_UP:
            return None
        return max(round(float(quantiles.quantile(counts, metric.quantile or 0.5).value_us)), 1)


def _places(policy: Policy, arm: str) -> tuple[str, ...]:
    return tuple(f"{arm}/{number}" for number in sorted({block.number for block in blocks(policy)}))


def _arm(found: Mapping[str, SinceStarts], places: Sequence[str]) -> _Arm:
    own = [found[place] for place in places]
    starts = len(own[0].sums)
    sums = [one.sums[start] for start in range(starts) for one in own]
    return _Arm(
        np.sum([one.slow_minutes for one in own], axis=0, dtype=np.int64),
        joint(sums, (starts, len(own))),
        np.array([sum(one.sums[start].nonzero for one in own) for start in range(starts)], dtype=np.int64),
    )
