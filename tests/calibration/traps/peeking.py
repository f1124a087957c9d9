"""Traps of looking often with a test made for one look: a z test (1), a chi-square test of the split (11)."""

from __future__ import annotations

import numpy as np

from rollout.stats import balance, events, means
from rollout.stats.moments import Moments
from tests.calibration.sums import single
from tests.calibration.trap import (
    USED_BAR,
    Claim,
    FloatArray,
    IntArray,
    Trap,
    World,
    ever,
    ours,
    ours_weighted,
    promised,
    shown,
    wrong,
)

_LOOKS = 400
_PER_LOOK = 100
_RATE = 0.1
_PLANNED_UNITS = (5_000, 40_000, 80_000)
_SPLIT_PER_LOOK = 500
_PRIOR = 100.0
CRITICAL_Z = {0.05: 1.959964, 0.01: 2.575829, 0.001: 3.290527}


def _conversions(rng: np.random.Generator, replicates: int) -> list[Claim]:
    hits = np.cumsum(rng.binomial(_PER_LOOK, _RATE, (2, replicates, _LOOKS)), axis=-1)
    n = np.broadcast_to(_PER_LOOK * np.arange(1, _LOOKS + 1), hits.shape[1:])
    control, candidate = (Moments.of_successes(n, part) for part in hits)
    beyond = np.abs(unpooled_z(control, candidate)) > CRITICAL_Z[0.05]
    claims = [
        wrong("z test at every look", np.any(beyond, axis=-1), strong=True),
        shown("z test, one look at the end", beyond[:, -1]),
    ]
    contrast = means.contrast(single(control), single(candidate))
    for units in _PLANNED_UNITS:
        # N* counts the units of both arms; two equal arms hold a quarter of it as information.
        log_e = means.log_e_two_sided(contrast, planned_information=units / 4)
        claims += promised(f"(a) two-sided, N* = {units:,}", log_e)
    return claims + promised(
        "(b) two-sided, k = 100", events.log_e_two_sided(hits[1], hits[0], concentration=100)
    )


def unpooled_z(control: Moments, candidate: Moments) -> FloatArray:
    """Return the wrong way's z of two shares, each arm with its own variance, and 0 without any."""
    error = np.sqrt(control.variance / control.n + candidate.variance / candidate.n)
    difference = candidate.mean - control.mean
    return np.divide(difference, error, out=np.zeros_like(difference), where=error > 0)


def _split(rng: np.random.Generator, replicates: int) -> list[Claim]:
    candidate = np.cumsum(rng.binomial(_SPLIT_PER_LOOK, 0.5, (replicates, _LOOKS)), axis=-1)
    z = split_z(candidate, _SPLIT_PER_LOOK * np.arange(1, _LOOKS + 1))
    log_e = _split_log_e(candidate)
    claims = []
    for alpha, critical in CRITICAL_Z.items():
        fooled = np.any(z > critical, axis=-1)
        claims.append(
            wrong(f"chi-square at every look, alpha {alpha}", fooled, alpha=alpha, strong=alpha == 0.05)
        )
        claims.append(ours(f"(e), alpha {alpha}", ever(log_e, 1 / alpha), alpha=alpha))
    return [*claims, ours_weighted("(e), drawn under its own alternative", _split_weights(rng, replicates))]


def split_z(candidate: IntArray, units: IntArray) -> FloatArray:
    """Return the wrong way's z of a split that should be even."""
    return np.asarray(np.abs(candidate - units / 2) / np.sqrt(np.maximum(units, 1) / 4))


def _split_log_e(candidate: IntArray) -> FloatArray:
    n = _SPLIT_PER_LOOK * np.arange(1, _LOOKS + 1)
    counts = np.stack([n - candidate, candidate], axis=-1)[..., None, :]
    return balance.log_e(counts, [0.5, 0.5], concentration=_PRIOR)


def _split_weights(rng: np.random.Generator, replicates: int) -> FloatArray:
    """Return 1/e at the first look with e ≥ 400, else 0, for coins drawn from the prior of (e) itself.

    P₀(e ever ≥ b) = E[1{e ever ≥ b}/e at that look] under the mixture, whose likelihood ratio e is.
    """
    coin = rng.beta(_PRIOR / 2, _PRIOR / 2, (replicates, 1))
    candidate = np.cumsum(rng.binomial(_SPLIT_PER_LOOK, coin, (replicates, _LOOKS)), axis=-1)
    log_e = _split_log_e(candidate)
    first = np.argmax(log_e >= np.log(USED_BAR), axis=-1)
    return np.where(ever(log_e, USED_BAR), np.exp(-log_e[np.arange(replicates), first]), 0.0)


TRAPS = (
    Trap(
        1,
        "peeking at a z test",
        (
            World(
                "conversions",
                "Both arms convert 10 %; 100 units per arm and look, 400 looks.",
                _conversions,
                replicates=4_000,
            ),
        ),
    ),
    Trap(
        11,
        "peeking at a chi-square test of the split",
        (World("split", "A fair coin assigns 500 units per look, 400 looks.", _split, replicates=4_000),),
    ),
)
