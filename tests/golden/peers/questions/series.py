"""Deterministic data: small recurrences, so that no random generator's version can change a golden case."""

from __future__ import annotations

import math
from typing import Final

_MODULUS: Final = 2_147_483_647
_MULTIPLIER: Final = 48_271


def whole(seed: int, count: int, below: int) -> list[int]:
    """Return `count` scattered whole numbers from 0 to below − 1 (Lehmer's recurrence)."""
    state = seed * 7_919 + 1
    found = []
    for _ in range(count):
        state = state * _MULTIPLIER % _MODULUS
        found.append(state % below)
    return found


def outcomes(seed: int, count: int, *, mean: float, spread: float) -> list[float]:
    """Return scattered outcomes around a mean, on a grid of 1/64 that floats hold exactly."""
    return [round((mean + spread * (value - 500) / 289.0) * 64) / 64 for value in whole(seed, count, 1001)]


def related(seed: int, count: int, *, effect: float) -> list[list[float]]:
    """Return rows (outcome, covariate): the outcome follows the covariate, shifted by an effect."""
    covariate, noise = whole(seed, count, 401), whole(seed + 1, count, 201)
    return [[effect + 0.625 * c / 8 + e / 16, c / 8] for c, e in zip(covariate, noise, strict=True)]


def ratios(seed: int, count: int, *, rate: int) -> list[list[float]]:
    """Return rows (numerator, denominator, and both from before), correlated."""
    denominators, before = whole(seed, count, 12), whole(seed + 1, count, 12)
    hits, earlier = whole(seed + 2, count, 7), whole(seed + 3, count, 7)
    return [
        [float(d * rate + h), float(d + 1), float(b * 2 + e + h), float(b + d // 2 + 1)]
        for d, h, b, e in zip(denominators, hits, before, earlier, strict=True)
    ]


def scaled(values: list[float], *, like: list[float]) -> list[float]:
    """Return values scaled to the sample variance of others, so that no variance floor binds."""
    return [value * _deviation(like) / _deviation(values) for value in values]


def _deviation(values: list[float]) -> float:
    # fsum, because from Python 3.12 on sum() rounds differently.
    mean = math.fsum(values) / len(values)
    return float((math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)) ** 0.5)
