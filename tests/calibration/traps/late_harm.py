"""Trap of late harm: to a test that only accumulates quiet weeks are credit, so it sees harm late (24)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rollout.stats import events, starts
from rollout.stats.arrays import IntArray
from tests.calibration.trap import USED_BAR, Claim, FloatArray, Kind, Trap, World, delays

_REQUESTS_PER_S, _CANDIDATE_SHARE = 500.0, 0.05
CANDIDATE_PER_S = _CANDIDATE_SHARE * _REQUESTS_PER_S
_QUIET_RATE, _HARMED_RATE = 0.01, 0.2
# Users return: this part of the errors of a quiet time is a user's first.
_FIRST_SHARE = 0.6
_LOOK_S = 0.25
_SOON_LOOKS, _LATE_LOOKS = 240, 4_000
_WEEK_HOURS = 168
_HOUR_S = 3600

# Requests per second of the candidate, the control and the rest.
_ARMS = _REQUESTS_PER_S * np.array([_CANDIDATE_SHARE, _CANDIDATE_SHARE, 1.0 - 2.0 * _CANDIDATE_SHARE])
_HARMED = np.array([_HARMED_RATE, _QUIET_RATE, _QUIET_RATE])
RATES = (_HARMED_RATE, _QUIET_RATE)


@dataclass(frozen=True, slots=True)
class Comparison:
    """With whom the candidate is compared, as columns of the arms, and its own share of them all."""

    others: tuple[int, ...]
    share: float


CONTROL = Comparison((1,), 0.5)
BASELINE = Comparison((1, 2), _CANDIDATE_SHARE)


@dataclass(frozen=True, slots=True)
class Schedule:
    """How often a start begins, and whether harm sets in at any moment or just as one does."""

    every_s: int
    is_any_moment: bool = True


OURS = Schedule(starts.EVERY_S)
RARE = Schedule(starts.WINDOWS_EVERY_S)


@dataclass(frozen=True, slots=True)
class Errors:
    """Errors by arm: before the onset since each start (all, and first ones), and after it look by look."""

    index: IntArray
    quiet: IntArray
    quiet_first: IntArray
    after: IntArray


def drawn(
    rng: np.random.Generator,
    replicates: int,
    *,
    quiet_hours: int,
    looks: int = _SOON_LOOKS,
    schedule: Schedule = OURS,
) -> Errors:
    """Return errors around an onset of harm."""
    alive = starts.live_starts(quiet_hours * _HOUR_S, 0, every=schedule.every_s)
    phase_s = schedule.every_s if schedule.is_any_moment and quiet_hours else 0
    ages = quiet_hours * _HOUR_S - alive.begin + phase_s * rng.random((replicates, 1))
    spans = ages - np.concatenate([ages[:, 1:], np.zeros((replicates, 1))], axis=1)
    between = rng.poisson(spans[..., np.newaxis] * _QUIET_RATE * _ARMS)
    first = rng.binomial(between, _FIRST_SHARE)
    after = rng.poisson(_ARMS * _HARMED * _LOOK_S, (replicates, looks, _ARMS.size))
    return Errors(alive.index, _since_each(between), _since_each(first), after.cumsum(axis=1))


def _since_each(between: IntArray) -> IntArray:
    """Return sums from each start to the onset; the starts come oldest first."""
    return between[:, ::-1].cumsum(axis=1)[:, ::-1]


def with_starts(errors: Errors, comparison: Comparison) -> FloatArray:
    """Return the seconds from the onset to the mixture's verdict on first errors, with the starts of (g)."""
    others = list(comparison.others)
    found = []
    for after, quiet in zip(errors.after[:, :_SOON_LOOKS], errors.quiet_first, strict=True):
        # A request after the onset is a fresh user's, so its error is a first one for every start.
        counts = after[:, np.newaxis] + quiet[np.newaxis]
        log_e = events.log_e_harm(
            counts[..., :1], counts[..., others].sum(axis=-1, keepdims=True), share=comparison.share
        )
        found.append(starts.strongest(log_e, errors.index))
    return _delay(np.stack(found))


def accumulated(errors: Errors) -> FloatArray:
    """Return the seconds to the verdict of the wrong way: one test of all errors since the beginning."""
    counts = errors.after + errors.quiet[:, :1]
    log_e = events.log_e_greater(counts[..., 0], counts[..., 1], share=CONTROL.share, concentration=100.0)
    return _delay(log_e)


def _delay(log_e: FloatArray) -> FloatArray:
    """Return the time of the first look at or above the bar, and of the last look where there is none."""
    reached = log_e >= np.log(USED_BAR)
    looks = np.where(reached.any(axis=1), reached.argmax(axis=1) + 1, log_e.shape[1])
    return np.asarray(_LOOK_S * looks)


def _late_harm(rng: np.random.Generator, replicates: int) -> list[Claim]:
    fresh = drawn(rng, replicates, quiet_hours=0)
    late = drawn(rng, replicates, quiet_hours=_WEEK_HOURS, looks=_LATE_LOOKS)
    rare = drawn(rng, replicates, quiet_hours=_WEEK_HOURS, schedule=RARE)
    fresh_baseline, fresh_control = with_starts(fresh, BASELINE), with_starts(fresh, CONTROL)
    waited = accumulated(fresh), accumulated(late)
    return [
        delays("accumulated since the beginning", Kind.WRONG, *waited, limit=20.0, strong=True),
        delays("starts, all baseline", Kind.OURS, fresh_baseline, with_starts(late, BASELINE), limit=4.0),
        delays("starts, control", Kind.OURS, fresh_control, with_starts(late, CONTROL), limit=4.0),
        delays(
            "all baseline, a start every 10 min",
            Kind.SHOWN,
            fresh_baseline,
            with_starts(rare, BASELINE),
            limit=4.0,
        ),
    ]


TRAPS = (
    Trap(
        24,
        "harm after quiet days",
        (
            World(
                "errors 1 → 20 % after a week",
                "500 requests/s, 5 % of them the candidate's; bar 400, a look every quarter of a second. "
                "The delay after 168 quiet hours over that in a fresh revision; harm sets in at any moment "
                "between two starts.",
                _late_harm,
                replicates=500,
            ),
        ),
    ),
)
