"""Trap of latency that drifts while a ramp shifts the shares: pooled arms differ where no arm does (16)."""

from __future__ import annotations

import numpy as np
from scipy import special

from rollout.stats import bars, events, means
from rollout.stats.arrays import IntArray
from rollout.stats.moments import Moments
from tests.calibration.trap import Claim, FloatArray, Trap, World, ever, ours, ours_at_400, wrong

_MEDIANS_MS, _SHARES, _SIGMA = (100.0, 110.0, 130.0, 160.0), (0.01, 0.05, 0.25, 0.5), 0.5
_REQUESTS_PER_LOOK, _LOOKS_PER_STEP = 8_000, 5
_PLANNED_INFORMATION = 2_000.0
# The baseline's 99 % quantile before the ramp, frozen.
_FROZEN_MS = 100.0 * np.exp(_SIGMA * special.ndtri(0.99))


def _drift(rng: np.random.Generator, replicates: int) -> list[Claim]:
    rates = special.ndtr(np.log(np.array(_MEDIANS_MS) / _FROZEN_MS) / _SIGMA)[:, np.newaxis]
    shares = np.array(_SHARES)[:, np.newaxis]
    shape = (replicates, len(_SHARES), _LOOKS_PER_STEP)
    candidate = rng.binomial(_REQUESTS_PER_LOOK, shares, shape)
    # The control's home is as large as the candidate's; what is left is the rest.
    control = rng.binomial(_REQUESTS_PER_LOOK - candidate, shares / (1.0 - shares), shape)
    rest = _REQUESTS_PER_LOOK - candidate - control
    slow_b, slow_a, slow_rest = (rng.binomial(arm, rates) for arm in (candidate, control, rest))
    pooled = _pooled(control + rest, slow_a + slow_rest, candidate, slow_b)
    label, contrast = _beside_control(control, slow_a, candidate, slow_b)
    both = bars.both(label, contrast)
    return [
        wrong("share above the frozen quantile, pooled over steps", ever(pooled), strong=True),
        ours("(b) mixture against the control", ever(label)),
        ours_at_400("(b) mixture against the control", ever(label, 400)),
        ours("the smaller of (b) and stratified (a)", ever(both)),
        ours_at_400("the smaller of (b) and stratified (a)", ever(both, 400)),
    ]


def _pooled(
    others: IntArray, slow_others: IntArray, candidate: IntArray, slow_candidate: IntArray
) -> FloatArray:
    """Return the wrong way's log e: totals over all steps, the candidate against everyone else."""
    arms = [_looks(values).cumsum(axis=1) for values in (others, slow_others, candidate, slow_candidate)]
    baseline = Moments.of_successes(arms[0][..., np.newaxis], arms[1][..., np.newaxis])
    treated = Moments.of_successes(arms[2][..., np.newaxis], arms[3][..., np.newaxis])
    return means.log_e_greater(means.contrast(baseline, treated), planned_information=_PLANNED_INFORMATION)


def _beside_control(
    control: IntArray, slow_control: IntArray, candidate: IntArray, slow_candidate: IntArray
) -> tuple[FloatArray, FloatArray]:
    """Return the label test and the contrast with the steps as strata, both against the 1:1 control."""
    s_a, s_b = (_looks(values).cumsum(axis=1) for values in (slow_control, slow_candidate))
    label = events.log_e_harm(s_b[..., np.newaxis], s_a[..., np.newaxis], share=0.5)
    a = Moments.of_successes(_by_step(control), _by_step(slow_control))
    b = Moments.of_successes(_by_step(candidate), _by_step(slow_candidate))
    contrast = means.log_e_greater(means.contrast(a, b), planned_information=_PLANNED_INFORMATION)
    return label, bars.withhold(contrast, means.enough_units(s_a, s_b))


def _looks(values: IntArray) -> IntArray:
    return values.reshape(values.shape[0], -1)


def _by_step(values: IntArray) -> IntArray:
    """Return running totals per step at each look: [replicate, look, step]."""
    steps = values.shape[1]
    looks = np.zeros((values.shape[0], steps, values.shape[2], steps), dtype=np.int64)
    for step in range(steps):
        looks[:, step, :, step] = values[:, step]
    return looks.reshape(values.shape[0], -1, steps).cumsum(axis=1)


TRAPS = (
    Trap(
        16,
        "pooled quantile under drift",
        (
            World(
                "slower with every step",
                "Latency is lognormal and alike in all arms; its median grows from 100 to 160 ms while the "
                "candidate's share grows from 1 to 50 %.",
                _drift,
            ),
        ),
    ),
)
