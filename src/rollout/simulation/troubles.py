"""Requests in trouble, drawn as sums over units: how many fail or wait, and what their squares add up to."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.random import Generator

from rollout.simulation.crowd import Trials
from rollout.stats.arrays import FloatArray, IntArray
from rollout.stats.moments import JointMoments

UNITS, NONZERO, Y, X, YY, XY, XX, FRACTIONS, TRIALS, HITS = range(10)
COLUMNS: Final = 10
"""What is added up over units: y are requests in trouble, x all of them."""


def drawn(rng: Generator, units: IntArray, trials: Trials, chance: FloatArray) -> FloatArray:
    """Return the sums [..., column] over units [..., kind], whose every trial is in trouble with a chance.

    Distinct units in trouble are binomial, exactly; their further troubles are binomial with the mean of a
    truncated binomial; Σy² is its mean given the total. `tests/simulate/test_law.py` compares unit by unit.
    """
    times = trials.times
    ever = -np.expm1(times * np.log1p(-chance))
    troubled = rng.binomial(units, ever)
    mean_more = np.divide(times * chance, ever, out=np.ones(ever.shape), where=ever > 0) - 1.0
    again = np.clip(mean_more / np.maximum(times - 1.0, 1.0), 0.0, 1.0)
    hits = troubled + rng.binomial(troubled * (times - 1.0).astype(np.int64), again)
    return _summed(units.astype(np.float64), troubled, hits.astype(np.float64), trials)


def _summed(units: FloatArray, troubled: IntArray, hits: FloatArray, trials: Trials) -> FloatArray:
    times, worth = trials.times, trials.requests
    requests = times * worth
    pairs = hits * (hits - 1.0) * (times - 1.0) / np.maximum(units * times - 1.0, 1.0)
    found = np.empty((*units.shape[:-1], COLUMNS))
    found[..., UNITS] = units.sum(axis=-1)
    found[..., NONZERO] = troubled.sum(axis=-1)
    found[..., Y] = hits @ worth
    found[..., X] = units @ requests
    found[..., YY] = (hits + pairs) @ worth**2
    found[..., XY] = hits @ (requests * worth)
    found[..., XX] = units @ requests**2
    found[..., FRACTIONS] = hits @ (1.0 / times)
    found[..., TRIALS] = units @ times
    found[..., HITS] = hits.sum(axis=-1)
    return found


def joint(sums: FloatArray) -> JointMoments:
    """Return sums as moments of (y, x)."""
    n = sums[..., UNITS]
    each = np.maximum(n, 1.0)[..., np.newaxis]
    totals = sums[..., (Y, X)]
    mean = totals / each
    products = sums[..., ((YY, XY), (XY, XX))]
    scatter = products - mean[..., :, np.newaxis] * totals[..., np.newaxis, :]
    for column in (0, 1):
        scatter[..., column, column] = np.maximum(scatter[..., column, column], 0.0)
    return JointMoments(n, mean, scatter)
