"""A growing share: pooled steps (4), strata that look precise (5), late conversions (6)."""

from __future__ import annotations

from functools import partial
from typing import Final

import numpy as np

from rollout.stats import events, means
from rollout.stats.arrays import IntArray
from tests.calibration.sums import single
from tests.calibration.trap import Claim, Trap, World, ever, wrong
from tests.calibration.traps.ramps import inverse_variance_z
from tests.pipeline.columns import SECOND_US, Outcomes, Requests, people
from tests.pipeline.decided import BATCH, not_promoted, nothing_decided
from tests.pipeline.lived import Column, Schedule, live
from tests.pipeline.questions import goal, policy_of
from tests.pipeline.running import against_everybody, conversions, shares, so_far
from tests.pipeline.short_chain import Converting, as_it_is
from tests.pipeline.sight import CANDIDATE, Sight

_WEIGHTS_BP: Final = (100, 500, 2_500, 5_000)
_SHARES: Final = np.array(_WEIGHTS_BP) / 10_000
_STEP_S: Final = 600
_STEPS_US: Final = tuple(step * _STEP_S * SECOND_US for step in range(len(_WEIGHTS_BP)))
_END_S: Final = _STEP_S * len(_WEIGHTS_BP)
_PER_STEP: Final = 300
_TREND: Final = np.array([0.1, 0.2, 0.3, 0.4])
_LOSS: Final = 0.95
_WINDOW_S: Final = 60
_LOOKS: Final = np.array([600, 1_200, 1_800, 2_100, 2_400, 2_600]) * SECOND_US
_MOMENTS: Final = np.linspace(0, _END_S, 121)[1:].astype(np.int64) * SECOND_US


def _climbing(rng: np.random.Generator, *, effect: float) -> Column:
    """Return people who convert more from step to step, the candidate's a little less."""
    number = _PER_STEP * len(_WEIGHTS_BP)
    policy = policy_of(rng, _WEIGHTS_BP, goal(_WINDOW_S))
    who = people(policy, number)
    at_us = np.sort(rng.integers(1, _END_S * SECOND_US, number))
    step = at_us // (_STEP_S * SECOND_US)
    treated = (who.arm == CANDIDATE) & (who.block > 0) & (who.block <= step + 1)
    hits = np.flatnonzero(rng.random(number) < _TREND[step] * np.where(treated, effect, 1.0))
    told = Outcomes(hits, at_us[hits] + SECOND_US, np.ones(len(hits), dtype=np.int64))
    return Column(who, Requests(np.arange(number), at_us), told, policy.name)


def climbing(
    rng: np.random.Generator, replicates: int, *, effect: float = 1.0, converting: Converting = as_it_is
) -> list[Claim]:
    """Return the claims about a ramp; a test hands in a recorder that takes the rest for controls."""
    columns = [_climbing(rng, effect=effect) for _ in range(replicates)]
    lived = live(columns, Schedule(_LOOKS, _STEPS_US), converting=converting)
    units, hits = (against_everybody(part) for part in conversions(lived.sights, _MOMENTS))
    contrast = means.contrast(*(single(shares(units[arm], hits[arm])) for arm in (0, 1)))
    planned = float(contrast.information[..., -1].mean()) / 2
    gain = means.log_e_greater(contrast, planned_information=planned)
    gain = np.where(means.enough_units(*hits), gain, 0.0)
    mistake = wrong("totals over steps against control and rest: gain", ever(gain), strong=True)
    # A true loss may be found: then it is rolled back rightly.
    return [mistake, *([not_promoted(lived)] if effect < 1 else nothing_decided(lived))]


_HOURS: Final = 20
_HOUR_S: Final = 3_600
_PER_HOUR: Final = 100
_FEW_BP: Final = 1_000
_FLAT_RATE: Final = 0.2


def _hourly(rng: np.random.Generator) -> Column:
    number = _HOURS * _PER_HOUR
    policy = policy_of(rng, (_FEW_BP,), goal(_WINDOW_S, min_effect=1.0))
    who = people(policy, number)
    at_us = np.sort(rng.integers(1, _HOURS * _HOUR_S * SECOND_US, number))
    hits = np.flatnonzero(rng.random(number) < _FLAT_RATE)
    told = Outcomes(hits, at_us[hits], np.ones(len(hits), dtype=np.int64))
    return Column(who, Requests(np.arange(number), at_us), told, policy.name)


def _strata(rng: np.random.Generator, replicates: int) -> list[Claim]:
    looks = np.array([5, 10, 15, 20, 20.1]) * _HOUR_S * SECOND_US
    lived = live([_hourly(rng) for _ in range(replicates)], Schedule(looks.astype(np.int64)))
    hours = np.arange(1, _HOURS + 1) * _HOUR_S * SECOND_US
    counts = (against_everybody(part) for part in conversions(lived.sights, hours))
    units, hits = (np.diff(part, axis=-1, prepend=0) for part in counts)
    z = np.array([_last_z(units[:, one], hits[:, one]) for one in range(replicates)])
    mistake = wrong("hours weighted by 1/variance, z test at the end: harm", z < -1.645, strong=True)
    return [mistake, *nothing_decided(lived)]


def _last_z(units: IntArray, hits: IntArray) -> float:
    """Return the z of all strata in which both arms have units enough for a variance, and not all alike."""
    usable = (units.min(axis=0) > 1) & ((hits > 0) & (hits < units)).any(axis=0)
    arms = [shares(units[arm, usable], hits[arm, usable]) for arm in (0, 1)]
    return float(inverse_variance_z(*arms)[-1])


_LATE_PER_STEP: Final = 400
_LATE_RATE: Final = 0.5
_MEAN_DELAY_S, _LATE_WINDOW_S = 600.0, 900
_LATE_LOOKS: Final = np.array([1_200, 2_400, 3_000, 3_700, 4_300]) * SECOND_US


def _late(rng: np.random.Generator) -> Column:
    """Return people who convert long after they came."""
    number = _LATE_PER_STEP * len(_WEIGHTS_BP)
    policy = policy_of(rng, _WEIGHTS_BP, goal(_LATE_WINDOW_S), level=0.4)
    who = people(policy, number)
    at_us = np.sort(rng.integers(1, _END_S * SECOND_US, number))
    hits = np.flatnonzero(rng.random(number) < _LATE_RATE)
    after_us = (rng.exponential(_MEAN_DELAY_S, len(hits)) * SECOND_US).astype(np.int64)
    told = Outcomes(hits, at_us[hits] + after_us, np.ones(len(hits), dtype=np.int64))
    return Column(who, Requests(np.arange(number), at_us), told, policy.name)


def _delayed(rng: np.random.Generator, replicates: int) -> list[Claim]:
    lived = live([_late(rng) for _ in range(replicates)], Schedule(_LATE_LOOKS, _STEPS_US))
    happened = np.stack([_by_step_of_outcome(sight) for sight in lived.sights], axis=1)
    log_e = events.log_e_two_sided(happened[1], happened[0], share=_SHARES, concentration=100 * _SHARES).sum(
        axis=-1
    )
    mistake = wrong("(b), conversions in the step where they happen", ever(log_e), strong=True)
    return [mistake, *nothing_decided(lived)]


def _by_step_of_outcome(sight: Sight) -> IntArray:
    """Return conversions so far [others or candidate, moment, step at the time of the outcome]."""
    owner = sight.owner(sight.goal_unit)
    treated = (owner >= 0) & (sight.enrolled.arm[owner] == CANDIDATE)
    step = np.minimum(sight.goal_at_us // (_STEP_S * SECOND_US), len(_WEIGHTS_BP) - 1)
    return np.stack(
        [
            np.stack(
                [
                    so_far(sight.goal_at_us[(treated == is_treated) & (step == one)], _MOMENTS)
                    for one in range(len(_WEIGHTS_BP))
                ],
                axis=-1,
            )
            for is_treated in (False, True)
        ]
    )


TRAPS = (
    Trap(
        4,
        "pooling a ramp under a trend",
        (
            World(
                "pipeline: truly worse",
                "Shares 1, 5, 25, 50 % of 300 people per step; the base rate climbs from 10 to 40 %; -5 %.",
                partial(climbing, effect=_LOSS),
                batch=BATCH,
            ),
            World(
                "pipeline: no effect",
                "The same without any effect.",
                climbing,
                batch=BATCH,
            ),
        ),
    ),
    Trap(
        5,
        "weighting strata by 1/variance",
        (
            World(
                "pipeline: hours",
                "20 hours of 100 people, a tenth of them the candidate's; 20 % convert everywhere.",
                _strata,
                batch=BATCH,
            ),
        ),
    ),
    Trap(
        6,
        "delayed conversions by the time they happen",
        (
            World(
                "pipeline: delays",
                "Half of 400 people per step convert, after as long as a step on average.",
                _delayed,
                batch=BATCH,
            ),
        ),
    ),
)
