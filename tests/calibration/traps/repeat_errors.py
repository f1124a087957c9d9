"""Trap of counting every error: users who err again and again are not many users who err (20)."""

from __future__ import annotations

from functools import partial

import numpy as np

from rollout.stats import events, starts
from rollout.stats.arrays import IntArray
from tests.calibration.trap import (
    SHORT,
    Claim,
    FloatArray,
    Trap,
    World,
    ever,
    ours,
    ours_at_400,
    shown,
    wrong,
)

_USERS, _PERIODS, _LOOKS_PER_PERIOD, _LIFE = 4_000, 144, 10, 6
_SCALE, _MOST = 0.002, 0.9
_NEVER = -1


def erring(
    rng: np.random.Generator,
    shape: float,
    *,
    users: int = _USERS,
    periods: int = _PERIODS,
    scale: float = _SCALE,
) -> tuple[IntArray, IntArray]:
    """Return every error's user and period: each user errs with a chance of its own, again and again."""
    chance = np.minimum(scale * rng.pareto(shape, users), _MOST).astype(np.float32)
    erred = rng.random((users, periods), dtype=np.float32) < chance[:, np.newaxis]
    user, period = np.nonzero(erred)
    return user, period


def _errors(rng: np.random.Generator, shape: float) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """Return every error's user, period, look within the period and user's previous period (−1: none)."""
    user, period = erring(rng, shape)
    look = rng.integers(0, _LOOKS_PER_PERIOD, user.size)
    repeated = np.concatenate([[False], user[1:] == user[:-1]])
    previous = np.where(repeated, np.concatenate([[_NEVER], period[:-1]]), _NEVER)
    return user, period, look, previous


def _counts(rng: np.random.Generator, share: float, shape: float) -> tuple[IntArray, IntArray, IntArray]:
    """Return counts by arm (last axis): all errors, first errors, and first errors by start and look."""
    user, period, look, previous = _errors(rng, shape)
    arm = (rng.random(_USERS) < share).astype(np.int64)[user]
    at = period * _LOOKS_PER_PERIOD + look
    looks = _PERIODS * _LOOKS_PER_PERIOD
    every = _table(at, arm, looks)
    first = _table(at[previous == _NEVER], arm[previous == _NEVER], looks)
    since = np.zeros((_PERIODS, _LIFE * _LOOKS_PER_PERIOD, 2), dtype=np.int64)
    for age in range(_LIFE):
        # The start of `age` periods ago counts an error when its user had none since.
        begin = period - age
        counted = (begin > 0) & (previous < begin)
        place = begin[counted] * _LOOKS_PER_PERIOD + look[counted]
        block = _table(place, arm[counted], looks).reshape(_PERIODS, _LOOKS_PER_PERIOD, 2)
        since[:, age * _LOOKS_PER_PERIOD : (age + 1) * _LOOKS_PER_PERIOD] = block
    return every, first, since


def _table(place: IntArray, arm: IntArray, places: int) -> IntArray:
    return np.bincount(2 * place + arm, minlength=2 * places).reshape(places, 2)


def _simulate(
    rng: np.random.Generator, replicates: int, *, share: float, shape: float, is_caught: bool
) -> list[Claim]:
    drawn = [_counts(rng, share, shape) for _ in range(replicates)]
    every, first, since = (np.stack(parts) for parts in zip(*drawn, strict=True))
    counted = _harm(every.cumsum(axis=1), share)
    by_start = _harm(since.cumsum(axis=2), share).max(axis=2)
    by_start[:, 0] = _harm(first.cumsum(axis=1), share).max(axis=1)
    strongest = starts.strongest(by_start, np.arange(_PERIODS))
    return [
        (wrong if is_caught else shown)("every error counted", ever(counted)),
        ours("a user's first error, starts of (g)", strongest >= np.log(20)),
        ours_at_400("a user's first error, starts of (g)", strongest >= np.log(400)),
    ]


def _harm(counts: IntArray, share: float) -> FloatArray:
    return events.log_e_harm(counts[..., 1:], counts[..., :1], share=share)


def _world(share: float, shape: float, *, is_caught: bool, is_main: bool = False) -> World:
    sentence = (
        f"4,000 users, {share:.0%} of them the candidate's; each errs with a chance of its own (Lomax "
        f"{shape:g}) in each of 144 periods, whatever its arm."
    )
    simulate = partial(_simulate, share=share, shape=shape, is_caught=is_caught)
    key = f"shape {shape:g}, share {share:.0%}"
    return World(key, sentence, simulate, short=SHORT if is_main else 0)


TRAPS = (
    Trap(
        20,
        "every error counted",
        (
            _world(0.05, 1.0, is_caught=True, is_main=True),
            _world(0.05, 0.3, is_caught=True),
            _world(0.5, 0.3, is_caught=False),
        ),
    ),
)
