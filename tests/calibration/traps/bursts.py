"""A trap of exceedances that come in bursts, per user or shared: requests are no independent trials (12)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from rollout.stats import bars, slo, starts
from tests.calibration.sums import joint_of_sums
from tests.calibration.trap import (
    BoolArray,
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

_LIMIT = 0.01
_TICKS = 2_040
_TICKS_PER_WINDOW = 2
_TICKS_PER_MINUTE = 12
_MINUTES = _TICKS // _TICKS_PER_MINUTE
_PER_TICK = 50
_BASELINE_FACTOR = 9
_PLACES = 20
_LIFE_TICKS = 720
_LIVES = 4
_SHIFT_TICKS = _LIFE_TICKS // _PLACES
_LEAVE = 1 / 12
_BURSTING = 0.03
_QUIET_CHANCE = 0.002
_OWN_BURST_CHANCE = 0.26867
_SHARED_BURST_CHANCE = 0.2
_REQUESTS_PLANNED = 20_000
_START_MINUTES = 10
_LIFE_MINUTES = 60
_TUNINGS = {
    "r = units/150": slo.COMPLIANCE_UNITS_PER_RATIO,
    "r = 6.638 units/150": slo.VIOLATION_UNITS_PER_RATIO,
}


class _Traffic(NamedTuple):
    """The candidate's requests and exceedances per tick and place: [replicate, tick, place]."""

    requests: IntArray
    exceeding: IntArray


class _Evidence(NamedTuple):
    """What the two violation tests need, per minute."""

    windows: FloatArray
    """Number of unit-windows [replicate, minute]."""
    fractions: FloatArray
    """Sum of their exceedance fractions [replicate, minute]."""
    requests: FloatArray
    """Requests [replicate, minute, unit]."""
    exceeding: FloatArray
    """Exceedances [replicate, minute, unit]."""


def _each_alone(rng: np.random.Generator, replicates: int) -> list[Claim]:
    """World A: every user bursts on its own."""
    replaced = (np.arange(_TICKS)[:, None] + _SHIFT_TICKS * np.arange(_PLACES)) % _LIFE_TICKS == 0
    bursting = bursts(rng, (replicates, _PLACES), replaced)
    traffic = _served(rng, np.where(bursting, _OWN_BURST_CHANCE, _QUIET_CHANCE))
    evidence = _evidence(traffic, np.ones((replicates, _TICKS // _TICKS_PER_WINDOW), dtype=np.bool_))
    fractions, counted = (np.cumsum(part, axis=1) for part in (evidence.fractions, evidence.windows))
    windows = _violation(fractions, counted)
    return [
        wrong("(c) on requests", ever(_on_requests(traffic)), strong=True),
        wrong("(c) on unit-windows alone", ever(windows)),
        *_judged(promised, evidence),
    ]


def _together(rng: np.random.Generator, replicates: int, *, shared: bool) -> list[Claim]:
    """World B: the service bursts, and the baseline with it; the candidate's own bursts are harm."""
    bursting = bursts(rng, (replicates, 1), np.zeros((_TICKS, 1), dtype=np.bool_))
    chance = np.where(bursting, _SHARED_BURST_CHANCE, _QUIET_CHANCE)
    traffic = _served(rng, np.broadcast_to(chance, (replicates, _TICKS, _PLACES)))
    baseline_chance = chance[..., 0] if shared else np.full((replicates, _TICKS), _QUIET_CHANCE)
    baseline = rng.binomial(_BASELINE_FACTOR * _PER_TICK, baseline_chance)
    exceeding = baseline.reshape(replicates, -1, _TICKS_PER_WINDOW).sum(axis=-1)
    requests = np.full(exceeding.shape, _BASELINE_FACTOR * _PER_TICK * _TICKS_PER_WINDOW)
    evidence = _evidence(traffic, ~slo.environment_windows(requests, exceeding, limit=_LIMIT))
    if not shared:
        return _judged(_found, evidence)
    mistake = wrong("(c) on requests, outages counted", ever(_on_requests(traffic)), strong=True)
    return [mistake, *_judged(promised, evidence)]


def bursts(
    rng: np.random.Generator,
    shape: tuple[int, int],
    replaced: BoolArray,
    *,
    bursting: float = _BURSTING,
    leave: float = _LEAVE,
) -> BoolArray:
    """Return a burst chain [replicate, tick, place], stationary at its start and where a user is replaced."""
    enter = leave * bursting / (1 - bursting)
    state = rng.random(shape) < bursting
    chain = np.empty((shape[0], len(replaced), shape[1]), dtype=np.bool_)
    for tick in range(len(replaced)):
        draw = rng.random(shape)
        state = np.where(replaced[tick], draw < bursting, np.where(state, draw >= leave, draw < enter))
        chain[:, tick] = state
    return chain


def _served(rng: np.random.Generator, chance: FloatArray) -> _Traffic:
    """Return traffic in which every request is of a random one of the living users."""
    requests = rng.multinomial(_PER_TICK, [1 / _PLACES] * _PLACES, chance.shape[:2])
    return _Traffic(requests, rng.binomial(requests, chance))


def _on_requests(traffic: _Traffic) -> FloatArray:
    """Return the mistake: every request as a trial of its own, read at every tick."""
    exceeding = np.cumsum(traffic.exceeding.sum(axis=-1), axis=-1)
    return _violation(exceeding, _PER_TICK * np.arange(1, _TICKS + 1), planned=_REQUESTS_PLANNED)


def _violation(exceeding: Numbers, units: Numbers, *, planned: float = slo.PLANNED_UNITS) -> FloatArray:
    """Return log e of (c) where more than the limit exceeds; elsewhere 0, which it is never above there.

    Every likelihood ratio of a larger rate is below 1 then, and the far tails would take most of the time.
    """
    s, n = np.broadcast_arrays(exceeding, units)
    above = s > _LIMIT * n
    log_e = np.zeros(s.shape)
    log_e[above] = slo.log_e_violation(s[above], n[above], limit=_LIMIT, planned_units=planned)
    return log_e


def _evidence(traffic: _Traffic, counted: BoolArray) -> _Evidence:
    """Return unit-windows and units per minute; only `counted` windows [replicate, window] enter."""
    replicates = len(counted)
    shape = (replicates, -1, _TICKS_PER_WINDOW, _PLACES)
    requests, exceeding = (part.reshape(shape).sum(axis=2) * counted[..., None] for part in traffic)
    fraction = exceeding / np.maximum(requests, 1)
    by_minute = (replicates, _MINUTES, -1, _PLACES)
    windows = (requests > 0).reshape(by_minute).sum(axis=(2, 3))
    per_minute = (part.reshape(by_minute).sum(axis=2) for part in (requests, exceeding))
    fractions = fraction.reshape(by_minute).sum(axis=(2, 3))
    return _Evidence(windows.astype(np.float64), fractions, *(_by_unit(part) for part in per_minute))


def _by_unit(per_place: IntArray) -> FloatArray:
    """Return [replicate, minute, unit] from [replicate, minute, place]: places pass from user to user."""
    place = np.arange(_PLACES)
    life = (_TICKS_PER_MINUTE * np.arange(_MINUTES)[:, None] + _SHIFT_TICKS * place) // _LIFE_TICKS
    found = np.zeros((*per_place.shape[:2], _PLACES * _LIVES))
    found[:, np.arange(_MINUTES)[:, None], _LIVES * place + life] = per_place
    return found


def _since(evidence: _Evidence, start: int, life: int = _MINUTES) -> FloatArray:
    """Return the smaller log e of both tests [tuning, replicate, minute], while one start lives."""
    lived = slice(start, start + life)
    fractions, windows, y, x = (
        np.cumsum(part[:, lived], axis=1)
        for part in (evidence.fractions, evidence.windows, evidence.exceeding, evidence.requests)
    )
    totals = np.stack([y.sum(axis=-1), x.sum(axis=-1)], axis=-1)
    rows = [[(one * other).sum(axis=-1) for other in (y, x)] for one in (y, x)]
    units = joint_of_sums((x > 0).sum(axis=-1), totals, np.moveaxis(np.array(rows), (0, 1), (-2, -1)))
    exceeding = (y > 0).sum(axis=-1)
    by_unit = [
        slo.log_e_units_violation(units, limit=_LIMIT, exceeding_units=exceeding, units_per_ratio=tuning)
        for tuning in _TUNINGS.values()
    ]
    return bars.both(_violation(fractions, windows), np.stack(by_unit))


def _many_starts(evidence: _Evidence) -> FloatArray:
    """Return the strongest start's log e [tuning, replicate, minute], what its weight costs taken off."""
    begins = range(0, _MINUTES, _START_MINUTES)
    log_e = np.full((len(_TUNINGS), len(evidence.windows), _MINUTES, len(begins)), -np.inf)
    for index, begin in enumerate(begins):
        own = _since(evidence, begin, _LIFE_MINUTES if index else _MINUTES)
        log_e[:, :, begin : begin + own.shape[-1], index] = own
    return starts.strongest(log_e, np.arange(len(begins)))


def _judged(make: Callable[[str, FloatArray], Sequence[Claim]], evidence: _Evidence) -> list[Claim]:
    """Return the claims of our test, cumulative and from many starts, for each tuning over units."""
    return [
        claim
        for since, found in (("the beginning", _since(evidence, 0)), ("many starts", _many_starts(evidence)))
        for tuning, log_e in zip(_TUNINGS, found, strict=True)
        for claim in make(f"(c) and (a), since {since}, {tuning}", log_e)
    ]


def _found(name: str, log_e: FloatArray) -> list[Claim]:
    return [shown(f"{name}: harm found", ever(log_e))]


_BATCH = 50

TRAPS = (
    Trap(
        12,
        "bursts counted request by request",
        (
            World(
                "each user alone",
                "The limit of 1 % is exactly met; 3 % of the time a user is slow for a minute.",
                _each_alone,
                batch=_BATCH,
            ),
            World(
                "shared with the baseline",
                "The service is slow 3 % of the time for all arms alike; 0.79 % in the long run.",
                partial(_together, shared=True),
                batch=_BATCH,
            ),
            World(
                "the candidate's own bursts",
                "Not a null world: the same bursts in the candidate alone, a minute of 20 % each.",
                partial(_together, shared=False),
                batch=_BATCH,
                replicates=200,
            ),
        ),
    ),
)
