"""Counting requests where people are the units: heavy users' errors (9), the sample ratio (10)."""

from __future__ import annotations

from typing import Final

import numpy as np

from rollout.domain.metric import Metric
from rollout.stats import balance, events
from rollout.stats.arrays import IntArray
from tests.calibration.trap import Claim, Trap, World, ever, wrong
from tests.pipeline.columns import SECOND_US, Requests, people
from tests.pipeline.decided import BATCH, not_mismatched, not_rolled_back
from tests.pipeline.lived import Column, Schedule, live
from tests.pipeline.questions import MISMATCH_ALPHA, errors, goal, policy_of
from tests.pipeline.running import so_far
from tests.pipeline.short_chain import Converting, as_it_is
from tests.pipeline.sight import CANDIDATE, CONTROL, Sight

_PEOPLE: Final = 300
_MOST: Final = 200
_ARRIVE_S, _STAY_S, _WINDOW_S = 1_080, 120, 60
_LOOKS: Final = np.array([300, 600, 900, 1_200, 1_400]) * SECOND_US
_MOMENTS: Final = np.linspace(0, 1_200, 61)[1:].astype(np.int64) * SECOND_US


def column(rng: np.random.Generator, metric: Metric) -> Column:
    """Return people of whom a few send very many requests, and a few err again and again."""
    policy = policy_of(rng, (5_000,), metric)
    who = people(policy, _PEOPLE, reached_by=np.ones(_PEOPLE, dtype=np.int64))
    visits = np.minimum(1 + np.rint(rng.lognormal(1.0, 1.2, _PEOPLE)).astype(np.int64), _MOST)
    unit = np.repeat(np.arange(_PEOPLE), visits)
    arrival_us = rng.integers(1, _ARRIVE_S * SECOND_US, _PEOPLE)
    at_us = arrival_us[unit] + rng.integers(0, _STAY_S * SECOND_US, len(unit))
    failed = rng.random(len(unit)) < rng.beta(0.1, 0.9, _PEOPLE)[unit]
    return Column(who, Requests(unit, at_us, failed=failed))


def erring(rng: np.random.Generator, replicates: int, *, converting: Converting = as_it_is) -> list[Claim]:
    """Return the claims about errors; a test hands in a recorder that takes every request for a unit."""
    asked = errors(_WINDOW_S, margin=0.01, floor=0.001)
    lived = live([column(rng, asked) for _ in range(replicates)], Schedule(_LOOKS), converting=converting)
    failed = np.stack([_by_arm(sight, only_failed=True) for sight in lived.sights], axis=1)
    beta = events.log_e_greater(failed[1], failed[0], concentration=100)
    mixture = events.log_e_harm(failed[1][..., None], failed[0][..., None], share=[0.5])
    return [
        wrong("(b) on requests, k = 100: harm", ever(beta)),
        wrong("(b) mixture on requests: harm", ever(mixture), strong=True),
        not_rolled_back(lived),
        not_mismatched(lived),
    ]


def split(rng: np.random.Generator, replicates: int, *, converting: Converting = as_it_is) -> list[Claim]:
    """Return the claims about the split; the same test hands in the same recorder."""
    columns = [column(rng, goal(_WINDOW_S)) for _ in range(replicates)]
    lived = live(columns, Schedule(_LOOKS), converting=converting)
    requests = np.stack([_by_arm(sight, only_failed=False) for sight in lived.sights], axis=-1)
    log_e = balance.log_e(np.moveaxis(requests, (0, 1, 2), (2, 1, 0))[..., None, :], [0.5, 0.5])
    by_request = ever(log_e, 1.0 / MISMATCH_ALPHA)
    return [wrong("(e) on requests", by_request, alpha=MISMATCH_ALPHA, strong=True), not_mismatched(lived)]


def _by_arm(sight: Sight, *, only_failed: bool) -> IntArray:
    """Return requests so far, [arm, moment]."""
    counted = sight.failed if only_failed else sight.known
    return np.stack(
        [so_far(sight.at_us[counted & (sight.arm == arm)], _MOMENTS) for arm in (CONTROL, CANDIDATE)]
    )


_SENTENCE: Final = "300 people, some of them with very many requests; 60 readings, five looks"

TRAPS = (
    Trap(
        9,
        "errors counted per request",
        (World("pipeline: heavy users", f"{_SENTENCE}; a tenth of the requests fail.", erring, batch=BATCH),),
    ),
    Trap(
        10,
        "sample ratio of requests",
        (World("pipeline: heavy users", f"{_SENTENCE}.", split, batch=BATCH),),
    ),
)
