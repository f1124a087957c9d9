"""What the records say of a run at one look: the lake's closed units beside the fast counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from rollout.domain.assignment import CONTROL, arm_name, blocks
from rollout.domain.evidence import (
    ArmEvidence,
    BinaryEvidence,
    ClosedFractions,
    ClosedRatio,
    ErrorEvidence,
    Evidence,
)
from rollout.domain.experiment import Experiment, Phase
from rollout.domain.judge import Patience
from rollout.domain.metric import Metric, MetricType, Source
from rollout.domain.policy import Policy
from rollout.domain.question import fallback_window_s
from rollout.domain.records import Enrolment, RatioSums, Run, Stratum, Successes
from rollout.intake.fast_evidence import FastEvidence
from rollout.intake.sums import CANDIDATE, added, fractions, joint
from rollout.lake.query import Closing, Kind, Lake, Trouble
from rollout.stats.arrays import IntArray
from rollout.store.counts import Counts

_SECOND_US: Final = 1_000_000
_PROXY: Final = (Kind.EXPOSURES.value,)
_BOTH: Final = (Kind.EXPOSURES.value, Kind.OUTCOMES.value)


@dataclass(frozen=True, slots=True)
class _Marks:
    """Everything before these times is filed: of the proxies, and of proxies and outcomes."""

    began_us: int
    """When the first unit was enrolled, or the experiment started: no window began before."""
    proxy_us: int | None
    joined_us: int | None
    fast_us: int | None


class RecordedEvidence:
    """Answers the controller from the lake and the control database; it writes neither but for new limits."""

    def __init__(self, counts: Counts, lake: Lake, *, patience: Patience = Patience()) -> None:  # noqa: B008
        self._counts, self._lake, self._patience = counts, lake, patience
        self._fast = FastEvidence(counts)

    def observe(self, experiment: Experiment, now_us: int) -> Evidence:
        """Return everything known at this look; what no unit has closed for yet is absent."""
        policy, run = experiment.policy, Run(experiment.policy.name, experiment.revision)
        enrolled = self._lake.enrolment(run, since_us=experiment.started_us)
        marks = self._marks(run, experiment, enrolled, now_us)
        binary, errors, limits = {}, {}, {}
        for metric in policy.metrics:
            match metric.type:
                case MetricType.BINARY:
                    closing = self._closing(experiment, metric.window_s, marks, marks.joined_us)
                    found = None if closing is None else self._lake.binary(run, metric.name, closing)
                    if found:
                        binary[metric.name] = _binary(policy, found)
                case MetricType.ERROR_RATE:
                    sums = self._ratio(experiment, run, metric, Trouble.ERROR, marks)
                    first = self._fast.first_errors(experiment, run, now_us)
                    if _is_there(sums) and first is not None:
                        closed = sums or {}
                        errors[metric.name] = ErrorEvidence(first, _ratio(policy, closed), fractions(closed))
                case MetricType.LATENCY if metric.max_us is not None:
                    counted = metric.max_us or 0
                    sums = self._ratio(experiment, run, metric, counted, marks)
                    limit = self._fast.limit(experiment, run, metric, now_us, fractions(sums or {}))
                    if _is_there(sums) and limit is not None:
                        limits[metric.name] = limit
                case _:
                    # Nothing measures it yet: it is missing, and that holds.
                    continue
        own = ArmEvidence(
            binary=binary, errors=errors, limits=limits, fallbacks=self._fallbacks(experiment, run, marks)
        )
        return Evidence(
            watermark_us=marks.joined_us if _asks_for_outcomes(experiment) else marks.proxy_us,
            fast_watermark_us=marks.fast_us,
            # A watch begins its windows anew: what was enrolled before says nothing about it.
            first_enrolled_us=None if experiment.phase is Phase.WATCHING else enrolled.first_us,
            enrolled=_enrolled(policy, self._since_cleared(experiment, run, enrolled)),
            units_in_step=self._units_in_step(experiment, run),
            arms=(own, *(ArmEvidence() for _ in policy.candidates[1:])),
        )

    def _marks(self, run: Run, experiment: Experiment, enrolled: Enrolment, now_us: int) -> _Marks:
        # Of what a node lost nothing will ever be filed: no unit closes, and only harm is still seen.
        is_whole = self._counts.rows_lost(run, since_us=experiment.started_us) is None
        return _Marks(
            began_us=experiment.started_us if enrolled.first_us is None else enrolled.first_us,
            proxy_us=self._counts.watermark(now_us, kinds=_PROXY, is_fast=False) if is_whole else None,
            joined_us=self._counts.watermark(now_us, kinds=_BOTH, is_fast=False) if is_whole else None,
            fast_us=self._counts.watermark(now_us, kinds=_PROXY, is_fast=True),
        )

    def _closing(
        self, experiment: Experiment, window_s: float, marks: _Marks, watermark_us: int | None
    ) -> Closing | None:
        """Return which units are closed, or None while none can be."""
        window_us, grace_us = int(window_s * _SECOND_US), self._patience.grace_for(window_s)
        if watermark_us is None or watermark_us < marks.began_us + window_us + grace_us:
            return None
        return Closing(window_us, grace_us, watermark_us, since_us=experiment.started_us)

    def _ratio(
        self, experiment: Experiment, run: Run, metric: Metric, counted: Trouble | int, marks: _Marks
    ) -> dict[Stratum, RatioSums] | None:
        closing = self._closing(experiment, metric.window_s, marks, marks.proxy_us)
        return None if closing is None else self._lake.ratio(run, counted, closing)

    def _fallbacks(self, experiment: Experiment, run: Run, marks: _Marks) -> ClosedFractions | None:
        closing = self._closing(experiment, fallback_window_s(experiment.policy), marks, marks.proxy_us)
        sums = None if closing is None else self._lake.ratio(run, Trouble.FALLBACK, closing)
        return fractions(sums) if sums else None

    def _since_cleared(self, experiment: Experiment, run: Run, enrolled: Enrolment) -> Enrolment:
        """Return the units that say something about the split: those since a person cleared a mismatch."""
        if experiment.balanced_us is None:
            return enrolled
        return self._lake.enrolment(
            run, since_us=experiment.started_us, enrolled_from_us=experiment.balanced_us
        )

    def _units_in_step(self, experiment: Experiment, run: Run) -> IntArray:
        """Return the distinct units of every arm that were first seen since the step began."""
        found = self._lake.enrolment(
            run, since_us=experiment.started_us, enrolled_from_us=experiment.step_entered_us
        )
        arms = range(experiment.policy.arms)
        return np.array([_units(found, arm_name(arm)) for arm in arms], dtype=np.int64)


def _is_there(sums: dict[Stratum, RatioSums] | None) -> bool:
    """Return whether proxy evidence can be judged: harm at once, even before any unit has closed.

    Once units should have closed and none has, it is missing.
    """
    return sums is None or bool(sums)


def _asks_for_outcomes(experiment: Experiment) -> bool:
    """Return whether anything is asked of outcomes: after a promotion only limits are, of the proxy."""
    if experiment.phase is Phase.WATCHING:
        return False
    return any(metric.source is Source.OUTCOMES for metric in experiment.policy.metrics)


def _units(found: Enrolment, arm: str) -> int:
    return sum(count for (owner, _), count in found.units.items() if owner == arm)


def _numbers(policy: Policy) -> list[int]:
    return sorted({block.number for block in blocks(policy)})


def _enrolled(policy: Policy, found: Enrolment) -> IntArray:
    """Return distinct units [block, arm]."""
    arms = [arm_name(index) for index in range(policy.arms)]
    return np.array(
        [[found.units.get((arm, number), 0) for arm in arms] for number in _numbers(policy)], dtype=np.int64
    )


def _binary(policy: Policy, found: Mapping[Stratum, Successes]) -> BinaryEvidence:
    """Return closed units and successes [day, block] of control and candidate."""
    days, numbers = sorted({stratum.day for stratum in found}), _numbers(policy)
    none = Successes(0, 0)

    def table(arm: str) -> tuple[IntArray, IntArray]:
        cells = [[found.get(Stratum(arm, number, day), none) for number in numbers] for day in days]
        units = np.array([[cell.units for cell in row] for row in cells], dtype=np.int64)
        return units, np.array([[cell.successes for cell in row] for row in cells], dtype=np.int64)

    return BinaryEvidence(*table(CONTROL), *table(CANDIDATE))


def _ratio(policy: Policy, found: Mapping[Stratum, RatioSums]) -> ClosedRatio:
    numbers = _numbers(policy)

    return ClosedRatio(
        joint([added(found, CONTROL, number) for number in numbers]),
        joint([added(found, CANDIDATE, number) for number in numbers]),
        added(found, CONTROL, None).nonzero,
        added(found, CANDIDATE, None).nonzero,
    )
