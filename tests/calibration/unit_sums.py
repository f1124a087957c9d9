"""Sums over units, kept look by look, for worlds in which the requests of one unit are alike."""

from __future__ import annotations

import numpy as np

from rollout.stats.arrays import IntArray
from rollout.stats.moments import JointMoments


def joint(units: IntArray, totals: tuple[IntArray, IntArray], products: tuple[IntArray, ...]) -> JointMoments:
    """Return the joint moments of a unit's exceedances y and requests x from Σy, Σx and Σyy, Σxy, Σxx."""
    yy, xy, xx = products
    square = np.stack([np.stack([yy, xy], axis=-1), np.stack([xy, xx], axis=-1)], axis=-2)
    return JointMoments.from_sums(units, np.stack(totals, axis=-1), square)


def joint_in_order(exceeding: IntArray, requests: IntArray, *, every: int) -> JointMoments:
    """Return the running joint moments of units in order of the last axis, one look per `every` of them."""
    y, x = exceeding, requests
    totals = [_running(values, every) for values in (np.ones_like(x), y, x)]
    products = tuple(_running(values, every) for values in (y * y, y * x, x * x))
    return joint(totals[0], (totals[1], totals[2]), products)


def joint_of_single_requests(exceeding: IntArray, requests: IntArray) -> JointMoments:
    """Return the joint moments where each request is a unit of its own, so that every product is a count."""
    return joint(requests, (exceeding, requests), (exceeding, exceeding, requests))


def _running(values: IntArray, every: int) -> IntArray:
    return np.asarray(values.reshape(*values.shape[:-1], -1, every).sum(axis=-1).cumsum(axis=-1))
