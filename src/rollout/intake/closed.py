"""The slow path of a look: what the lake says of units, each part for itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from rollout.controller.noting import Noting
from rollout.domain.assignment import arm_name, blocks
from rollout.domain.experiment import Experiment
from rollout.domain.judge import Patience
from rollout.domain.metric import Metric, MetricType
from rollout.domain.policy import Policy
from rollout.domain.question import fallback_window_s
from rollout.domain.records import Enrolment, RatioSums, Run, Stratum, Successes
from rollout.lake.query import Closing, Lake, Trouble
from rollout.stats.arrays import BoolArray, IntArray

_SECOND_US: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Marks:
    """Everything before these times is filed: of the proxies, and of proxies and outcomes."""

    proxy_us: int | None
    joined_us: int | None


@dataclass(frozen=True, slots=True)
class Closed:
    """What was filed before its marks; a part that could not be asked is empty, and among the problems."""

    marks: Marks
    first_us: int | None
    """When the first unit was enrolled."""
    enrolled: IntArray
    """Distinct units, [stratum, arm]."""
    enrolled_arms: BoolArray | None
    units_in_step: IntArray
    binary: Mapping[str, Mapping[Stratum, Successes]]
    ratios: Mapping[str, Mapping[Stratum, RatioSums]]
    fallbacks: Mapping[Stratum, RatioSums]
    problems: tuple[Exception, ...]


class ClosedUnits:
    """Asks the lake everything that one look needs of it; what no unit has closed for yet is empty."""

    def __init__(self, lake: Lake, patience: Patience) -> None:
        self._lake, self._patience = lake, patience

    def ask(self, experiment: Experiment, run: Run, marks: Marks) -> Closed:
        """Return all that is known of a run's units; what fails leaves the other parts as they are."""
        problems: list[Exception] = []
        first_us, (strata, arms), in_step = None, nobody(experiment.policy), _none(experiment.policy)
        with Noting(problems):
            everyone = self._lake.enrolment(run, since_us=experiment.started_us)
            first_us = everyone.first_us
            strata, arms = self._strata(experiment, run, everyone)
        with Noting(problems):
            in_step = self._units_in_step(experiment, run)
        began_us = experiment.started_us if first_us is None else first_us
        binary, ratios, fallbacks = {}, {}, dict[Stratum, RatioSums]()
        for metric in experiment.policy.metrics:
            counted = _counted(metric)
            with Noting(problems):
                if metric.type is MetricType.BINARY:
                    closing = self._closing(experiment, metric.window_s, began_us, marks.joined_us)
                    if closing is not None:
                        binary[metric.name] = self._lake.binary(run, metric.name, closing)
                elif counted is not None:
                    closing = self._closing(experiment, metric.window_s, began_us, marks.proxy_us)
                    if closing is not None:
                        ratios[metric.name] = self._lake.ratio(run, counted, closing)
        with Noting(problems):
            window_s = fallback_window_s(experiment.policy)
            closing = self._closing(experiment, window_s, began_us, marks.proxy_us)
            if closing is not None:
                fallbacks = self._lake.ratio(run, Trouble.FALLBACK, closing)
        return Closed(
            marks, first_us, strata, arms, in_step, binary, ratios, fallbacks, problems=tuple(problems)
        )

    def _closing(
        self, experiment: Experiment, window_s: float, began_us: int, watermark_us: int | None
    ) -> Closing | None:
        """Return which units are closed, or None while none can be."""
        window_us, grace_us = int(window_s * _SECOND_US), self._patience.grace_for(window_s)
        if watermark_us is None or watermark_us < began_us + window_us + grace_us:
            return None
        return Closing(window_us, grace_us, watermark_us, since_us=experiment.started_us)

    def _strata(
        self, experiment: Experiment, run: Run, everyone: Enrolment
    ) -> tuple[IntArray, BoolArray | None]:
        """Return the units that say something about the split, [stratum, arm], and which arms each is over.

        They count from a person's clearing of a mismatch on; a candidate that stops opens new strata.
        """
        policy, cleared_us = experiment.policy, experiment.balanced_us
        stopped = {arm: max(at_us, cleared_us or 0) for arm, at_us in experiment.stopped.items()}
        stops = sorted(set(stopped.values()))
        found = [
            everyone
            if begin_us is None
            else self._lake.enrolment(run, since_us=experiment.started_us, enrolled_from_us=begin_us)
            for begin_us in (cleared_us, *stops)
        ]
        since = [_table(policy, one) for one in found]
        if not stops:
            return since[0], None
        spans = [*(now - later for now, later in pairwise(since)), since[-1]]
        over = [
            [stopped.get(arm, begin_us + 1) > begin_us for arm in range(policy.arms)] for begin_us in stops
        ]
        arms = np.array([[True] * policy.arms, *over], dtype=np.bool_)
        return np.concatenate(spans), np.repeat(arms, len(numbers(policy)), axis=0)

    def _units_in_step(self, experiment: Experiment, run: Run) -> IntArray:
        """Return the distinct units of every arm that were first seen since the step began."""
        entered_us = experiment.step_entered_us
        found = self._lake.enrolment(run, since_us=experiment.started_us, enrolled_from_us=entered_us)
        return np.asarray(_table(experiment.policy, found).sum(axis=0), dtype=np.int64)


def nobody(policy: Policy) -> tuple[IntArray, BoolArray | None]:
    """Return the strata of a look at which nobody is known."""
    return np.zeros((1, policy.arms), dtype=np.int64), None


def numbers(policy: Policy) -> list[int]:
    """Return the numbers of a policy's blocks, in their order."""
    return sorted({block.number for block in blocks(policy)})


def _none(policy: Policy) -> IntArray:
    return np.zeros(policy.arms, dtype=np.int64)


def _counted(metric: Metric) -> Trouble | int | None:
    """Return what is counted against requests for a metric of the proxy, if it is one that is measured."""
    match metric.type:
        case MetricType.ERROR_RATE:
            return Trouble.ERROR
        case MetricType.LATENCY:
            return metric.max_us
        case _:
            return None


def _table(policy: Policy, found: Enrolment) -> IntArray:
    """Return distinct units [block, arm]."""
    arms = [arm_name(index) for index in range(policy.arms)]
    return np.array(
        [[found.units.get((arm, number), 0) for arm in arms] for number in numbers(policy)], dtype=np.int64
    )
