"""A limit exactly met: binomial tests (13), slow users (17, 18), heavy users (21)."""

from __future__ import annotations

from functools import partial
from typing import Final

import numpy as np

from rollout.stats import slo
from tests.calibration.trap import Claim, Trap, World, ever, wrong
from tests.calibration.traps.slo_limits import binomial_p
from tests.pipeline.answers import Answers, answers, is_violated
from tests.pipeline.columns import SECOND_US, USUAL_US, Outcomes, People, Requests, people
from tests.pipeline.decided import BATCH, goal_alone, not_promoted, not_rolled_back
from tests.pipeline.lived import Column, Schedule, live
from tests.pipeline.questions import SLOW_US, goal, limit, policy_of
from tests.pipeline.sight import CANDIDATE

_SHARE: Final = 0.1
"""The limit: one answer in ten may be slow."""
_MINUTE_US: Final = 60 * SECOND_US
_GAINS: Final = (0.2, 0.6)
"""How many reach the goal in the two arms: so much that the limit alone is in the way of a promotion."""


def _column(
    rng: np.random.Generator, number: int, requests: Requests, chance: np.ndarray, window_s: float
) -> Column:
    """Return people who are slow by a chance of their own, and a candidate that is surely better."""
    policy = policy_of(rng, (5_000,), goal(60), limit(window_s, share=_SHARE))
    who = people(policy, number, reached_by=np.ones(number, dtype=np.int64))
    slow = rng.random(len(requests.unit)) < chance[requests.unit]
    durations = np.where(slow, SLOW_US, USUAL_US)
    return Column(
        who,
        Requests(requests.unit, requests.at_us, dur_us=durations),
        _goals(rng, who, requests),
        policy.name,
    )


def _goals(rng: np.random.Generator, who: People, requests: Requests) -> Outcomes:
    unit, first = np.unique(requests.unit, return_index=True)
    hits = rng.random(len(unit)) < np.where(who.arm[unit] == CANDIDATE, *reversed(_GAINS))
    return Outcomes(unit[hits], requests.at_us[first][hits], np.ones(int(hits.sum()), dtype=np.int64))


_SINGLE: Final = 1_600
_SINGLE_LOOKS: Final = np.array([5, 10, 15, 20, 25]) * _MINUTE_US


def _peeked(rng: np.random.Generator, replicates: int) -> list[Claim]:
    unit = np.arange(_SINGLE)
    columns = [
        _column(
            *(rng, _SINGLE, Requests(unit, np.sort(rng.integers(1, 20 * _MINUTE_US, _SINGLE)))),
            *(np.full(_SINGLE, _SHARE), 60),
        )
        for _ in range(replicates)
    ]
    lived = live(columns, Schedule(_SINGLE_LOOKS))
    seen = [answers(sight) for sight in lived.sights]
    fooled = [bool((binomial_p(one.seen, one.read, _SHARE) <= 0.05).any()) for one in seen]
    return [
        wrong("binomial p-value every five answers", fooled, strong=True),
        not_rolled_back(lived),
        not_promoted(lived),
        goal_alone(lived),
    ]


_LIFE_MIN, _MINUTES, _PER_MINUTE, _ACTIVITY, _ALIKE = 30, 60, 4, 0.5, 0.05
_SLOW_LOOKS: Final = np.array([20, 40, 60, 80, 101]) * _MINUTE_US


def _slow_users(rng: np.random.Generator) -> Column:
    """Return people who live for half an hour, and of whom a few are nearly always slow."""
    arrival = np.repeat(np.arange(_MINUTES), rng.poisson(_PER_MINUTE, _MINUTES))
    active = rng.random((len(arrival), _LIFE_MIN)) < _ACTIVITY
    active[:, 0] = True
    unit, age = np.nonzero(active)
    minute = arrival[unit] + age
    unit, minute = unit[minute < _MINUTES], minute[minute < _MINUTES]
    at_us = minute * _MINUTE_US + rng.integers(1, _MINUTE_US, len(unit))
    chance = rng.beta(_ALIKE, _ALIKE * (1 - _SHARE) / _SHARE, len(arrival))
    return _column(rng, len(arrival), Requests(unit, at_us), chance, _LIFE_MIN * 60)


def _few_are_slow(rng: np.random.Generator, replicates: int, *, is_violation: bool) -> list[Claim]:
    lived = live([_slow_users(rng) for _ in range(replicates)], Schedule(_SLOW_LOOKS))
    windows = [answers(sight).unit_windows() for sight in lived.sights]
    if is_violation:
        fooled = [is_violated(*one, _SHARE) for one in windows]
        return [wrong("(c) on unit-windows alone: violated", fooled), not_rolled_back(lived)]
    proven = [bool(ever(slo.log_e_compliance(*one, limit=_SHARE))) for one in windows]
    return [wrong("(c) on unit-windows: kept", proven, strong=True), not_promoted(lived), goal_alone(lived)]


_HEAVY: Final = 0.1
_HEAVY_REQUESTS: Final = 20
_LIGHT_RATE: Final = 0.02
# At this rate of the heavy users the whole traffic is at the limit: (.1 x 2.9 - .018) / 2.
_HEAVY_RATE: Final = 0.136
_MIXED: Final = 500


def _mixed(rng: np.random.Generator) -> Column:
    """Return a few people with many requests and trouble, and many with one request and hardly any."""
    heavy = rng.random(_MIXED) < _HEAVY
    visits = np.where(heavy, _HEAVY_REQUESTS, 1)
    unit = np.repeat(np.arange(_MIXED), visits)
    arrival_us = rng.integers(1, 20 * _MINUTE_US, _MIXED)
    at_us = arrival_us[unit] + rng.integers(0, 50 * SECOND_US, len(unit))
    return _column(rng, _MIXED, Requests(unit, at_us), np.where(heavy, _HEAVY_RATE, _LIGHT_RATE), 60)


def _heavy_users(rng: np.random.Generator, replicates: int) -> list[Claim]:
    lived = live([_mixed(rng) for _ in range(replicates)], Schedule(_SINGLE_LOOKS))
    fooled = [_fractions_comply(answers(sight)) for sight in lived.sights]
    return [
        wrong("(c) on unit fractions alone: kept", fooled, strong=True),
        not_promoted(lived),
        not_rolled_back(lived),
        goal_alone(lived),
    ]


def _fractions_comply(found: Answers) -> bool:
    slow, requests, at_us = found.by_unit()
    fractions = (slow / requests)[np.argsort(at_us)]
    log_e = slo.log_e_compliance(
        np.cumsum(fractions), np.arange(1, len(fractions) + 1), limit=_SHARE, planned_units=300
    )
    return bool(ever(log_e))


_SLOW_SENTENCE: Final = (
    "4 users arrive a minute for an hour and live 30 min; their chances of a slow answer are Beta(.05, .45), "
    "whose mean is the limit of 10 %"
)

TRAPS = (
    Trap(
        13,
        "naive binomial test of a limit",
        (
            World(
                "pipeline: at the limit",
                "1,600 people with one request each, a tenth of the answers slow; the limit is 10 %.",
                _peeked,
                batch=BATCH,
            ),
        ),
    ),
    Trap(
        17,
        "violation: a few users slow by nature",
        (
            World(
                "pipeline: slow users",
                f"{_SLOW_SENTENCE}.",
                partial(_few_are_slow, is_violation=True),
                batch=BATCH,
            ),
        ),
    ),
    Trap(
        18,
        "compliance: slow users are rare",
        (
            World(
                "pipeline: slow users",
                f"{_SLOW_SENTENCE}; the goal is surely better, so the limit alone is in the way.",
                partial(_few_are_slow, is_violation=False),
                batch=BATCH,
            ),
        ),
    ),
    Trap(
        21,
        "the mean over users complies, the traffic does not",
        (
            World(
                "pipeline: traffic exactly at the limit",
                "A tenth of 500 people send 20 requests, 13.6 % slow, the others one, 2 % slow: the traffic "
                "is at the limit of 10 %; the goal is surely better.",
                _heavy_users,
                batch=BATCH,
            ),
        ),
    ),
)
