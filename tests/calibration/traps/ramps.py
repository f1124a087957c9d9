"""Traps of a growing share: pooled steps, strata that look precise, late conversions (4, 5, 6)."""

from __future__ import annotations

from functools import partial

import numpy as np

from rollout.stats import events, means
from rollout.stats.moments import Moments
from tests.calibration.sums import as_they_close, single, successes_by_stratum
from tests.calibration.trap import (
    Claim,
    FloatArray,
    IntArray,
    Numbers,
    Trap,
    World,
    ever,
    promised,
    shown,
    wrong,
)

_SHARES = np.array([0.01, 0.05, 0.25, 0.5])
_STEPS = len(_SHARES)
_TREND = np.array([0.05, 0.06, 0.08, 0.1])
_UNITS_PER_STEP = 60_000
_LOSS = 0.95
_BLOCKS = np.diff(_SHARES, prepend=0.0)


def _steps(rng: np.random.Generator, replicates: int, *, effect: float) -> list[Claim]:
    """Fresh units per step, the candidate's share of all of them; the stratum is the step."""
    per_look = 1_000
    step = np.repeat(np.arange(_STEPS), _UNITS_PER_STEP // per_look)
    n = per_look * np.stack([1 - _SHARES, _SHARES])[:, step]
    rate = np.stack([_TREND, effect * _TREND])[:, step]
    hits = rng.binomial(n.astype(np.int64)[:, None], rate[:, None], (2, replicates, len(step)))
    control, candidate = (successes_by_stratum(n[arm], hits[arm], step, _STEPS) for arm in (0, 1))
    planned = (_UNITS_PER_STEP * _SHARES * (1 - _SHARES)).sum() / 2
    contrast = means.contrast(control, candidate)
    return _ramp_claims(_pooled(n, hits), contrast, hits, planned, truly_worse=effect < 1)


def _blocks(rng: np.random.Generator, replicates: int, *, effect: float) -> list[Claim]:
    """Equal home ranges: each step activates one more block per arm; the stratum is the block."""
    per_look = 2_000
    step = np.repeat(np.arange(_STEPS), _UNITS_PER_STEP // per_look)
    active = (np.arange(_STEPS) <= step[:, None]).astype(np.float64)
    n = np.round(per_look * _BLOCKS * active).astype(np.int64)
    shape = (replicates, *n.shape)
    control, candidate = (rng.binomial(n, _TREND[step][:, None] * lift, shape) for lift in (1.0, effect))
    rest = per_look - 2 * n.sum(axis=-1)
    baseline = control.sum(axis=-1) + rng.binomial(rest, _TREND[step], shape[:-1])
    everyone = np.stack([rest + n.sum(axis=-1), n.sum(axis=-1)])
    hits = np.stack([baseline, candidate.sum(axis=-1)])
    units = np.broadcast_to(np.cumsum(n, axis=0), shape)
    arms = [Moments.of_successes(units, np.cumsum(arm, axis=1)) for arm in (control, candidate)]
    planned = n.sum() / 2 / 2
    return _ramp_claims(_pooled(everyone, hits), means.contrast(*arms), hits, planned, truly_worse=effect < 1)


def _pooled(n: Numbers, hits: IntArray) -> means.Contrast:
    """Return the mistake: totals over all steps, the candidate against everyone else."""
    units = np.broadcast_to(np.cumsum(n, axis=-1)[:, None], hits.shape)
    arms = [single(Moments.of_successes(units[arm], np.cumsum(hits[arm], axis=-1))) for arm in (0, 1)]
    return means.contrast(*arms)


def _ramp_claims(
    pooled: means.Contrast, contrast: means.Contrast, hits: IntArray, planned: float, *, truly_worse: bool
) -> list[Claim]:
    enough = means.enough_units(*np.cumsum(hits, axis=-1))
    information = float(pooled.information[..., -1].flat[0])
    mistake = means.log_e_greater(pooled, planned_information=information / 2)
    gain = means.log_e_greater(contrast, planned_information=planned)
    harm = means.log_e_less(contrast, planned_information=planned)
    gain, harm, mistake = (np.where(enough, log_e, 0.0) for log_e in (gain, harm, mistake))
    claims = [wrong("totals over steps against everyone else: gain", ever(mistake), strong=True)]
    claims += promised("(a) stratified: gain", gain)
    return [
        *claims,
        *([shown("(a): harm found", ever(harm))] if truly_worse else promised("(a) stratified: harm", harm)),
    ]


_STRATA = 20
_STRATUM_SIZES = np.array([4_800, 200])
_FLAT_RATE = 0.02


def _small_strata(rng: np.random.Generator, replicates: int) -> list[Claim]:
    hits = rng.binomial(_STRATUM_SIZES[:, None, None], _FLAT_RATE, (2, replicates, _STRATA))
    arms = [
        Moments.of_successes(np.full(hits.shape[1:], size), hits[arm])
        for arm, size in enumerate(_STRATUM_SIZES)
    ]
    z = inverse_variance_z(*arms)
    weight = _STRATUM_SIZES.prod() / _STRATUM_SIZES.sum()
    planned = _STRATA * weight / 2
    # The mistake again, read after each stratum: the same z, on the same scale of information.
    careless = means.Contrast(
        -z, np.ones_like(z), np.broadcast_to(weight * np.arange(1, _STRATA + 1), z.shape)
    )
    nested = [
        Moments.of(as_they_close(arm.n), as_they_close(arm.mean), as_they_close(arm.ss)) for arm in arms
    ]
    enough = means.enough_units(*np.cumsum(hits, axis=-1))
    contrast, bare = (means.contrast(*nested, variance_floor=floor) for floor in (True, False))
    harm = means.log_e_less(contrast, planned_information=planned)
    gain = means.log_e_greater(contrast, planned_information=planned)
    without_floor = np.where(enough, means.log_e_less(bare, planned_information=planned), 0.0)
    return [
        wrong("inverse-variance weights, z test at the end: harm", z[:, -1] < -1.645, strong=True),
        wrong(
            "inverse-variance weights, at every look: harm",
            ever(means.log_e_greater(careless, planned_information=planned)),
            strong=True,
        ),
        *promised("(a): harm", np.where(enough, harm, 0.0)),
        *promised("(a): gain", np.where(enough, gain, 0.0)),
        shown("(a) without the variance floor: harm", ever(without_floor)),
    ]


def inverse_variance_z(control: Moments, candidate: Moments) -> FloatArray:
    """Return the z of strata weighted by 1/v_k, after each stratum; v_k from the same few conversions."""
    precision = 1.0 / (control.variance / control.n + candidate.variance / candidate.n)
    score = np.cumsum(precision * (candidate.mean - control.mean), axis=-1)
    return np.asarray(score / np.sqrt(np.cumsum(precision, axis=-1)))


_TICKS_PER_STEP = 20
_TICKS = _TICKS_PER_STEP * _STEPS
_ENROLLED = 2_000
_CONVERTING = 0.1
_MEAN_DELAY = 8.0
_WINDOW = 16
_LATE_PLANNED = 10_000.0


def _late(rng: np.random.Generator, replicates: int) -> list[Claim]:
    """Conversions come late; the stratum must be the step of the enrolment, not of the conversion."""
    step = np.repeat(np.arange(_STEPS), _TICKS_PER_STEP)
    share = _SHARES[step]
    enrolled = rng.binomial(_ENROLLED, share, (replicates, _TICKS))
    sizes = np.stack([_ENROLLED - enrolled, enrolled])
    # Conversions [arm, replicate, enrolment tick, delay in ticks].
    passed = -np.expm1(-np.arange(_TICKS + 1) / _MEAN_DELAY)
    happened = rng.multinomial(rng.binomial(sizes, _CONVERTING), [*np.diff(passed), 1 - passed[-1]])[..., :-1]
    in_step = np.stack([_in_step(_by_tick(arm), step) for arm in happened])
    started = np.stack([_in_step(arm, step) for arm in sizes])
    # Attributed to the step of the enrolment: [arm, replicate, look, step of the enrolment].
    attributed = np.stack([_by_enrolment(arm, step) for arm in happened])
    k = 100 * _SHARES
    wrong_b = events.log_e_two_sided(in_step[1], in_step[0], share=_SHARES, concentration=k).sum(axis=-1)
    ours_b = events.log_e_two_sided(attributed[1], attributed[0], share=_SHARES, concentration=k).sum(axis=-1)
    by_step = [Moments.of_successes(np.maximum(started[arm], in_step[arm]), in_step[arm]) for arm in (0, 1)]
    careless = means.log_e_less(means.contrast(*by_step), planned_information=_LATE_PLANNED)
    return [
        wrong("(b), conversions in the step where they happen", ever(wrong_b), strong=True),
        wrong("(a), the same over the units enrolled in the step: harm", ever(careless), strong=True),
        *promised("(b) by enrolment", ours_b),
        *_closed_claims(sizes, happened, step),
    ]


def _by_tick(happened: IntArray) -> IntArray:
    """Return conversions [replicate, tick at which they happen] from [replicate, enrolment tick, delay]."""
    return np.stack(
        [
            np.trace(happened[:, :, ::-1], offset=_TICKS - 1 - tick, axis1=1, axis2=2)
            for tick in range(_TICKS)
        ],
        axis=-1,
    )


def _in_step(counts: IntArray, step: IntArray) -> FloatArray:
    """Return counts [replicate, tick] as running sums [replicate, look, step]."""
    return np.cumsum(counts[..., None] * (step[:, None] == np.arange(_STEPS)), axis=1)


def _by_enrolment(happened: IntArray, step: IntArray) -> FloatArray:
    """Return conversions seen so far [replicate, look, step of the enrolment]."""
    running = np.cumsum(happened, axis=-1)
    found = np.zeros((happened.shape[0], _TICKS, _STEPS))
    for tick in range(_TICKS):
        found[:, tick:, step[tick]] += running[:, tick, : _TICKS - tick]
    return found


def _closed_claims(sizes: IntArray, happened: IntArray, step: IntArray) -> list[Claim]:
    """Return the claims of (a) on units whose window of 16 ticks has passed."""
    converted = happened[..., :_WINDOW].sum(axis=-1)
    arms = []
    for arm in (0, 1):
        units, hits = (np.zeros_like(part[arm]) for part in (sizes, converted))
        units[:, _WINDOW:], hits[:, _WINDOW:] = sizes[arm][:, :-_WINDOW], converted[arm][:, :-_WINDOW]
        enrolled_in = np.roll(step, _WINDOW)
        arms.append(Moments.of_successes(_in_step(units, enrolled_in), _in_step(hits, enrolled_in)))
    contrast = means.contrast(*arms)
    return [
        *promised("(a) on closed units: harm", means.log_e_less(contrast, planned_information=_LATE_PLANNED)),
        *promised(
            "(a) on closed units: gain", means.log_e_greater(contrast, planned_information=_LATE_PLANNED)
        ),
    ]


TRAPS = (
    Trap(
        4,
        "pooling a ramp under a trend",
        (
            World(
                "steps, truly worse",
                "Shares 1, 5, 25, 50 % while the base rate climbs; -5 %.",
                partial(_steps, effect=_LOSS),
            ),
            World("steps, no effect", "The same without any effect.", partial(_steps, effect=1.0)),
            World(
                "blocks, truly worse",
                "The same with equal homes that grow by blocks; -5 %.",
                partial(_blocks, effect=_LOSS),
            ),
            World("blocks, no effect", "Equal homes without any effect.", partial(_blocks, effect=1.0)),
        ),
    ),
    Trap(
        5,
        "weighting strata by 1/variance",
        (World("strata", "20 strata of 4,800 and 200 units, both convert 2 %.", _small_strata),),
    ),
    Trap(
        6,
        "delayed conversions by the time they happen",
        (World("delays", "10 % convert after 8 ticks on average while the share grows.", _late),),
    ),
)
