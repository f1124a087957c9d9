"""Outcomes of closed units: two arms' shares, means, ratios and counts since each day; absent without any."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from rollout.domain.evidence import BinaryEvidence, MeanEvidence
from rollout.domain.measure.measured import Measured
from rollout.domain.measure.planned import planned_information
from rollout.domain.metric import Direction, Metric, MetricType
from rollout.domain.policy import Policy
from rollout.stats import adjust, bars, means, moments, starts
from rollout.stats.arrays import IntArray
from rollout.stats.moments import JointMoments, Moments

_RATIO: Final = (0, 1)
"""The columns of a numerator and its denominator."""


class _Arm(NamedTuple):
    """Everything since each enrolment day: units [..., day, block], and how many are not zero [..., day]."""

    units: Moments
    nonzero: IntArray


def binary(policy: Policy, metric: Metric, found: BinaryEvidence) -> Measured | None:
    """Return what successes of closed units say (a), with harm since each enrolment day (g)."""
    if not found.control_units.shape[-2]:
        return None
    control = _successes(found.control_units, found.control_successes)
    return _compared(policy, metric, control, _successes(found.candidate_units, found.candidate_successes))


def mean(policy: Policy, metric: Metric, found: MeanEvidence) -> Measured | None:
    """Return what values of closed units say: ratios linearised, then adjusted by their covariate (f)."""
    if not found.control_nonzero.shape[-1]:
        return None
    control, candidate = (moments.since_each(arm, axis=-2) for arm in (found.control, found.candidate))
    if metric.type is MetricType.RATIO:
        rest = tuple(range(2, control.mean.shape[-1]))
        control, candidate = (adjust.linearised(arm, (_RATIO, *rest)) for arm in (control, candidate))
    nonzero = (_since(part) for part in (found.control_nonzero, found.candidate_nonzero))
    adjusted = _adjusted(control, candidate)
    return _compared(policy, metric, *(_Arm(*arm) for arm in zip(adjusted, nonzero, strict=True)))


def _adjusted(control: JointMoments, candidate: JointMoments) -> tuple[Moments, Moments]:
    if control.mean.shape[-1] == 1:
        return control.column(0), candidate.column(0)
    return adjust.cuped(control, candidate)


def _successes(units: IntArray, successes: IntArray) -> _Arm:
    since = _since(successes, axis=-2)
    return _Arm(Moments.of_successes(_since(units, axis=-2), since), np.asarray(since.sum(axis=-1)))


def _since(counts: IntArray, axis: int = -1) -> IntArray:
    """Return, at each enrolment day, the sum from there to the last one."""
    return np.flip(np.cumsum(np.flip(counts, axis), axis=axis), axis)


def _compared(policy: Policy, metric: Metric, control: _Arm, candidate: _Arm) -> Measured:
    """Return proof since the first day and harm since the worst one, each from enough non-zero units.

    A candidate that converts nobody has no such units: of harm it is enough that the control has them.
    """
    up = metric.direction is Direction.INCREASE
    margin = metric.margin or 0.0
    null = -margin if up else margin
    planned = planned_information(policy, metric)
    better, worse = (means.log_e_greater, means.log_e_less) if up else (means.log_e_less, means.log_e_greater)
    since = means.contrast(control.units, candidate.units, null_lift=null)
    enough = means.enough_units(control.nonzero, candidate.nonzero)
    enough_for_harm = means.enough_beside(control.nonzero, candidate.nonzero)
    lift, has_lift = means.lift_estimate(control.units, candidate.units)
    if margin:
        # Of a mean that is not positive a relative margin says nothing.
        enough, enough_for_harm = enough & has_lift, enough_for_harm & has_lift
    by_day = bars.withhold(worse(since, planned_information=planned), enough_for_harm)
    proof = bars.withhold(better(since, planned_information=planned), enough)
    first = tuple(_first_day(arm.units) for arm in (control, candidate))
    score = since.score[..., 0]
    return Measured(
        log_e_proof=proof[..., 0],
        log_e_harm=starts.strongest(by_day, np.arange(by_day.shape[-1])),
        score=score if up else -score,
        estimate=lift[..., 0],
        has_estimate=has_lift[..., 0],
        interval=means.lift_interval(*first, planned_information=planned),
        is_superiority=metric.margin is None,
        is_empty=(first[0].n + first[1].n).sum(axis=-1) == 0,
    )


def _first_day(arm: Moments) -> Moments:
    return Moments(arm.n[..., 0, :], arm.mean[..., 0, :], arm.ss[..., 0, :])
