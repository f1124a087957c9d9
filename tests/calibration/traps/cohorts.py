"""Traps of users who return: moved into the candidate halfway (7), or counted again on every day (8)."""

from __future__ import annotations

from functools import partial

import numpy as np

from rollout.stats import means
from rollout.stats.moments import Moments
from tests.calibration.sums import as_they_close, of_sums, single
from tests.calibration.trap import BoolArray, Claim, FloatArray, IntArray, Trap, World, ever, promised, wrong

_USERS = 30_000
_SHARES = np.array([0.01, 0.05, 0.25, 0.5])
_STEPS = len(_SHARES)
_PERIODS_PER_STEP = 5
_PERIODS = _PERIODS_PER_STEP * _STEPS
_NOISE = 0.3
_MOVED_PLANNED = 2_400.0
_STICKY_USERS = 4_000
_DAYS = 14


def _moved(rng: np.random.Generator, replicates: int) -> list[Claim]:
    found = [_moved_sums(rng) for _ in range(replicates)]
    careless, ours = (np.stack([pair[way] for pair in found], axis=1) for way in (0, 1))
    return [
        wrong("moved users counted again, against leftovers", ever(two_sided(careless)), strong=True),
        *promised("(a) two-sided, one entry per user, mirrored homes", two_sided(ours)),
    ]


def two_sided(sums: FloatArray, *, planned: float = _MOVED_PLANNED) -> FloatArray:
    """Return log e from sums [power, replicate, look, stratum, arm]."""
    arms = [of_sums(*(power[..., arm] for power in sums)) for arm in (0, 1)]
    return means.log_e_two_sided(means.contrast(*arms), planned_information=planned)


def _moved_sums(rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Return one replicate's sums [power, look, stratum, arm], of the wrong way and of ours."""
    bucket = rng.random(_USERS)
    activity = rng.beta(0.6, 1.2, _USERS)
    is_active = rng.random((_USERS, _PERIODS), dtype=np.float32) < activity[:, None]
    level = activity - activity.mean()
    outcome = level[:, None] + _NOISE * rng.standard_normal((_USERS, _STEPS))
    entry = _first(is_active)
    # When the bucket's block is activated; the home of the control mirrors the candidate's.
    block = np.searchsorted(_SHARES, bucket % 0.5, side="right")
    since = _first(is_active & (np.arange(_PERIODS) >= _PERIODS_PER_STEP * block[:, None]))
    is_candidate = bucket < 0.5
    user, period, arm = careless_entries(entry, np.where(is_candidate, since, _PERIODS), _PERIODS)
    careless = _entry_sums(outcome, user, period, period // _PERIODS_PER_STEP, arm)
    own = np.flatnonzero(since < _PERIODS)
    return careless, _entry_sums(outcome, own, since[own], block[own], is_candidate[own].astype(np.int64))


def careless_entries(entry: IntArray, since: IntArray, never: int) -> tuple[IntArray, IntArray, IntArray]:
    """Return the wrong way's entries (user, period, arm): at the first activity, and once more when moved.

    `since` is when a user became the candidate's; a period of `never` has not come.
    """
    moved = since < never
    leftover = (entry < never) & ~(moved & (since == entry))
    return (
        np.concatenate([np.flatnonzero(leftover), np.flatnonzero(moved)]),
        np.concatenate([entry[leftover], since[moved]]),
        np.repeat([0, 1], [leftover.sum(), moved.sum()]),
    )


def _first(is_active: BoolArray) -> IntArray:
    """Return each user's first active period, or the number of periods when there is none."""
    return np.where(is_active.any(axis=1), is_active.argmax(axis=1), _PERIODS)


def _entry_sums(
    outcome: FloatArray, user: IntArray, period: IntArray, stratum: IntArray, arm: IntArray
) -> FloatArray:
    """Return running sums of n, y, y² [power, look, stratum, arm] over the entries so far."""
    return running_sums(outcome[user, period // _PERIODS_PER_STEP], period, stratum, arm)


def running_sums(value: FloatArray, period: IntArray, stratum: IntArray, arm: IntArray) -> FloatArray:
    """Return running sums of n, y, y² [power, look, stratum, arm] over entries of these values."""
    cell = (period * _STEPS + stratum) * 2 + arm
    shape = (_PERIODS, _STEPS, 2)
    sums = [
        np.bincount(cell, power, _PERIODS * _STEPS * 2).reshape(shape)
        for power in (value**0, value, value**2)
    ]
    return np.cumsum(sums, axis=1)


def _sticky(rng: np.random.Generator, replicates: int, *, lasting: float) -> list[Claim]:
    """`lasting` is the share of the variance that stays with the user; arms are the halves of the users."""
    shape = (replicates, 2, _STICKY_USERS // 2)
    own = np.sqrt(lasting) * rng.standard_normal(shape)
    spread = np.sqrt(1 - lasting)
    days = [own + spread * rng.standard_normal(shape) for _ in range(_DAYS)]
    per_day = np.stack([[day.sum(axis=-1), (day**2).sum(axis=-1)] for day in days], axis=-1)
    arms = [of_sums(np.full((replicates, _DAYS), shape[-1]), *per_day[:, :, arm]) for arm in (0, 1)]
    daily = user_days(*arms, planned=_STICKY_USERS / 4 * _DAYS / 2)
    once = means.log_e_two_sided(_once(days[0]), planned_information=_STICKY_USERS / 8)
    return [
        wrong("user-days as units, a stratum per day", ever(daily), strong=lasting > 0.5),
        *promised("(a) two-sided, one contribution per user", once),
    ]


def user_days(control: Moments, candidate: Moments, *, planned: float) -> FloatArray:
    """Return the wrong way's log e: every user is a new unit on every day, and a day is a stratum."""
    nested = [
        Moments.of(as_they_close(arm.n), as_they_close(arm.mean), as_they_close(arm.ss))
        for arm in (control, candidate)
    ]
    return means.log_e_two_sided(means.contrast(*nested), planned_information=planned)


def _once(first_day: FloatArray) -> means.Contrast:
    """Return the contrast of the first day's values, a fourteenth of the users closing each day."""
    closed = first_day.shape[-1] * np.arange(1, _DAYS + 1) // _DAYS
    total, squares = (np.cumsum(power, axis=-1)[..., closed - 1] for power in (first_day, first_day**2))
    arms = [
        single(of_sums(np.broadcast_to(closed, total[:, arm].shape), total[:, arm], squares[:, arm]))
        for arm in (0, 1)
    ]
    return means.contrast(*arms)


TRAPS = (
    Trap(
        7,
        "units moved to the candidate against leftover controls",
        (
            World(
                "return visits",
                "30,000 users of very different activity; the share grows in four steps.",
                _moved,
            ),
        ),
    ),
    Trap(
        8,
        "the same users as new units every day",
        (
            World(
                "30 % lasting",
                "4,000 users, 14 days, 30 % of the variance per user.",
                partial(_sticky, lasting=0.3),
            ),
            World(
                "70 % lasting",
                "4,000 users, 14 days, 70 % of the variance per user.",
                partial(_sticky, lasting=0.7),
            ),
        ),
    ),
)
