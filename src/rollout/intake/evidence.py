"""What the records say of a run at one look: the fast counts now, and beside them the closed units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from rollout.controller.workers import Threads, Workers
from rollout.domain.evidence import (
    ArmEvidence,
    ErrorEvidence,
    Evidence,
    FirstErrors,
    LatencyEvidence,
    LimitEvidence,
)
from rollout.domain.experiment import Experiment, Phase
from rollout.domain.judge import Patience
from rollout.domain.metric import MetricType, Source
from rollout.domain.policy import Policy
from rollout.domain.records import Run
from rollout.errors import Problem, Retry
from rollout.intake.beside import Beside, Heard
from rollout.intake.closed import Closed, ClosedUnits, Marks, nobody
from rollout.intake.closed_parts import ClosedArm, ClosedParts
from rollout.intake.fast_evidence import FastEvidence
from rollout.intake.records import Records
from rollout.lake.accounts.books import Books
from rollout.lake.segments import Kind
from rollout.ports import Observed
from rollout.store.counts import Counts

_PROXY: Final = (Kind.EXPOSURES.value,)
_BOTH: Final = (Kind.EXPOSURES.value, Kind.OUTCOMES.value)
WINDOW_PARTS: Final = 20
AT_EACH_LOOK_US: Final = 1_000_000
SLOWEST_US: Final = 15_000_000
"""A quarter of what evidence may lag by default: asking more rarely would make it stale by itself."""
LATE_US: Final = 10_000_000
"""After so long without the lake's answer people are told; until its marks are stale the last one counts."""


class RecordedEvidence:
    """Answers the controller from the lake and the control database; it writes neither but for new limits.

    The counts are read at every look. The lake is asked beside them: its newest answer is used with its own
    marks, so that a slow lake makes evidence old, a broken one makes it stale, and neither hides harm.
    """

    def __init__(
        self,
        counts: Counts,
        books: Books,
        *,
        patience: Patience = Patience(),  # noqa: B008 (frozen)
        workers: Workers | None = None,
    ) -> None:
        self._counts, self._closed = counts, ClosedUnits(books, patience)
        self._fast, self._records = FastEvidence(counts), Records(counts, books.folder)
        self._parts = ClosedParts()
        self._beside = Beside[Closed](Threads() if workers is None else workers)

    def observe(self, experiment: Experiment, now_us: int) -> Observed:
        """Return everything known at this look; what no unit has closed for yet is absent."""
        policy, run = experiment.policy, Run(experiment.policy.name, experiment.revision)
        fast_us = self._counts.watermark(now_us, kinds=_PROXY, is_fast=True)
        first: Mapping[int, FirstErrors] = {}
        limits: dict[str, Mapping[int, LimitEvidence]] = {}
        slower: dict[str, Mapping[int, LatencyEvidence]] = {}
        for metric in policy.metrics:
            if metric.type is MetricType.ERROR_RATE and not first:
                first = self._fast.first_errors(experiment, run, now_us)
            elif metric.type is MetricType.LATENCY and metric.max_us is not None:
                limits[metric.name] = self._fast.limits(experiment, run, metric, now_us)
            elif metric.type is MetricType.LATENCY:
                slower[metric.name] = self._fast.latencies(experiment, run, metric, now_us)
        heard = self._heard(experiment, now_us)
        closed = heard.answer
        fast = _Fast(first, limits, slower)
        parts = self._parts.of(experiment.uid, policy, {} if closed is None else closed.sums)
        arms = tuple(_arm(policy, number, part, fast) for number, part in enumerate(parts, start=1))
        problems = _silence(heard)
        strata, over = (
            (nobody(policy.arms), None) if closed is None else (closed.enrolled, closed.enrolled_arms)
        )
        # A watch begins its windows anew: what was enrolled before says nothing about it.
        is_watching = experiment.phase is Phase.WATCHING
        evidence = Evidence(
            watermark_us=_mark(experiment, closed),
            fast_watermark_us=fast_us,
            first_enrolled_us=None if closed is None or is_watching else closed.first_us,
            enrolled=strata,
            units_in_step=strata[0] if closed is None else closed.units_in_step,
            arms=arms,
            enrolled_arms=over,
            quality=self._records.quality(experiment, run, closed, now_us),
        )
        return Observed(evidence, problems)

    def sum_up(self, experiments: Sequence[Experiment], horizon_us: int, now_us: int) -> bool:
        """Have experiments need no request before a horizon; false while not all before it is filed."""
        filed_us = self._counts.watermark(now_us, kinds=_PROXY, is_fast=False)
        if filed_us is None or filed_us < horizon_us:
            return False
        self._closed.sum_up([(one, self._frozen(one)) for one in experiments], horizon_us, now_us)
        return True

    def _frozen(self, experiment: Experiment) -> dict[str, int]:
        """Return the baseline's quantiles that are known of a run, by metric."""
        run = Run(experiment.policy.name, experiment.revision)
        latencies = [one for one in experiment.policy.metrics if one.type is MetricType.LATENCY]
        found = {metric.name: self._fast.frozen_quantile(run, metric) for metric in latencies}
        return {name: quantile_us for name, quantile_us in found.items() if quantile_us is not None}

    def finish(self, within_s: float) -> bool:
        """Wait for what the lake is still asked, and return whether it answered in time."""
        return self._beside.finish(within_s)

    def _heard(self, experiment: Experiment, now_us: int) -> Heard[Closed]:
        marks = Marks(
            proxy_us=self._counts.watermark(now_us, kinds=_PROXY, is_fast=False),
            joined_us=self._counts.watermark(now_us, kinds=_BOTH, is_fast=False),
        )
        # What the questions ask about; the answer to another step's says nothing about this one's units.
        stopped = tuple(sorted(experiment.stopped.items()))
        fits = (experiment.revision, experiment.step_entered_us, experiment.balanced_us, stopped)

        def ask() -> Closed:
            closed = self._closed.ask(experiment, marks, self._frozen(experiment), now_us)
            return replace(closed, gaps=self._records.gaps(experiment, now_us))

        return self._beside.newest(
            experiment.uid, fits, ask, now_us, every_us=slow_pace_us(experiment.policy)
        )


def slow_pace_us(policy: Policy) -> int:
    """Return how often closed units are asked for: a twentieth of the shortest window, if that is long."""
    windows = [metric.window_s for metric in policy.metrics if metric.source is not Source.PROMETHEUS]
    pace_us = int(min(windows, default=0.0) * 1e6 / WINDOW_PARTS)
    return min(pace_us, SLOWEST_US) if pace_us > AT_EACH_LOOK_US else 0


def _mark(experiment: Experiment, closed: Closed | None) -> int | None:
    """Return before which time everything is filed and was asked about."""
    if closed is None:
        return None
    return closed.marks.joined_us if _asks_for_outcomes(experiment) else closed.marks.proxy_us


def _silence(heard: Heard[Closed]) -> tuple[Exception, ...]:
    failure = () if heard.failure is None else (heard.failure,)
    if heard.open_us < LATE_US:
        return failure
    what = f"has not answered for more than {LATE_US // 1_000_000} s"
    return (*failure, Retry(Problem("the lake", what, "nothing moves up until it does; see its disk")))


@dataclass(frozen=True, slots=True)
class _Fast:
    """What the fast counts say of each candidate: of errors, of limits, beside the baseline's quantile."""

    first: Mapping[int, FirstErrors]
    limits: Mapping[str, Mapping[int, LimitEvidence]]
    slower: Mapping[str, Mapping[int, LatencyEvidence]]


def _arm(policy: Policy, number: int, closed: ClosedArm, fast: _Fast) -> ArmEvidence:
    """Return what is known of one candidate; harm is known at once, even before any unit has closed."""
    return ArmEvidence(
        binary=closed.binary,
        means=closed.means,
        errors={
            metric.name: ErrorEvidence(
                fast.first[number], closed.ratios[metric.name], closed.fractions[metric.name]
            )
            for metric in policy.metrics
            if metric.type is MetricType.ERROR_RATE and number in fast.first
        },
        limits={
            name: replace(own[number], fractions=closed.fractions[name], is_empty=name in closed.empty)
            for name, own in fast.limits.items()
            if number in own
        },
        latencies={
            name: replace(own[number], ratio=closed.ratios.get(name, own[number].ratio))
            for name, own in fast.slower.items()
            if number in own
        },
        fallbacks=closed.fallbacks,
    )


def _asks_for_outcomes(experiment: Experiment) -> bool:
    """Return whether anything is asked of outcomes: after a promotion only limits are, of the proxy."""
    if experiment.phase is Phase.WATCHING:
        return False
    return any(metric.source is Source.OUTCOMES for metric in experiment.policy.metrics)
