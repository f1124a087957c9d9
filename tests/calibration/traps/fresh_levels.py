"""Traps of spending one level twice: anew in each step (14), and on one cohort measured for ever (15)."""

from __future__ import annotations

from functools import partial

import numpy as np

from rollout.stats import means, normal_mixture
from rollout.stats.moments import Moments
from rollout.stats.normal_mixture import R_TWO_SIDED
from tests.calibration.trap import Claim, FloatArray, Trap, World, ever, ours, ours_at_400, shown, wrong

_STEPS, _LOOKS_PER_STEP, _PER_LOOK, _PLANNED = 5, 200, 100, 5_000

_COHORT_LOOKS, _WINDOW = 600, 10

_UNITS, _TICKS = 2_000, 300


def _steps(rng: np.random.Generator, replicates: int) -> list[Claim]:
    sums = np.sqrt(_PER_LOOK) * rng.standard_normal((replicates, _STEPS, _LOOKS_PER_STEP))
    anew = _log_e_of_sums(sums.cumsum(axis=2))
    through = _log_e_of_sums(sums.reshape(replicates, -1).cumsum(axis=1))
    return [
        wrong("a fresh level in each step", ever(anew).any(axis=1)),
        ours("(a), one process over all steps", ever(through)),
        ours_at_400("(a), one process over all steps", ever(through, 400)),
    ]


def _log_e_of_sums(sums: FloatArray) -> FloatArray:
    n = _PER_LOOK * np.arange(1, sums.shape[-1] + 1)
    return normal_mixture.log_e_two_sided(sums / np.sqrt(n), R_TWO_SIDED * n / _PLANNED)


def _fixed_cohort(rng: np.random.Generator, replicates: int, *, times: int, is_caught: bool) -> list[Claim]:
    looks = np.unique(np.geomspace(1, times, _COHORT_LOOKS).astype(np.int64))
    walk = (rng.standard_normal((replicates, looks.size)) * np.sqrt(np.diff(looks, prepend=0))).cumsum(axis=1)
    z = walk / np.sqrt(looks)
    # r counts units, and a fixed cohort gains none.
    again = normal_mixture.log_e_two_sided(z, R_TWO_SIDED)
    closed = again[:, looks >= _WINDOW][:, :1]
    return [
        (wrong if is_caught else shown)(f"a cohort measured {times} times", ever(again)),
        ours("(a), each unit's window closed once", ever(closed)),
        ours_at_400("(a), each unit's window closed once", ever(closed, 400)),
    ]


def _closed_windows(rng: np.random.Generator, replicates: int, *, own_share: float) -> list[Claim]:
    arrival = rng.integers(0, _TICKS, (replicates, _UNITS))
    arm = rng.integers(0, 2, (replicates, _UNITS))
    level = np.sqrt(own_share) * rng.standard_normal((replicates, _UNITS))
    noise = np.sqrt((1.0 - own_share) / _WINDOW) * rng.standard_normal((replicates, _UNITS))
    row = np.arange(replicates)[:, np.newaxis]
    group = (arm * replicates + row) * _TICKS + arrival
    by_tick = Moments.of_values((level + noise).ravel(), group.ravel(), 2 * replicates * _TICKS)
    control, candidate = (_running(by_tick, which, replicates) for which in (0, 1))
    contrast = means.contrast(control, candidate)
    log_e = means.log_e_two_sided(contrast, planned_information=_UNITS / 8)
    return [
        ours("(a) on closed windows", ever(log_e)),
        ours_at_400("(a) on closed windows", ever(log_e, 400)),
    ]


def _running(by_tick: Moments, arm: int, replicates: int) -> Moments:
    """Return one arm's moments after each tick, as one stratum: [replicate, tick, 1]."""
    rows = slice(arm * replicates * _TICKS, (arm + 1) * replicates * _TICKS)
    n, mean, ss = (
        part[rows].reshape(replicates, _TICKS, 1) for part in (by_tick.n, by_tick.mean, by_tick.ss)
    )
    merged = [Moments.of(n[:, 0], mean[:, 0], ss[:, 0])]
    for tick in range(1, _TICKS):
        merged.append(merged[-1] + Moments.of(n[:, tick], mean[:, tick], ss[:, tick]))
    return Moments.of(
        *(np.stack(column, axis=1) for column in zip(*((m.n, m.mean, m.ss) for m in merged), strict=True))
    )


TRAPS = (
    Trap(
        14,
        "a fresh level in each step",
        (World("five steps", "Five steps of 200 looks at 100 normal values each, mean 0.", _steps),),
    ),
    Trap(
        15,
        "one cohort measured for ever",
        (
            World(
                "fixed cohort",
                "No new units: a cohort's mean outcome, fresh noise of mean 0, is read up to 100,000 times.",
                partial(_fixed_cohort, times=100_000, is_caught=True),
            ),
            World(
                "fixed cohort, 1,000 times",
                "The same, read 1,000 times: too short to show the mistake.",
                partial(_fixed_cohort, times=1_000, is_caught=False),
                short=0,
            ),
            World(
                "staggered arrivals",
                "2,000 units arrive over 300 ticks, half of their variance their own; windows of ten ticks.",
                partial(_closed_windows, own_share=0.5),
            ),
            World(
                "staggered arrivals, noise alone",
                "The same, with nothing of its own in a unit.",
                partial(_closed_windows, own_share=0.0),
                short=0,
            ),
        ),
    ),
)
