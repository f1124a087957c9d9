"""Latency that drifts while the shares shift: pooled arms differ where no arm does (16)."""

from __future__ import annotations

from typing import Final

import numpy as np

from rollout.domain.policy import Level
from rollout.stats import means
from tests.calibration.sums import single
from tests.calibration.trap import Claim, Trap, World, ever, wrong
from tests.pipeline.columns import SECOND_US, Requests, people
from tests.pipeline.decided import BATCH, not_mismatched, not_rolled_back
from tests.pipeline.lived import Column, Schedule, live
from tests.pipeline.questions import policy_of, slower
from tests.pipeline.running import against_everybody, shares, so_far
from tests.pipeline.sight import Sight

_WEIGHTS_BP: Final = (100, 500, 2_500, 5_000)
_MEDIANS_MS, _SIGMA = (100.0, 120.0, 150.0, 190.0), 0.5
# What one answer in ten exceeds before the ramp, frozen.
_FROZEN_US: Final = int(100_000 * np.exp(1.2816 * _SIGMA))
_QUANTILE, _MARGIN = 0.9, 0.02
_PER_STEP, _STEP_S = 400, 600
_STEPS_US: Final = tuple(step * _STEP_S * SECOND_US for step in range(len(_WEIGHTS_BP)))
_END_S: Final = _STEP_S * len(_WEIGHTS_BP)
_LOOKS: Final = np.array([600, 1_200, 1_800, 2_100, 2_400, 2_600]) * SECOND_US
_MOMENTS: Final = np.linspace(0, _END_S, 61)[1:].astype(np.int64) * SECOND_US


def _column(rng: np.random.Generator) -> Column:
    number = _PER_STEP * len(_WEIGHTS_BP)
    policy = policy_of(
        *(rng, _WEIGHTS_BP, slower(60, quantile=_QUANTILE, margin=_MARGIN)), level=Level(float(_FROZEN_US))
    )
    at_us = np.sort(rng.integers(1, _END_S * SECOND_US, number))
    median_us = 1_000 * np.array(_MEDIANS_MS)[at_us // (_STEP_S * SECOND_US)]
    durations = (median_us * rng.lognormal(0.0, _SIGMA, number)).astype(np.int64)
    return Column(people(policy, number), Requests(np.arange(number), at_us, dur_us=durations))


def _drift(rng: np.random.Generator, replicates: int) -> list[Claim]:
    lived = live([_column(rng) for _ in range(replicates)], Schedule(_LOOKS, _STEPS_US))
    counts = np.stack([_beyond(sight) for sight in lived.sights], axis=2)
    requests, slow = (against_everybody(part) for part in counts)
    contrast = means.contrast(*(single(shares(requests[arm], slow[arm])) for arm in (0, 1)))
    planned = float(contrast.information[..., -1].mean()) / 2
    pooled = means.log_e_greater(contrast, planned_information=planned)
    return [
        wrong("share above the frozen quantile, pooled over steps", ever(pooled), strong=True),
        not_rolled_back(lived),
        not_mismatched(lived),
    ]


def _beyond(sight: Sight) -> np.ndarray:
    """Return requests, and those beyond the frozen quantile, so far: [2, arm, moment]."""
    beyond = sight.dur_us > _FROZEN_US
    return np.stack(
        [
            np.stack([so_far(sight.at_us[own], _MOMENTS, sight.requests[own]) for own in rows])
            for rows in (
                [sight.arm == arm for arm in range(3)],
                [(sight.arm == arm) & beyond for arm in range(3)],
            )
        ]
    )


TRAPS = (
    Trap(
        16,
        "pooled quantile under drift",
        (
            World(
                "pipeline: slower with every step",
                "The median of all arms grows from 100 to 190 ms while the share grows from 1 to 50 %.",
                _drift,
                batch=BATCH,
            ),
        ),
    ),
)
