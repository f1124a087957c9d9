"""People who return: moved into the candidate halfway (7), counted every day (8), measured for ever (15)."""

from __future__ import annotations

from functools import partial
from typing import Final

import numpy as np

from rollout.domain.policy import Level
from rollout.stats import means
from rollout.stats.arrays import FloatArray
from rollout.stats.moments import Moments
from tests.calibration.sums import of_sums, single
from tests.calibration.trap import Claim, Trap, World, ever, wrong
from tests.calibration.traps.cohorts import careless_entries, running_sums, two_sided, user_days
from tests.pipeline.columns import SECOND_US, Outcomes, Requests, people
from tests.pipeline.decided import BATCH, nothing_decided
from tests.pipeline.lived import DAY_US, Column, Schedule, live
from tests.pipeline.questions import policy_of, value
from tests.pipeline.sight import CANDIDATE, Sight

_WEIGHTS_BP: Final = (100, 500, 2_500, 5_000)
_PER_STEP, _PERIOD_US = 5, 120 * SECOND_US
_PERIODS: Final = _PER_STEP * len(_WEIGHTS_BP)
_STEPS_US: Final = tuple(step * _PER_STEP * _PERIOD_US for step in range(len(_WEIGHTS_BP)))
_USERS, _NOISE = 400, 0.3
_MOVED_LOOKS: Final = np.array([5, 10, 13, 16, 20, 22]) * _PERIOD_US


def _returning(rng: np.random.Generator) -> Column:
    """Return people of very different activity, who report what they are worth at every visit."""
    activity = rng.beta(0.6, 1.2, _USERS)
    unit, period = np.nonzero(rng.random((_USERS, _PERIODS)) < activity[:, None])
    at_us = period * _PERIOD_US + rng.integers(1, _PERIOD_US, len(unit))
    worth = (activity - activity.mean())[:, None] + _NOISE * rng.standard_normal((_USERS, len(_WEIGHTS_BP)))
    policy = policy_of(rng, _WEIGHTS_BP, value(60, min_effect=0.9), level=Level(0.2, 0.4))
    told = Outcomes(unit, at_us, worth[unit, period // _PER_STEP])
    return Column(people(policy, _USERS), Requests(unit, at_us), told, policy.name)


def _moved(rng: np.random.Generator, replicates: int) -> list[Claim]:
    lived = live([_returning(rng) for _ in range(replicates)], Schedule(_MOVED_LOOKS, _STEPS_US))
    sums = np.stack([_careless(sight) for sight in lived.sights], axis=1)
    log_e = two_sided(sums, planned=_USERS / 16)
    mistake = wrong("moved users counted again, against leftovers", ever(log_e), strong=True)
    return [mistake, *nothing_decided(lived)]


def _careless(sight: Sight) -> FloatArray:
    """Return the wrong way's sums: whoever becomes the candidate's enters again, the others at once."""
    users, first, row_user = np.unique(sight.goal_unit, return_index=True, return_inverse=True)
    owner = sight.owner(sight.goal_unit)
    treated = (owner >= 0) & (sight.enrolled.arm[owner] == CANDIDATE)
    rows = np.flatnonzero(treated & (sight.goal_at_us >= sight.enrolled.at_us[owner]))
    moved_user, moved = np.unique(row_user[rows], return_index=True)
    entry_row, since_row = first, np.full(len(users), -1)
    since_row[moved_user] = rows[moved]
    period = sight.goal_at_us // _PERIOD_US
    entry = period[entry_row]
    since = np.where(since_row >= 0, period[since_row], _PERIODS)
    user, at, arm = careless_entries(entry, since, _PERIODS)
    row = np.where(arm == CANDIDATE, since_row[user], entry_row[user])
    return running_sums(sight.goal_value[row], at, at // _PER_STEP, arm)


_STICKY, _DAYS = 150, 14
_STICKY_LOOKS: Final = np.array([1, 2.1, 5, 10, 14])


def _sticky(rng: np.random.Generator, *, lasting: float) -> Column:
    """Return people who come every day, most of whose worth is their own."""
    unit, day = np.repeat(np.arange(_STICKY), _DAYS), np.tile(np.arange(_DAYS), _STICKY)
    at_us = day * DAY_US + rng.integers(1, DAY_US, len(unit))
    own = np.sqrt(lasting) * rng.standard_normal(_STICKY)
    worth = 10 + own[unit] + np.sqrt(1 - lasting) * rng.standard_normal(len(unit))
    policy = policy_of(rng, (5_000,), value(86_400, min_effect=0.08), level=Level(10.0, 1.0))
    who = people(policy, _STICKY, reached_by=np.ones(_STICKY, dtype=np.int64))
    return Column(who, Requests(unit, at_us), Outcomes(unit, at_us, worth), policy.name)


def _every_day(rng: np.random.Generator, replicates: int, *, lasting: float) -> list[Claim]:
    looks = (_STICKY_LOOKS * DAY_US).astype(np.int64)
    lived = live([_sticky(rng, lasting=lasting) for _ in range(replicates)], Schedule(looks))
    sums = np.stack([_daily(sight) for sight in lived.sights], axis=2)
    control, candidate = (of_sums(*sums[:, arm]) for arm in (0, 1))
    log_e = user_days(control, candidate, planned=_STICKY / 4 * _DAYS / 2)
    mistake = wrong("user-days as units, a stratum per day", ever(log_e), strong=lasting > 0.5)
    return [mistake, *nothing_decided(lived)]


def _daily(sight: Sight) -> FloatArray:
    """Return n, y and y² of each day, [power, arm, day]."""
    owner = sight.owner(sight.goal_unit)
    cell = sight.enrolled.arm[owner] * _DAYS + sight.goal_at_us // DAY_US
    return np.stack(
        [np.bincount(cell, sight.goal_value**power, 2 * _DAYS).reshape(2, _DAYS) for power in (0, 1, 2)]
    )


_COHORT, _TICK_US, _TICKS, _WINDOW_TICKS = 70, SECOND_US, 100_000, 60
_REPORTS: Final = np.unique(np.geomspace(1, _TICKS, 120).astype(np.int64))
_COHORT_LOOKS: Final = np.array([200, 1_000, 10_000, 100_000]) * _TICK_US


def _cohort(rng: np.random.Generator) -> Column:
    """Return people of whom no more come; each report holds what happened since the one before."""
    ticks = np.diff(_REPORTS, prepend=0)
    worth = np.sqrt(ticks) * rng.standard_normal((_COHORT, len(_REPORTS)))
    unit, report = np.indices(worth.shape).reshape(2, -1)
    at_us = np.full(_COHORT, 1)
    policy = policy_of(
        rng, (5_000,), value(_WINDOW_TICKS, min_effect=8.0), level=Level(1.0, float(np.sqrt(_WINDOW_TICKS)))
    )
    who = people(policy, _COHORT, reached_by=np.ones(_COHORT, dtype=np.int64))
    told = Outcomes(unit, _REPORTS[report] * _TICK_US, worth.ravel())
    return Column(who, Requests(np.arange(_COHORT), at_us), told, policy.name)


def _open_ended(rng: np.random.Generator, replicates: int) -> list[Claim]:
    lived = live([_cohort(rng) for _ in range(replicates)], Schedule(_COHORT_LOOKS))
    fooled = [_measured_again(sight) for sight in lived.sights]
    return [wrong("a cohort measured 100,000 times", fooled), *nothing_decided(lived)]


def _measured_again(sight: Sight) -> bool:
    """Return whether means so far, of the same units at every report, are ever taken for new evidence."""
    owner = sight.owner(sight.goal_unit)
    report = np.searchsorted(_REPORTS * _TICK_US, sight.goal_at_us)
    worth = np.zeros((len(sight.enrolled.unit), len(_REPORTS)))
    worth[owner, report] = sight.goal_value
    so_far = worth.cumsum(axis=1) / _REPORTS
    own = sight.enrolled.arm == CANDIDATE
    arms = [_moments(so_far[rows]) for rows in (~own, own)]
    contrast = means.contrast(*arms)
    return bool(ever(means.log_e_two_sided(contrast, planned_information=contrast.information[0])))


def _moments(values: FloatArray) -> Moments:
    """Return the moments of units at each report."""
    count = np.full(values.shape[1], len(values))
    return single(of_sums(count, values.sum(axis=0), (values**2).sum(axis=0)))


TRAPS = (
    Trap(
        7,
        "units moved to the candidate against leftover controls",
        (
            World(
                "pipeline: return visits",
                "400 people of very different activity report their worth at every visit, in four steps.",
                _moved,
                batch=BATCH,
            ),
        ),
    ),
    Trap(
        8,
        "the same users as new units every day",
        (
            World(
                "pipeline: 70 % lasting",
                "150 people come on 14 days; 70 % of the variance of their worth is their own.",
                partial(_every_day, lasting=0.7),
                batch=BATCH,
            ),
        ),
    ),
    Trap(
        15,
        "one cohort measured for ever",
        (
            World(
                "pipeline: fixed cohort",
                "70 people report 105 times, at growing intervals, what 100,000 ticks were worth; a unit's "
                "window of 60 ticks closes once, and nothing that comes later is counted.",
                _open_ended,
                batch=BATCH,
            ),
        ),
    ),
)
