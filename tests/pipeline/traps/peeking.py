"""Looking often: at a z test (1), at a chi-square test of the split (11), and anew in each step (14)."""

from __future__ import annotations

from typing import Final

import numpy as np

from rollout.stats import means
from tests.calibration.sums import single
from tests.calibration.trap import BoolArray, Claim, IntArray, Trap, World, ever, wrong
from tests.calibration.traps.peeking import CRITICAL_Z, split_z, unpooled_z
from tests.pipeline.columns import SECOND_US, Outcomes, Requests, people
from tests.pipeline.decided import BATCH, not_mismatched, nothing_decided
from tests.pipeline.lived import Column, Schedule, live
from tests.pipeline.questions import goal, policy_of
from tests.pipeline.running import conversions, shares

_UNITS: Final = 1_000
_RATE: Final = 0.2
_ARRIVE_S, _WINDOW_S = 1_200, 60
_LOOKS: Final = np.array([300, 600, 900, 1_200, 1_400]) * SECOND_US
_OFTEN: Final = np.array([*range(60, _ARRIVE_S + 1, 60), 1_400]) * SECOND_US
_PER_STEP: Final = 50
_MOMENTS: Final = np.linspace(0, _ARRIVE_S, 5 * _PER_STEP + 1)[1:].astype(np.int64) * SECOND_US
_FLAT: Final = (5_000,)
_RAMP: Final = (1_000, 2_000, 3_000, 4_000, 5_000)
_LEAST: Final = 2
"""Units that an arm needs before a variance can be estimated."""


def _column(rng: np.random.Generator, weights_bp: tuple[int, ...], *, rate: float = _RATE) -> Column:
    """Return people who come evenly, each once, and only when a step has reached them."""
    policy = policy_of(rng, weights_bp, goal(_WINDOW_S), level=_RATE)
    at_us = np.sort(rng.integers(1, _ARRIVE_S * SECOND_US, _UNITS))
    step = 1 + at_us * len(weights_bp) // (_ARRIVE_S * SECOND_US)
    who = people(policy, _UNITS, reached_by=step)
    hits = np.flatnonzero(rng.random(_UNITS) < rate)
    after_us = rng.integers(0, _WINDOW_S * SECOND_US, len(hits))
    told = Outcomes(hits, at_us[hits] + after_us, np.ones(len(hits), dtype=np.int64))
    return Column(who, Requests(np.arange(_UNITS), at_us), told, policy.name)


def _peeking(rng: np.random.Generator, replicates: int) -> list[Claim]:
    lived = live([_column(rng, _FLAT) for _ in range(replicates)], Schedule(_OFTEN))
    units, hits = conversions(lived.sights, _MOMENTS)
    control, candidate = (shares(units[arm], hits[arm]) for arm in (0, 1))
    beyond = np.abs(unpooled_z(control, candidate)) > CRITICAL_Z[0.05]
    enough = units[:2].min(axis=0) >= _LEAST
    return [
        wrong("z test at every look", (beyond & enough).any(axis=-1), strong=True),
        *nothing_decided(lived),
    ]


def _split(rng: np.random.Generator, replicates: int) -> list[Claim]:
    lived = live([_column(rng, _FLAT, rate=0.0) for _ in range(replicates)], Schedule(_OFTEN))
    units, _ = conversions(lived.sights, _MOMENTS)
    z = split_z(units[1], units[0] + units[1])
    claims = [
        wrong(
            f"chi-square at every look, alpha {alpha}",
            (z > CRITICAL_Z[alpha]).any(axis=-1),
            alpha=alpha,
            strong=alpha == 0.05,
        )
        for alpha in (0.05, 0.01)
    ]
    return [*claims, not_mismatched(lived)]


def _anew(rng: np.random.Generator, replicates: int) -> list[Claim]:
    steps_us = tuple(_ARRIVE_S * SECOND_US // len(_RAMP) * step for step in range(len(_RAMP)))
    lived = live([_column(rng, _RAMP, rate=0.5) for _ in range(replicates)], Schedule(_LOOKS, steps_us))
    units, hits = (part[:2] for part in conversions(lived.sights, _MOMENTS))
    fooled = np.zeros(replicates, dtype=np.bool_)
    for step in range(len(_RAMP)):
        here = slice(step * _PER_STEP, (step + 1) * _PER_STEP)
        before = [part[..., max(here.start - 1, 0), None] * (step > 0) for part in (units, hits)]
        fooled |= _is_fooled(units[..., here] - before[0], hits[..., here] - before[1])
    return [wrong("a fresh level in each step", fooled), *nothing_decided(lived)]


def _is_fooled(units: IntArray, hits: IntArray) -> BoolArray:
    """Return whether one step's units alone ever reach 20, as if there were no other steps."""
    control, candidate = (single(shares(units[arm], hits[arm])) for arm in (0, 1))
    planned = _UNITS / len(_RAMP) / 4
    return ever(means.log_e_two_sided(means.contrast(control, candidate), planned_information=planned))


TRAPS = (
    Trap(
        1,
        "peeking at a z test",
        (
            World(
                "pipeline: conversions",
                "1,000 units come within 20 min, 20 % convert in both arms; a reader looks 250 times, the "
                "product 21 times.",
                _peeking,
                batch=BATCH,
            ),
        ),
    ),
    Trap(
        11,
        "peeking at a chi-square test of the split",
        (
            World(
                "pipeline: split",
                "1,000 units fall to the arms by their buckets; 250 readings, 21 looks.",
                _split,
                batch=BATCH,
            ),
        ),
    ),
    Trap(
        14,
        "a fresh level in each step",
        (
            World(
                "pipeline: five steps",
                "200 units join in each of five steps, half of them convert in both arms.",
                _anew,
                batch=BATCH,
            ),
        ),
    ),
)
