"""Exact sums over units, added up and handed to the statistics without rounding."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rollout.domain.assignment import BASELINE as CONTROL_PLACE
from rollout.domain.assignment import blocks
from rollout.domain.evidence import BinaryEvidence, ClosedFractions, ClosedRatio, MeanEvidence
from rollout.domain.metric import Metric, MetricType
from rollout.domain.policy import Policy
from rollout.domain.records import NANO, RatioSums
from rollout.lake.accounts.totals import ClosedSums
from rollout.lake.outcomes import MICRO
from rollout.stats.moments import JointMoments


def nothing(policy: Policy, *, columns: int) -> ClosedSums:
    """Return the sums over no unit at all."""
    shape = (0, len({block.number for block in blocks(policy)}), policy.arms)
    none, big = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.object_)
    totals, products = (np.zeros((*shape, *(columns,) * axes), dtype=np.object_) for axes in (1, 2))
    return ClosedSums((), none, none, totals, products, big)


def binary(found: ClosedSums, number: int) -> BinaryEvidence:
    """Return closed units and successes [day, block] of control and candidate."""
    return BinaryEvidence(
        *(found.units[..., CONTROL_PLACE], found.nonzero[..., CONTROL_PLACE]),
        *(found.units[..., number], found.nonzero[..., number]),
    )


def mean(metric: Metric, found: ClosedSums, number: int) -> MeanEvidence:
    """Return the moments of closed units' values [day, block] of control and candidate, in their own unit."""
    worth = 1.0 if metric.type in {MetricType.COUNT, MetricType.BINARY} else 1.0 / MICRO
    arms = CONTROL_PLACE, number
    control, candidate = (
        JointMoments.from_sums(
            found.units[..., arm], found.totals[..., arm, :], found.products[..., arm, :, :], unit=worth
        )
        for arm in arms
    )
    return MeanEvidence(control, candidate, *(found.nonzero[..., arm].sum(axis=-1) for arm in arms))


def ratio(found: ClosedSums, number: int) -> ClosedRatio:
    """Return closed units' events and requests, [block], of control and candidate."""
    arms = CONTROL_PLACE, number
    control, candidate = (
        JointMoments.from_sums(
            found.units[..., arm].sum(axis=0),
            found.totals[..., arm, :].sum(axis=0),
            found.products[..., arm, :, :].sum(axis=0),
        )
        for arm in arms
    )
    return ClosedRatio(control, candidate, *(int(found.nonzero[..., arm].sum()) for arm in arms))


def closed_fractions(found: ClosedSums, number: int) -> ClosedFractions:
    """Return an arm's closed units over all blocks and days."""
    own = found.summed(0, 1)
    return ClosedFractions(
        int(own.units[0, 0, number]),
        int(own.fraction_nano[0, 0, number]) / NANO,
        JointMoments.from_sums(own.units[0, 0, number], own.totals[0, 0, number], own.products[0, 0, number]),
    )


def joint(sums: Sequence[RatioSums], shape: tuple[int, ...] | None = None) -> JointMoments:
    """Return exact sums as moments of (y, x), one entry each, in a shape of their own if one is given."""
    axes = (len(sums),) if shape is None else shape
    return JointMoments.from_sums(
        np.array([s.units for s in sums], dtype=np.int64).reshape(axes),
        np.array([[s.y, s.x] for s in sums], dtype=np.object_).reshape(*axes, 2),
        np.array([[[s.yy, s.xy], [s.xy, s.xx]] for s in sums], dtype=np.object_).reshape(*axes, 2, 2),
    )
