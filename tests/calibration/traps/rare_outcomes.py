"""Traps of a small arm with rare or heavy-tailed outcomes: its own variance is small by chance (2, 3)."""

from __future__ import annotations

import numpy as np

from rollout.stats import adjust, means
from rollout.stats.moments import Moments
from tests.calibration.sums import of_sums, single
from tests.calibration.trap import (
    BoolArray,
    Claim,
    FloatArray,
    IntArray,
    Trap,
    World,
    ever,
    promised,
    shown,
    wrong,
)

_CONTROL, _CANDIDATE = 990, 10
_RATE = 0.01
_RARE_LOOKS = 300
_PER_LOOK = 1_000
_SHARE = 0.05
_REVENUE_LOOKS = 80
_PAYERS = 0.05
_LOG_MEAN, _LOG_DEVIATION = 3.0, 1.6
_CAP = float(np.exp(_LOG_MEAN + _LOG_DEVIATION * 2.326))


def _rare(rng: np.random.Generator, replicates: int) -> list[Claim]:
    sizes = np.array([_CONTROL, _CANDIDATE])[:, None, None]
    hits = np.cumsum(rng.binomial(sizes, _RATE, (2, replicates, _RARE_LOOKS)), axis=-1)
    n = np.broadcast_to(np.cumsum(np.broadcast_to(sizes, (2, 1, _RARE_LOOKS)), axis=-1), hits.shape)
    control, candidate = (single(Moments.of_successes(n[arm], hits[arm])) for arm in (0, 1))
    enough = means.enough_units(hits[0], hits[1])
    planned = _RARE_LOOKS * _CONTROL * _CANDIDATE / (_CONTROL + _CANDIDATE) / 2
    harm, gain, careless = harm_and_gain(control, candidate, planned)
    return [
        wrong("own variances, no minimum: harm", ever(careless), strong=True),
        shown("own variances, 30 units: harm", ever(np.where(enough, careless, 0))),
        *promised("(a) without the 30-unit rule: harm", harm),
        *promised("(a): harm", np.where(enough, harm, 0)),
        *promised("(a) without the 30-unit rule: gain", gain),
        shown("replicates that reach 30 units", enough[:, -1]),
    ]


def harm_and_gain(
    control: Moments, candidate: Moments, planned: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return (harm, gain, harm without the variance floor)."""
    ours = means.contrast(control, candidate)
    careless = means.contrast(control, candidate, variance_floor=False)
    return (
        means.log_e_less(ours, planned_information=planned),
        means.log_e_greater(ours, planned_information=planned),
        means.log_e_less(careless, planned_information=planned),
    )


def _revenue(rng: np.random.Generator, replicates: int) -> list[Claim]:
    shape = (replicates, _REVENUE_LOOKS)
    size = rng.binomial(_PER_LOOK, _SHARE, shape)
    sizes = np.stack([_PER_LOOK - size, size])
    payers = rng.binomial(sizes, _PAYERS)
    values = rng.lognormal(_LOG_MEAN, _LOG_DEVIATION, int(payers.sum()))
    n, paying = (np.cumsum(part, axis=-1) for part in (sizes, payers))
    enough = means.enough_units(paying[0], paying[1])
    claims = _revenue_claims("uncapped", n, payers, values, enough)
    return claims + _revenue_claims("capped", n, payers, adjust.winsorised(values, cap=_CAP), enough)


def _revenue_claims(
    name: str, n: IntArray, payers: IntArray, values: FloatArray, enough: BoolArray
) -> list[Claim]:
    owner = np.repeat(np.arange(payers.size), payers.ravel())
    sums = [np.bincount(owner, power, payers.size).reshape(payers.shape) for power in (values, values**2)]
    total, squares = (np.cumsum(part, axis=-1) for part in sums)
    control, candidate = (single(of_sums(n[arm], total[arm], squares[arm])) for arm in (0, 1))
    planned = _REVENUE_LOOKS * _PER_LOOK * _SHARE * (1 - _SHARE) / 2
    harm, gain, careless = harm_and_gain(control, candidate, planned)
    return [
        wrong(f"{name}, own variances, 30 payers: harm", ever(np.where(enough, careless, 0))),
        wrong(f"{name}, own variances, no minimum: harm", ever(careless)),
        *promised(f"{name}, (a): harm", np.where(enough, harm, 0)),
        *promised(f"{name}, (a): gain", np.where(enough, gain, 0)),
    ]


TRAPS = (
    Trap(
        2,
        "own variances of a tiny arm, rare conversions",
        (World("conversions", "990 and 10 units per look, 300 looks, both convert 1 %.", _rare),),
    ),
    Trap(
        3,
        "own variances of a small arm, revenue",
        (World("revenue", "5 % of 1,000 units per look, 80 looks; 5 % pay, log-normally alike.", _revenue),),
    ),
)
