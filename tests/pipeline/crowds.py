"""The people of one experiment: when they come, how often, and what would befall them on either version."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rollout.stats.arrays import BoolArray, FloatArray, IntArray
from tests.pipeline.families import LIMIT_US, SECOND_US, WINDOW_S, Family

SEED: Final = 2026
PEOPLE: Final = 320
MOST_REQUESTS: Final = 60
STAY_S: Final = 600.0
"""How long after the first request the last one may come."""
LIKENESS: Final = 1.0
"""Concentration of the beta law of each person's chance: small, so that trouble is clustered."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """Requests in order of time, as columns; whatever depends on the version is a draw, to be compared."""

    units: tuple[str, ...]
    person: IntArray
    at_us: IntArray
    failure_draw: FloatArray
    failure_chance: FloatArray
    """On the baseline."""
    duration_us: IntArray
    goal_draw: FloatArray
    """[person]"""
    goal_after_us: IntArray
    """[person], from the enrolment on."""
    goal_told_twice: BoolArray
    """[person]: whether the application was not sure that it had been heard."""

    def between(self, after_us: int, until_us: int) -> slice:
        """Return the requests after one time and until another."""
        first, last = np.searchsorted(self.at_us, [after_us, until_us], side="right")
        return slice(int(first), int(last))


def crowd_of(family: Family, name: str, *, begin_us: int, arrive_s: float) -> Crowd:
    """Return the people of one experiment, the same for the same name."""
    draws = np.random.default_rng(np.random.SeedSequence(SEED, spawn_key=(zlib.crc32(name.encode()),)))
    # Heavy-tailed: a few people send many of the requests.
    visits = np.minimum(1 + draws.lognormal(-0.5, 1.2, PEOPLE).astype(np.int64), MOST_REQUESTS)
    person = np.repeat(np.arange(PEOPLE), visits)
    arrival_s = draws.uniform(0.0, arrive_s, PEOPLE)
    # Most come back at once; some only after their window has closed, or in another step of the rollout.
    later_s = STAY_S * draws.random(len(person)) ** 3
    later_s[np.concatenate([[0], np.cumsum(visits)[:-1]])] = 0.0
    at_us = begin_us + ((arrival_s[person] + later_s) * SECOND_US).astype(np.int64)
    order = np.argsort(at_us, kind="stable")
    person = person[order]
    is_slow = draws.random(len(person)) < _chances(draws, family.is_slow)[person]
    quick_us = np.minimum(draws.lognormal(np.log(60_000), 0.5, len(person)), LIMIT_US).astype(np.int64)
    return Crowd(
        units=tuple(f"{name}-person-{number}" for number in range(PEOPLE)),
        person=person,
        at_us=at_us[order],
        failure_draw=draws.random(len(person)),
        failure_chance=_chances(draws, family.fails)[person],
        duration_us=np.where(is_slow, LIMIT_US + 1 + quick_us, quick_us),
        goal_draw=draws.random(PEOPLE),
        goal_after_us=(draws.uniform(0.0, WINDOW_S, PEOPLE) * SECOND_US).astype(np.int64),
        goal_told_twice=draws.random(PEOPLE) < 0.1,
    )


def _chances(draws: np.random.Generator, mean: float) -> NDArray[np.float64]:
    """Return each person's own chance."""
    return draws.beta(LIKENESS * mean, LIKENESS * (1.0 - mean), PEOPLE)
