"""A small arm with rare or heavy-tailed outcomes: its own variance is small by chance (2, 3)."""

from __future__ import annotations

from typing import Final

import numpy as np

from rollout.domain.policy import Level
from tests.calibration.sums import of_sums, single
from tests.calibration.trap import Claim, Trap, World, ever, wrong
from tests.calibration.traps.rare_outcomes import harm_and_gain
from tests.pipeline.columns import SECOND_US, Outcomes, Requests, people
from tests.pipeline.decided import BATCH, nothing_decided
from tests.pipeline.lived import Column, Schedule, live
from tests.pipeline.questions import goal, policy_of, value
from tests.pipeline.running import against_everybody, conversions, shares, worth

_PEOPLE: Final = 2_000
_SHARE_BP: Final = 500
_RATE: Final = 0.02
_ARRIVE_S, _WINDOW_S = 1_200, 60
_LOOKS: Final = np.array([400, 800, 1_200, 1_400]) * SECOND_US
_MOMENTS: Final = np.linspace(0, _ARRIVE_S, 101)[1:].astype(np.int64) * SECOND_US


def _column(rng: np.random.Generator) -> Column:
    policy = policy_of(rng, (_SHARE_BP,), goal(_WINDOW_S, min_effect=4.0), level=_RATE)
    at_us = np.sort(rng.integers(1, _ARRIVE_S * SECOND_US, _PEOPLE))
    hits = np.flatnonzero(rng.random(_PEOPLE) < _RATE)
    told = Outcomes(hits, at_us[hits], np.ones(len(hits), dtype=np.int64))
    return Column(people(policy, _PEOPLE), Requests(np.arange(_PEOPLE), at_us), told, policy.name)


def _rare(rng: np.random.Generator, replicates: int) -> list[Claim]:
    lived = live([_column(rng) for _ in range(replicates)], Schedule(_LOOKS))
    units, hits = (against_everybody(part) for part in conversions(lived.sights, _MOMENTS))
    share = _SHARE_BP / 10_000
    others, candidate = (single(shares(units[arm], hits[arm])) for arm in (0, 1))
    _, _, careless = harm_and_gain(others, candidate, _PEOPLE * share * (1 - share) / 2)
    return [wrong("own variances, no minimum: harm", ever(careless), strong=True), *nothing_decided(lived)]


_PAYERS: Final = 0.4
_LOG_MEAN, _LOG_DEVIATION = 3.0, 1.6


def _revenue_column(rng: np.random.Generator) -> Column:
    deviation = np.exp(_LOG_MEAN + _LOG_DEVIATION**2)
    level = Level(_PAYERS * np.exp(_LOG_MEAN + _LOG_DEVIATION**2 / 2), _PAYERS**0.5 * deviation)
    policy = policy_of(rng, (_SHARE_BP,), value(_WINDOW_S, min_effect=1.0), level=level)
    at_us = np.sort(rng.integers(1, _ARRIVE_S * SECOND_US, _PEOPLE))
    payers = np.flatnonzero(rng.random(_PEOPLE) < _PAYERS)
    told = Outcomes(payers, at_us[payers], rng.lognormal(_LOG_MEAN, _LOG_DEVIATION, len(payers)))
    return Column(people(policy, _PEOPLE), Requests(np.arange(_PEOPLE), at_us), told, policy.name)


def _revenue(rng: np.random.Generator, replicates: int) -> list[Claim]:
    lived = live([_revenue_column(rng) for _ in range(replicates)], Schedule(_LOOKS))
    sums = np.stack([against_everybody(part) for part in worth(lived.sights, _MOMENTS)])
    others, candidate = (single(of_sums(*sums[:3, arm])) for arm in (0, 1))
    share = _SHARE_BP / 10_000
    _, _, careless = harm_and_gain(others, candidate, _PEOPLE * share * (1 - share) / 2)
    return [wrong("own variances, no minimum: harm", ever(careless)), *nothing_decided(lived)]


TRAPS = (
    Trap(
        2,
        "own variances of a tiny arm, rare conversions",
        (
            World(
                "pipeline: conversions",
                "2,000 people, 5 % of them the candidate's; 2 % convert everywhere.",
                _rare,
                batch=BATCH,
            ),
        ),
    ),
    Trap(
        3,
        "own variances of a small arm, revenue",
        (
            World(
                "pipeline: revenue",
                "2,000 people, 5 % of them the candidate's; 40 % pay, log-normally alike.",
                _revenue,
                batch=BATCH,
            ),
        ),
    ),
)
