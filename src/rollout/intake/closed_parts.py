"""What closed units come to for each candidate: worked out once for each answer of the lake that is new."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np

from rollout.domain.basis import settled
from rollout.domain.evidence import BinaryEvidence, ClosedFractions, ClosedRatio, MeanEvidence
from rollout.domain.metric import Metric, MetricType, Source
from rollout.domain.policy import Policy
from rollout.domain.question import FALLBACK
from rollout.intake import sums
from rollout.intake.kept import Kept
from rollout.lake.accounts.totals import ClosedSums

Sums = Mapping[str, ClosedSums]


@dataclass(frozen=True, slots=True)
class ClosedArm:
    """One candidate beside the control, by metric; what no unit has closed for is empty, or not there."""

    binary: Mapping[str, BinaryEvidence]
    means: Mapping[str, MeanEvidence]
    ratios: Mapping[str, ClosedRatio]
    """Of errors, and of latencies beside the baseline's own."""
    fractions: Mapping[str, ClosedFractions]
    """Of errors, and of limits."""
    empty: frozenset[str]
    """The limits for which no unit of any arm has closed."""
    fallbacks: ClosedFractions | None


@dataclass(frozen=True, slots=True)
class _Made:
    policy: Policy
    known: Sums
    arms: tuple[ClosedArm, ...]


class ClosedParts:
    """Keeps what was made of each run's last answer: one that says the same again has the same parts."""

    def __init__(self) -> None:
        self._made = Kept[str, _Made]()

    def of(self, uid: str, policy: Policy, known: Sums) -> tuple[ClosedArm, ...]:
        """Return every candidate's parts."""
        last = self._made.get(uid)
        if last is None or last.policy is not policy or not _is_same(last.known, known):
            # In the order of their indices, once: a look would else arrange them anew each time.
            arms = tuple(settled(_made(policy, known, number)) for number in range(1, policy.arms))
            last = self._made.keep(uid, _Made(policy, known, arms))
        return last.arms


def _made(policy: Policy, known: Sums, number: int) -> ClosedArm:
    told = {metric.name: metric for metric in policy.metrics if metric.source is Source.OUTCOMES}
    binary = {name for name, metric in told.items() if _is_binary(metric)}
    errors = {metric.name for metric in policy.metrics if metric.type is MetricType.ERROR_RATE}
    latencies = {metric.name: metric for metric in policy.metrics if metric.type is MetricType.LATENCY}
    limits = {name for name, metric in latencies.items() if metric.max_us is not None}
    nothing = sums.nothing(policy, columns=2)
    asked = {name: known.get(name, nothing) for name in errors | limits}
    fallbacks = known.get(FALLBACK)
    return ClosedArm(
        binary={name: sums.binary(known[name], number) for name in known.keys() & binary},
        means={
            name: sums.mean(told[name], known[name], number) for name in known.keys() & told.keys() - binary
        },
        ratios={
            **{name: sums.ratio(asked[name], number) for name in errors},
            **{name: sums.ratio(known[name], number) for name in known.keys() & latencies.keys() - limits},
        },
        fractions={name: sums.closed_fractions(asked[name], number) for name in errors | limits},
        empty=frozenset(name for name in limits if not asked[name].units.any()),
        fallbacks=None if fallbacks is None else sums.closed_fractions(fallbacks, number),
    )


def _is_binary(metric: Metric) -> bool:
    """Return whether counts of successes say all; beside a covariate a success is a value like others."""
    return metric.type is MetricType.BINARY and metric.pre_window_s is None


def _is_same(one: Sums, other: Sums) -> bool:
    """Return whether two answers come to the same."""
    return one is other or (
        one.keys() == other.keys() and all(_are_equal(found, other[name]) for name, found in one.items())
    )


def _are_equal(one: ClosedSums, other: ClosedSums) -> bool:
    return one is other or all(
        np.array_equal(getattr(one, field.name), getattr(other, field.name)) for field in fields(ClosedSums)
    )
