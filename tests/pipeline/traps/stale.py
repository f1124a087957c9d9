"""Proof that has gone stale: better on the first day, worse since (22)."""

from __future__ import annotations

from typing import Final

import numpy as np

from rollout.stats import bars, means
from tests.calibration.sums import single
from tests.calibration.trap import Claim, Trap, World, shown, wrong
from tests.pipeline.columns import Outcomes, Requests, people
from tests.pipeline.decided import BATCH, not_promoted
from tests.pipeline.lived import DAY_US, Column, Schedule, live
from tests.pipeline.questions import RISK, goal, policy_of
from tests.pipeline.running import conversions, shares

_DAYS, _ASKED_DAY, _PER_DAY = 9, 8, 200
_RATE, _FIRST_DAY, _SINCE = 0.3, 0.37, -0.1
_WEIGHTS_BP: Final = (4_000, 5_000)
_STEPS_US: Final = (0, _ASKED_DAY * DAY_US)
_LOOKS: Final = (np.array([1, 3, 6, 8, 8.5, 9.1]) * DAY_US).astype(np.int64)
_MOMENTS: Final = np.arange(1, 24 * _ASKED_DAY + 1) * DAY_US // 24


def _column(rng: np.random.Generator) -> Column:
    """Return a candidate that is much better on its first day, and worse on every other."""
    number = _DAYS * _PER_DAY
    at_us = np.sort(rng.integers(1, _DAYS * DAY_US, number))
    policy = policy_of(rng, _WEIGHTS_BP, goal(3_600))
    who = people(policy, number, reached_by=np.where(at_us < _STEPS_US[1], 1, 2))
    effect = np.where(at_us < DAY_US, _FIRST_DAY, _SINCE)
    hits = np.flatnonzero(rng.random(number) < _RATE + effect * (who.arm == 1))
    told = Outcomes(hits, at_us[hits], np.ones(len(hits), dtype=np.int64))
    return Column(who, Requests(np.arange(number), at_us), told, policy.name)


def _latched(rng: np.random.Generator, replicates: int) -> list[Claim]:
    lived = live([_column(rng) for _ in range(replicates)], Schedule(_LOOKS, _STEPS_US))
    units, hits = conversions(lived.sights, _MOMENTS)
    control, candidate = (single(shares(units[arm], hits[arm])) for arm in (0, 1))
    better = means.log_e_greater(means.contrast(control, candidate), planned_information=_PER_DAY / 4)
    stale = better.max(axis=-1) >= float(bars.promote_bar(RISK.wrong_promotion))
    return [
        wrong("the latch alone, asked on day 8", stale, strong=True),
        shown("rolled back, which is right", lived.harmed),
        not_promoted(lived),
    ]


TRAPS = (
    Trap(
        22,
        "stale proof",
        (
            World(
                "pipeline: better on day 1, worse since",
                "67 % of the candidate's people convert on day 1, then 20 %, the control's 30 %; the last "
                "step begins on day 8, and no promotion is asked for before.",
                _latched,
                batch=BATCH,
            ),
        ),
    ),
)
