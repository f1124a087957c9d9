"""Evidence about many replicates of one experiment at once, by chance, and any one of them alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Final

import numpy as np

from rollout.domain.evidence import (
    ArmEvidence,
    BinaryEvidence,
    ClosedFractions,
    ClosedRatio,
    ErrorEvidence,
    Evidence,
    FirstErrors,
    LatencyEvidence,
    LimitEvidence,
    MeanEvidence,
    MirrorEvidence,
    PollEvidence,
)
from rollout.domain.experiment import Experiment, Phase
from rollout.domain.metric import Direction, Metric, MetricType, Role, Source
from rollout.domain.policy import Policy, Version
from rollout.domain.verdict import latch_name
from rollout.stats.arrays import IntArray
from rollout.stats.moments import JointMoments
from tests.domain.examples import HOUR_S, POLICY
from tests.domain.scenes import EXPERIMENT, HOUR_US, NOW_US, SECOND_US

BLOCKS: Final = 3
UNITS: Final = 2_000


def metric(name: str, role: Role, kind: MetricType, **changes: Any) -> Metric:  # noqa: ANN401 (fields of a metric)
    """Return a metric with only what differs from the plainest one."""
    source = (
        Source.PROMETHEUS
        if kind is MetricType.THRESHOLD
        else Source.PROXY
        if kind in {MetricType.ERROR_RATE, MetricType.LATENCY}
        else Source.OUTCOMES
    )
    return replace(Metric(name, role, source, kind, Direction.INCREASE, 24 * HOUR_S), **changes)


ERRORS, P99 = POLICY.metrics[1], POLICY.metrics[2]
CONVERTED: Final = POLICY.metrics[0]
REVENUE: Final = metric(
    "revenue", Role.GUARDRAIL, MetricType.MEAN, margin=0.05, pre_window_s=14 * 24 * HOUR_S
)
CTR: Final = metric("ctr", Role.OBSERVE, MetricType.RATIO, numerator="clicks", denominator="views")
VISITS: Final = metric("visits", Role.GUARDRAIL, MetricType.COUNT)
P95: Final = metric(
    "p95",
    Role.GUARDRAIL,
    MetricType.LATENCY,
    quantile=0.95,
    margin=0.1,
    direction=Direction.DECREASE,
    window_s=600.0,
)
GPU: Final = metric(
    "gpu",
    Role.SLO,
    MetricType.THRESHOLD,
    query="gpu",
    maximum=0.9,
    interval_s=30.0,
    failure_limit=3,
    window_s=90.0,
)
EVERYTHING: Final = replace(
    POLICY,
    candidates=(*POLICY.candidates, Version("3.0.0", "http://127.0.0.1:8003")),
    metrics=(CONVERTED, REVENUE, ERRORS, P95, P99, GPU, CTR, VISITS),
)


@dataclass(frozen=True)
class Draws:
    """Draws evidence for so many replicates, every array with them as its first axis."""

    chance: np.random.Generator
    replicates: int
    days: int = 3
    blocks: int = BLOCKS
    starts: int = 7
    steps: int = 3
    scale: float = 1.0
    """How much of everything there is; 0 is nothing of it."""

    def counts(self, *shape: int, most: int = UNITS) -> IntArray:
        return self.chance.integers(0, int(self.scale * most), (self.replicates, *shape), endpoint=True)

    def part(self, of: IntArray, rate: float) -> IntArray:
        return self.chance.binomial(of, rate).astype(np.int64)

    def moments(self, units: IntArray, *means: float) -> JointMoments:
        """Return plausible joint moments of correlated columns."""
        columns = len(means)
        mixing = np.eye(columns) + 0.3 * np.tri(columns, k=-1)
        spread = np.sqrt(np.array(means)) * mixing
        shape = (*units.shape, columns)
        mean = np.array(means) * (1.0 + 0.01 * self.chance.standard_normal(shape))
        scatter = (spread @ spread.T) * units[..., None, None]
        present = (units > 0)[..., None]
        return JointMoments(units.astype(np.float64), np.where(present, mean, 0.0), scatter)

    def fractions(self, rate: float) -> ClosedFractions:
        units = self.counts(most=20_000)
        return ClosedFractions(
            units, self.part(units, rate).astype(np.float64), self.moments(units, rate * 5, 5.0)
        )

    def ratio(self, control: float, candidate: float) -> ClosedRatio:
        units, others = self.counts(self.blocks), self.counts(self.blocks)
        return ClosedRatio(
            control=self.moments(units, control * 5, 5.0),
            candidate=self.moments(others, candidate * 5, 5.0),
            control_nonzero=self.part(units.sum(axis=-1), 0.1),
            candidate_nonzero=self.part(others.sum(axis=-1), 0.1),
        )

    def binary(self, control: float, candidate: float) -> BinaryEvidence:
        units = [self.counts(self.days, self.blocks) for _ in range(2)]
        return BinaryEvidence(
            units[0], self.part(units[0], control), units[1], self.part(units[1], candidate)
        )

    def values(self, control: Sequence[float], candidate: Sequence[float]) -> MeanEvidence:
        units, others = self.counts(self.days, self.blocks), self.counts(self.days, self.blocks)
        return MeanEvidence(
            control=self.moments(units, *control),
            candidate=self.moments(others, *candidate),
            control_nonzero=self.part(units.sum(axis=-1), 0.5),
            candidate_nonzero=self.part(others.sum(axis=-1), 0.5),
        )

    def errors(self, rate: float) -> ErrorEvidence:
        requests = [self.counts(most=5_000) for _ in range(2)]
        first = FirstErrors(
            start_index=np.arange(self.starts),
            candidate=self.counts(self.starts, self.steps, most=12),
            comparison=self.counts(self.starts, self.steps, most=40),
            share=np.array([0.01, 0.1, 0.3])[: self.steps],
            candidate_requests=requests[0],
            candidate_errors=self.part(requests[0], 2 * rate),
            comparison_requests=requests[1],
            comparison_errors=self.part(requests[1], rate),
        )
        return ErrorEvidence(first, self.ratio(rate, rate), self.fractions(rate))

    def limit(self, rate: float) -> LimitEvidence:
        windows = self.counts(self.starts, most=3_000)
        return LimitEvidence(
            start_index=np.arange(self.starts),
            windows=windows,
            window_fractions=self.part(windows, rate).astype(np.float64),
            totals=self.moments(self.counts(self.starts), rate * 5, 5.0),
            exceeding_units=self.counts(self.starts, most=60),
            fractions=self.fractions(rate),
            outage_dominates=self.chance.random(self.replicates) < 0.1,
        )

    def latency(self, rate: float, turn: float) -> LatencyEvidence:
        units = [self.counts(self.starts, self.blocks) for _ in range(2)]
        return LatencyEvidence(
            start_index=np.arange(self.starts),
            candidate_minutes=self.counts(self.starts, most=80),
            control_minutes=self.counts(self.starts, most=40),
            candidate=self.moments(units[0], rate * 8, 5.0),
            control=self.moments(units[1], rate * 5, 5.0),
            candidate_exceeding=self.part(units[0].sum(axis=-1), 0.1),
            control_exceeding=self.part(units[1].sum(axis=-1), 0.1),
            ratio=self.ratio(rate, rate * turn),
        )

    def turn(self) -> float:
        """Return by how much a candidate is worse, the same, or better."""
        return float(self.chance.choice([0.6, 1.0, 1.6]))

    def polls(self) -> PollEvidence:
        return PollEvidence(
            self.chance.integers(-1, 2, (self.replicates, 6)), self.chance.random(self.replicates)
        )

    def arm(self) -> ArmEvidence:
        """Return something about every metric of `EVERYTHING`."""
        return ArmEvidence(
            binary={"converted": self.binary(0.12, 0.13 * self.turn())},
            means={
                "revenue": self.values((3.0, 3.0), (3.1 * self.turn(), 3.0)),
                "ctr": self.values((2.0, 20.0), (2.1 * self.turn(), 20.0)),
                "visits": self.values((4.0,), (4.0 * self.turn(),)),
            },
            errors={"errors": self.errors(0.001 * self.turn())},
            limits={"p99": self.limit(0.01 * self.turn())},
            latencies={"p95": self.latency(0.05, self.turn())},
            polls={"gpu": self.polls()},
            fallbacks=self.fractions(0.005),
            mirrored=MirrorEvidence(
                copies=(sent := self.counts(most=500)), failures=self.part(sent, 0.2 * self.turn())
            ),
        )

    def look(self, policy: Policy) -> Evidence:
        """Return a whole look; now and then a replicate's evidence is late, or its split broken."""
        units = self.counts(self.blocks, policy.arms, most=300) + 5_000
        units[self.chance.random(self.replicates) < 0.1, :, 1] //= 2
        return Evidence(
            watermark_us=NOW_US - SECOND_US,
            fast_watermark_us=NOW_US - SECOND_US,
            first_enrolled_us=NOW_US - self.chance.integers(1, 60, self.replicates) * HOUR_US,
            enrolled=units,
            units_in_step=self.counts(policy.arms),
            arms=tuple(self.arm() for _ in policy.candidates),
            enrolled_arms=self.chance.random((self.replicates, self.blocks, policy.arms)) < 0.9,
            lag_us=np.where(self.chance.random(self.replicates) < 0.1, 100 * SECOND_US, 0),
        )


def only(evidence: Any, replicate: int, *, replicates: int) -> Any:  # noqa: ANN401 (any part of a look)
    """Return one replicate's evidence, without the axis; what all share stays as it is."""
    match evidence:
        case np.ndarray() if evidence.ndim and evidence.shape[0] == replicates:
            return evidence[replicate]
        case tuple():
            return tuple(only(part, replicate, replicates=replicates) for part in evidence)
        case dict():
            return {name: only(part, replicate, replicates=replicates) for name, part in evidence.items()}
        case _ if is_dataclass(evidence) and not isinstance(evidence, type):
            parts = {
                field.name: only(getattr(evidence, field.name), replicate, replicates=replicates)
                for field in fields(evidence)
            }
            return replace(evidence, **parts)
        case _:
            return evidence


def drawn_runs(draws: Draws, policy: Policy) -> tuple[Experiment, ...]:
    """Return runs of one policy, each anywhere on its way."""
    chance = draws.chance
    names = [latch_name(arm, one.name) for arm in (1, 2) for one in policy.metrics]
    return tuple(
        replace(
            EXPERIMENT,
            policy=policy,
            step=int(chance.integers(len(policy.stages))),
            # A choice hands out texts, which are equal to phases and are none.
            phase=Phase(str(chance.choice([Phase.RUNNING, Phase.RUNNING, Phase.PAUSED, Phase.WATCHING]))),
            started_us=NOW_US - int(chance.integers(1, 80)) * HOUR_US,
            step_entered_us=NOW_US - int(chance.integers(1, 20)) * HOUR_US // 2,
            watch_from_us=None if chance.random() < 0.5 else NOW_US - int(chance.integers(1, 9)) * HOUR_US,
            latches={name: float(chance.exponential(3.0)) for name in names if chance.random() < 0.5},
            stopped={2: NOW_US - HOUR_US} if chance.random() < 0.3 else {},
            winner=1 if chance.random() < 0.2 else None,
        )
        for _ in range(draws.replicates)
    )
