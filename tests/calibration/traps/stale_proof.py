"""Traps of deciding on evidence: proof that has gone stale (22), and harm judged without the margin (23)."""

from __future__ import annotations

from functools import partial

import numpy as np

from rollout.stats import bars, normal_mixture
from rollout.stats.normal_mixture import R_ONE_SIDED
from tests.calibration.trap import Claim, FloatArray, Trap, World, ever, ours, ours_at_400, shown, wrong

_LOOKS_PER_DAY, _DAYS, _INFORMATION_PER_DAY = 48, 14, 8.0
_DAY_ASKED, _DAY_WORSE = 8, 7
# r = W, and r = r*·W/W* with the W* that the plan would freeze.
_RATIOS = {"r = W": 1.0, "r = r*W/W*": R_ONE_SIDED / (1.77 * 6.18)}

_LOOKS, _INFORMATION_PER_LOOK = 400, 0.5
_INSIDE = (-0.5, -0.75, -0.9)
# Four metrics share α = 1 %, so one of them stops its arm at 400.
_STOP_BAR = float(bars.stop_bar(0.01, share=0.25))
_PROMOTE_BAR = float(bars.promote_bar(0.05))


def _stale_latch(rng: np.random.Generator, replicates: int) -> list[Claim]:
    looks = _LOOKS_PER_DAY * _DAYS
    step = _INFORMATION_PER_DAY / _LOOKS_PER_DAY
    effect = np.where(np.arange(looks) < _LOOKS_PER_DAY, 2.0, -1.0)
    score = (effect * step + np.sqrt(step) * rng.standard_normal((replicates, looks))).cumsum(axis=1)
    information = np.asarray(step * np.arange(1, looks + 1), dtype=np.float64)
    claims = []
    for name, ratio in _RATIOS.items():
        claims += _promoted(name, score, information, ratio)
    return claims


def _promoted(name: str, score: FloatArray, information: FloatArray, ratio: float) -> list[Claim]:
    z = score / np.sqrt(information)
    better = normal_mixture.log_e_greater(z, ratio * information)
    worse = normal_mixture.log_e_less(z, ratio * information)
    latched = np.maximum.accumulate(bars.latch(0.0, better, valid=True), axis=1)
    proven = bars.is_proven(latched, score=score, log_e_harm=worse, bar=_PROMOTE_BAR)
    asked, worse_from = _LOOKS_PER_DAY * _DAY_ASKED - 1, _LOOKS_PER_DAY * _DAY_WORSE - 1
    stale = latched[:, asked] >= _PROMOTE_BAR
    return [
        wrong(f"the latch alone, {name}", stale, strong=True),
        shown(f"and the estimate is below zero, {name}", stale & (score[:, asked] < 0)),
        ours(f"latched and still so on day 8, {name}", proven[:, asked]),
        ours(f"latched and still so from day 7 on, {name}", proven[:, worse_from:].any(axis=1)),
    ]


def _inside_margin(rng: np.random.Generator, replicates: int, *, truth: float) -> list[Claim]:
    without_margin, harm, safe = _log_e(rng, replicates, truth)
    proven = _first(safe, _PROMOTE_BAR)
    name, rolled_back = "harm means below zero", _first(without_margin, _STOP_BAR) < proven
    return [
        wrong(name, rolled_back, strong=True) if truth in _INSIDE else shown(name, rolled_back),
        ours("harm means beyond the margin", _first(harm, _STOP_BAR) < proven),
        ours("harm beyond the margin at 20", ever(harm)),
        ours_at_400("harm beyond the margin", ever(harm, 400)),
    ]


def _at_margin(rng: np.random.Generator, replicates: int) -> list[Claim]:
    _, harm, safe = _log_e(rng, replicates, -1.0)
    return [
        ours("safety at 20", ever(safe)),
        ours_at_400("safety", ever(safe, 400)),
        ours("harm at 20", ever(harm)),
        ours_at_400("harm", ever(harm, 400)),
    ]


def _log_e(
    rng: np.random.Generator, replicates: int, truth: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the log e of harm with no margin, of harm beyond the margin, and of safety within it."""
    information = _INFORMATION_PER_LOOK * np.arange(1, _LOOKS + 1)
    noise = np.sqrt(_INFORMATION_PER_LOOK) * rng.standard_normal((replicates, _LOOKS))
    score = (truth * _INFORMATION_PER_LOOK + noise).cumsum(axis=1)
    from_zero, from_margin = (part / np.sqrt(information) for part in (score, score + information))
    return (
        normal_mixture.log_e_less(from_zero, information),
        normal_mixture.log_e_less(from_margin, information),
        normal_mixture.log_e_greater(from_margin, information),
    )


def _first(log_e: FloatArray, bar: float) -> FloatArray:
    """Return the first look at or above the bar, infinite if there is none."""
    reached = log_e >= bar
    return np.where(reached.any(axis=1), reached.argmax(axis=1), np.inf)


_WORLDS_INSIDE = tuple(
    World(
        f"truth {truth} margins",
        f"One metric, 400 looks; the truth is {-truth} of the margin below zero, so it is harmless.",
        partial(_inside_margin, truth=truth),
    )
    for truth in (-0.25, *_INSIDE)
)

TRAPS = (
    Trap(
        22,
        "stale proof",
        (
            World(
                "better on day 1, worse since",
                "The primary is at +2 minEffect on day 1, then at −1; the last guardrail is proven on day 8.",
                _stale_latch,
            ),
        ),
    ),
    Trap(
        23,
        "inside the margin, tolerance zero",
        (
            *_WORLDS_INSIDE,
            World(
                "exactly at the margin",
                "The truth is at the margin: neither safe nor harmful is true.",
                _at_margin,
            ),
        ),
    ),
)
