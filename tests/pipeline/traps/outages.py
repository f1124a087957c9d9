"""Bursts of slow answers (12) and a shared outage (19): requests are no independent trials."""

from __future__ import annotations

from typing import Final

import numpy as np

from rollout.domain.records import WINDOW_US
from rollout.stats import bars, slo
from rollout.stats.arrays import BoolArray, FloatArray, IntArray
from tests.calibration.trap import Claim, Trap, World, wrong
from tests.calibration.traps.bursts import bursts
from tests.calibration.unit_sums import joint_of_single_requests
from tests.pipeline.answers import answers, is_violated
from tests.pipeline.columns import SECOND_US, USUAL_US, Requests, people
from tests.pipeline.decided import BATCH, not_rolled_back
from tests.pipeline.lived import Column, Lived, Schedule, live
from tests.pipeline.questions import SLOW_US, limit, policy_of

_SHARE: Final = 0.1
_MINUTE_US: Final = 60 * SECOND_US
_QUIET: Final = 0.02
_LEAVE: Final = 1 / 6


def _column(
    rng: np.random.Generator, unit: IntArray, window: IntArray, slow: BoolArray, weight_bp: int
) -> Column:
    """Return requests at any moment of their windows of ten seconds."""
    number = int(unit.max()) + 1
    policy = policy_of(rng, (weight_bp,), limit(60, share=_SHARE))
    everybody = None if weight_bp < 5_000 else np.ones(number, dtype=np.int64)
    who = people(policy, number, reached_by=everybody)
    at_us = window * WINDOW_US + rng.integers(1, WINDOW_US, len(window))
    return Column(who, Requests(unit, at_us, dur_us=np.where(slow, SLOW_US, USUAL_US)))


def _on_requests(lived: Lived) -> list[bool]:
    seen = [answers(sight) for sight in lived.sights]
    return [is_violated(one.seen, one.read, _SHARE) for one in seen]


_PLACES, _PER_WINDOW, _HOUR, _LIFE = 10, 10, 360, 60
_BURSTING: Final = 0.1
# The long-run share of slow answers is the limit: .02 x .9 + .82 x .1.
_OWN_BURST: Final = 0.82
_ALONE_LOOKS: Final = np.array([10, 20, 30, 40, 50, 60, 63]) * _MINUTE_US


def _alone(rng: np.random.Generator) -> Column:
    """Return ten places whose users each live for ten minutes, and are slow for a minute now and then."""
    begun = np.arange(_HOUR)[:, None] + _LIFE // _PLACES * np.arange(_PLACES)
    bursting = bursts(rng, (1, _PLACES), begun % _LIFE == 0, bursting=_BURSTING, leave=_LEAVE)[0]
    window = np.repeat(np.arange(_HOUR), _PER_WINDOW)
    place = rng.integers(0, _PLACES, len(window))
    slow = rng.random(len(window)) < np.where(bursting[window, place], _OWN_BURST, _QUIET)
    lives = (window + _LIFE // _PLACES * place) // _LIFE
    return _column(rng, place + _PLACES * lives, window, slow, 5_000)


def _each_alone(rng: np.random.Generator, replicates: int) -> list[Claim]:
    lived = live([_alone(rng) for _ in range(replicates)], Schedule(_ALONE_LOOKS))
    windows = [answers(sight).unit_windows() for sight in lived.sights]
    return [
        wrong("(c) on requests: violated", _on_requests(lived), strong=True),
        wrong("(c) on unit-windows alone: violated", [is_violated(*one, _SHARE) for one in windows]),
        not_rolled_back(lived),
    ]


_SHARED_WINDOWS, _SHARED_USERS, _ALL_PER_WINDOW, _THIRD_BP = 240, 300, 15, 3_300
_SHARED_QUIET, _SHARED_BURSTING, _SHARED_BURST = 0.03, 0.06, 0.8
_SHARED_LOOKS: Final = np.array([10, 20, 30, 40, 43]) * _MINUTE_US


def _together(rng: np.random.Generator, replicates: int) -> list[Claim]:
    lived = live([_shared(rng) for _ in range(replicates)], Schedule(_SHARED_LOOKS))
    return [
        wrong("(c) on requests, outages counted: violated", _on_requests(lived), strong=True),
        not_rolled_back(lived),
    ]


def _shared(rng: np.random.Generator) -> Column:
    """Return a service that is slow for everybody now and then."""
    never = np.zeros((_SHARED_WINDOWS, 1), dtype=np.bool_)
    bursting = bursts(rng, (1, 1), never, bursting=_SHARED_BURSTING, leave=_LEAVE)[0, :, 0]
    return _alike(rng, np.where(bursting, _SHARED_BURST, _SHARED_QUIET))


def _alike(rng: np.random.Generator, chance: FloatArray) -> Column:
    window = np.repeat(np.arange(len(chance)), _ALL_PER_WINDOW)
    unit = rng.integers(0, _SHARED_USERS, len(window))
    return _column(rng, unit, window, rng.random(len(window)) < chance[window], _THIRD_BP)


_OUTAGE_WINDOWS: Final = slice(60, 90)
_OUTAGE_RATE: Final = 0.6


def _outage(rng: np.random.Generator, replicates: int) -> list[Claim]:
    chance = np.full(_SHARED_WINDOWS, _QUIET)
    chance[_OUTAGE_WINDOWS] = _OUTAGE_RATE
    lived = live([_alike(rng, chance) for _ in range(replicates)], Schedule(_SHARED_LOOKS))
    seen = [answers(sight) for sight in lived.sights]
    fooled = [_without_the_rule(one.seen, one.read) for one in seen]
    return [wrong("no environment rule: violated", fooled, strong=True), not_rolled_back(lived)]


def _without_the_rule(slow: IntArray, requests: IntArray) -> bool:
    """Return whether both violation tests are ever fooled, each request taken for a unit of its own."""
    windows = slo.log_e_violation(slow, requests, limit=_SHARE)
    totals = joint_of_single_requests(slow, requests)
    units = slo.log_e_units_violation(totals, limit=_SHARE, exceeding_units=slow)
    return bool((bars.both(windows, units) >= np.log(20)).any())


TRAPS = (
    Trap(
        12,
        "bursts counted request by request",
        (
            World(
                "pipeline: each user alone",
                "The limit of 10 % is exactly met for an hour: ten users at a time live for 10 min, and are "
                "slow for a minute a tenth of the time.",
                _each_alone,
                batch=BATCH,
            ),
            World(
                "pipeline: shared with the baseline",
                "6 % of the time everybody is slow for a minute; a third of the users are the candidate's.",
                _together,
                batch=BATCH,
            ),
        ),
    ),
    Trap(
        19,
        "a shared outage",
        (
            World(
                "pipeline: everyone is slow for five minutes",
                "2 % of the answers are slow for 40 min, in five of them 60 %; the limit is 10 %.",
                _outage,
                batch=BATCH,
            ),
        ),
    ),
)
