"""What a look's numbers rest on: units, means and variances of each metric and arm, summed over days."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from rollout.domain.evidence import (
    ArmEvidence,
    BinaryEvidence,
    ClosedFractions,
    MeanEvidence,
    Poll,
    PollEvidence,
)
from rollout.domain.metric import Metric, MetricType
from rollout.domain.question import Question
from rollout.stats.arrays import IntArray
from rollout.stats.moments import JointMoments, Moments, merged

_EVENTS: Final = ("events", "requests")
_COVARIATE: Final = "covariate"


@dataclass(frozen=True, slots=True)
class Column:
    """One number that every unit has: its sum, mean and variance; without two units there is no variance."""

    name: str
    total: float
    mean: float
    variance: float | None


@dataclass(frozen=True, slots=True)
class Stratum:
    """An arm's closed units of one block, of every enrolment day."""

    place: int
    """The block's place among the policy's."""
    units: int
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class ArmSample:
    """An arm's closed units."""

    units: int
    columns: tuple[Column, ...]
    nonzero: int | None = None
    """Units whose first number is not zero."""
    strata: tuple[Stratum, ...] = ()


@dataclass(frozen=True, slots=True)
class Exhibit:
    """One metric of one candidate; an arm is None where the test rests on nothing of it."""

    control: ArmSample | None = None
    candidate: ArmSample | None = None
    early: Mapping[str, int] = field(default_factory=dict)
    """What the harm test saw since the beginning, long before units close."""


def exhibit(question: Question, arm: ArmEvidence) -> Exhibit | None:
    """Return what one candidate's answer rests on, or None when it was not measured."""
    metric = question.metric
    if metric is None:
        return None if arm.fallbacks is None else Exhibit(candidate=_fractions(arm.fallbacks))
    match metric.type:
        case MetricType.BINARY if metric.name in arm.binary:
            return _binary(arm.binary[metric.name])
        case MetricType.BINARY | MetricType.MEAN | MetricType.RATIO | MetricType.COUNT:
            return None if metric.name not in arm.means else _mean(metric, arm.means[metric.name])
        case MetricType.THRESHOLD:
            asked = arm.polls.get(metric.name)
            return None if asked is None else Exhibit(early=_polls(asked))
        case _:
            return _proxy(metric, arm)


def _proxy(metric: Metric, arm: ArmEvidence) -> Exhibit | None:
    """Return what an error rate, a limit or a latency rests on."""
    if (failed := arm.errors.get(metric.name)) is not None:
        first = failed.first
        return Exhibit(
            _sample(failed.ratio.control, _EVENTS, failed.ratio.control_nonzero),
            _sample(failed.ratio.candidate, _EVENTS, failed.ratio.candidate_nonzero),
            {
                "candidate_units_with_an_error": _since_start(first.candidate),
                "compared_units_with_an_error": _since_start(first.comparison),
            },
        )
    if (limit := arm.limits.get(metric.name)) is not None:
        early = {
            "unit_windows": _since_start(limit.windows),
            "units_beyond_the_limit": _since_start(limit.exceeding_units),
        }
        return Exhibit(candidate=_fractions(limit.fractions), early=early)
    if (slow := arm.latencies.get(metric.name)) is not None:
        return Exhibit(
            _sample(slow.ratio.control, _EVENTS, slow.ratio.control_nonzero),
            _sample(slow.ratio.candidate, _EVENTS, slow.ratio.candidate_nonzero),
            {
                "candidate_unit_minutes": _since_start(slow.candidate_minutes),
                "control_unit_minutes": _since_start(slow.control_minutes),
            },
        )
    return None


def _polls(found: PollEvidence) -> dict[str, int]:
    """Return what the last polls came to."""
    names = {Poll.GOOD: "good_polls", Poll.BREACH: "breaches", Poll.GAP: "gaps"}
    return {name: int((np.asarray(found.polls) == poll.value).sum()) for poll, name in names.items()}


def _binary(found: BinaryEvidence) -> Exhibit:
    def sample(units: IntArray, successes: IntArray) -> ArmSample:
        by_block = Moments.of_successes(units.sum(axis=0), successes.sum(axis=0))
        moments = JointMoments(by_block.n, by_block.mean[..., None], by_block.ss[..., None, None])
        return _sample(moments, ("value",), int(successes.sum()))

    return Exhibit(
        sample(found.control_units, found.control_successes),
        sample(found.candidate_units, found.candidate_successes),
    )


def _mean(metric: Metric, found: MeanEvidence) -> Exhibit:
    names = ("numerator", "denominator") if metric.type is MetricType.RATIO else ("value",)
    names = (*names, _COVARIATE)[: found.control.mean.shape[-1]]
    return Exhibit(
        _sample(_over_days(found.control), names, int(found.control_nonzero.sum())),
        _sample(_over_days(found.candidate), names, int(found.candidate_nonzero.sum())),
    )


def _over_days(found: JointMoments) -> JointMoments:
    """Return moments [block] of moments [day, block]."""
    columns = [merged(found.column(index), axis=0) for index in range(found.mean.shape[-1])]
    scatter = np.zeros((*columns[0].n.shape, len(columns), len(columns)))
    for index, column in enumerate(columns):
        scatter[..., index, index] = column.ss
    return JointMoments(columns[0].n, np.stack([one.mean for one in columns], axis=-1), scatter)


def _fractions(found: ClosedFractions) -> ArmSample:
    moments = found.totals
    return ArmSample(int(found.units), _columns([moments.column(0), moments.column(1)], _EVENTS))


def _sample(found: JointMoments, names: tuple[str, ...], nonzero: object) -> ArmSample:
    """Return moments [block] as blocks and their sum."""
    columns = [found.column(index) for index in range(len(names))]
    strata = tuple(
        Stratum(
            place,
            int(units),
            _columns([Moments(one.n[place], one.mean[place], one.ss[place]) for one in columns], names),
        )
        for place, units in enumerate(found.n.tolist())
    )
    whole = [merged(one) for one in columns]
    return ArmSample(int(found.n.sum()), _columns(whole, names), int(np.asarray(nonzero).sum()), strata)


def _columns(found: list[Moments], names: tuple[str, ...]) -> tuple[Column, ...]:
    return tuple(
        Column(
            name,
            total=float(one.n * one.mean),
            mean=float(one.mean),
            variance=float(one.ss / (one.n - 1)) if one.n > 1 else None,
        )
        for name, one in zip(names, found, strict=True)
    )


def _since_start(counts: IntArray) -> int:
    """Return what start 0 counts, over all splits."""
    return int(np.asarray(counts)[0].sum()) if np.asarray(counts).size else 0
