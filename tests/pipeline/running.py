"""A reader's running counts at many moments, of the candidate, of the control, and of everybody else."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rollout.stats.arrays import FloatArray, IntArray
from rollout.stats.moments import Moments
from tests.pipeline.sight import CANDIDATE, REST, Sight


def conversions(sights: Sequence[Sight], at_us: IntArray) -> tuple[IntArray, IntArray]:
    """Return units and conversions [arm, replicate, moment] so far; arms are control, candidate and rest.

    Whoever is in an arm counts when they come, and so does what they did in the end. Of the rest the lake
    holds sums and outcomes alone: each request is taken for a unit, each outcome counts when it is told.
    """
    found = [_conversions(sight, at_us) for sight in sights]
    return (
        np.stack([units for units, _ in found], axis=1),
        np.stack([hits for _, hits in found], axis=1),
    )


def against_everybody(counts: IntArray) -> IntArray:
    """Return counts of two arms: control and rest together, and the candidate."""
    return np.stack([counts[0] + counts[REST], counts[CANDIDATE]])


def shares(units: IntArray, hits: IntArray) -> Moments:
    """Return moments of shares; an arm that nobody is in yet stands for one unit without a hit."""
    return Moments.of_successes(np.maximum(units, 1), hits)


def _conversions(sight: Sight, at_us: IntArray) -> tuple[IntArray, IntArray]:
    who = sight.enrolled
    owner = sight.owner(sight.goal_unit)
    counted = sight.goal_value > 0
    converted = np.zeros(len(who.unit), dtype=np.bool_)
    converted[owner[counted & (owner >= 0)]] = True
    rest = sight.arm == REST
    units, hits = np.zeros((3, len(at_us)), dtype=np.int64), np.zeros((3, len(at_us)), dtype=np.int64)
    for arm in (0, CANDIDATE):
        here = who.arm == arm
        units[arm] = so_far(who.at_us[here], at_us)
        hits[arm] = so_far(who.at_us[here & converted], at_us)
    units[REST] = so_far(sight.at_us[rest], at_us, sight.requests[rest])
    hits[REST] = np.minimum(so_far(sight.goal_at_us[counted & (owner < 0)], at_us), units[REST])
    return units, hits


def so_far(times_us: IntArray, at_us: IntArray, counts: IntArray | None = None) -> IntArray:
    """Return how much had come at each moment."""
    order = np.argsort(times_us, kind="stable")
    sums = np.arange(len(order) + 1) if counts is None else np.concatenate([[0], np.cumsum(counts[order])])
    return np.asarray(sums[np.searchsorted(times_us[order], at_us, side="right")])


def worth(sights: Sequence[Sight], at_us: IntArray) -> FloatArray:
    """Return units, Σ of values and of their squares, and how many are not 0: [4, arm, replicate, moment].

    Everybody who is not in an arm counts as in `conversions`.
    """
    return np.stack([_worth(sight, at_us) for sight in sights], axis=2)


def _worth(sight: Sight, at_us: IntArray) -> FloatArray:
    owner = sight.owner(sight.goal_unit)
    arm = np.where(owner >= 0, sight.enrolled.arm[owner], REST)
    came_us = np.where(owner >= 0, sight.enrolled.at_us[owner], sight.goal_at_us)
    units, _ = _conversions(sight, at_us)
    found = np.zeros((4, 3, len(at_us)))
    found[0] = units
    for one in range(3):
        here = arm == one
        values = sight.goal_value[here]
        for power, part in enumerate((values, values**2, values != 0), start=1):
            order = np.argsort(came_us[here], kind="stable")
            sums = np.concatenate([[0.0], np.cumsum(part[order])])
            found[power, one] = sums[np.searchsorted(came_us[here][order], at_us, side="right")]
    return found
