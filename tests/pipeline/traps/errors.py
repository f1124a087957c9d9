"""Errors: each one counted (20), harm judged without the margin (23), harm after quiet days (24)."""

from __future__ import annotations

from typing import Final

import numpy as np

from rollout.domain.decision import Action
from rollout.stats import bars, events
from rollout.stats.arrays import BoolArray, FloatArray, IntArray
from tests.calibration.trap import Claim, Kind, Trap, World, delays, ever, wrong
from tests.calibration.traps.repeat_errors import erring
from tests.pipeline.columns import SECOND_US, Requests, people
from tests.pipeline.decided import BATCH, not_mismatched, not_rolled_back
from tests.pipeline.lived import Column, Ending, Lived, Schedule, live
from tests.pipeline.questions import RISK, errors, policy_of
from tests.pipeline.running import so_far
from tests.pipeline.sight import CANDIDATE, Sight

_MINUTE_US: Final = 60 * SECOND_US
_STOP_BAR: Final = float(bars.stop_bar(RISK.wrong_rollback))
"""Errors are the policy's only metric, so they have all of its risk."""

_USERS, _PERIODS, _PERIOD_US, _SHARE_BP = 400, 48, 10 * _MINUTE_US, 1_000
_SHARE: Final = _SHARE_BP / 10_000
_GOOD_EACH: Final = 2
_PERIOD_LOOKS: Final = np.arange(6, _PERIODS + 1, 6) * _PERIOD_US


def _again_and_again(rng: np.random.Generator) -> Column:
    """Return people who err again and again, and send a few good requests at any time."""
    user, period = erring(rng, 1.0, users=_USERS, periods=_PERIODS, scale=0.02)
    failed_us = period * _PERIOD_US + rng.integers(1, _PERIOD_US, len(user))
    good = np.repeat(np.arange(_USERS), _GOOD_EACH)
    good_us = rng.integers(1, _PERIODS * _PERIOD_US, len(good))
    policy = policy_of(rng, (_SHARE_BP,), errors(60, margin=0.1, floor=0.001))
    requests = Requests(
        np.concatenate([user, good]),
        np.concatenate([failed_us, good_us]),
        failed=np.arange(len(user) + len(good)) < len(user),
    )
    return Column(people(policy, _USERS), requests)


def _every_error(rng: np.random.Generator, replicates: int) -> list[Claim]:
    lived = live([_again_and_again(rng) for _ in range(replicates)], Schedule(_PERIOD_LOOKS))
    moments = np.arange(1, 10 * _PERIODS + 1) * _PERIOD_US // 10
    counts = np.stack([failures(sight, moments) for sight in lived.sights], axis=1)
    log_e = events.log_e_harm(counts[1][..., None], counts[0][..., None], share=[_SHARE])
    return [wrong("every error counted: harm", ever(log_e)), not_rolled_back(lived), not_mismatched(lived)]


def failures(sight: Sight, at_us: IntArray) -> IntArray:
    """Return failed requests so far, of all that the baseline served and of the candidate's."""
    own = sight.arm == CANDIDATE
    return np.stack(
        [
            so_far(sight.at_us[rows], at_us, sight.requests[rows])
            for rows in (sight.failed & ~own, sight.failed & own)
        ]
    )


_SINGLE: Final = 1_600
_RATES: Final = (0.1, 0.175)
_SINGLE_LOOKS: Final = np.array([5, 10, 15, 20, 23]) * _MINUTE_US


def _single(rng: np.random.Generator, at_us: IntArray, rates: FloatArray, *, margin: float) -> Column:
    """Return people with one request each; `rates` are of the two arms, [arm, request]."""
    policy = policy_of(rng, (5_000,), errors(60, margin=margin, floor=0.001))
    who = people(policy, len(at_us), reached_by=np.ones(len(at_us), dtype=np.int64))
    unit = np.arange(len(at_us))
    failed = rng.random(len(at_us)) < rates[who.arm, unit]
    return Column(who, Requests(unit, at_us, failed=failed))


def _inside_margin(rng: np.random.Generator, replicates: int) -> list[Claim]:
    rates = np.repeat(np.array(_RATES)[:, None], _SINGLE, axis=1)
    columns = [
        _single(rng, np.sort(rng.integers(1, 20 * _MINUTE_US, _SINGLE)), rates, margin=1.0)
        for _ in range(replicates)
    ]
    lived = live(columns, Schedule(_SINGLE_LOOKS))
    moments = np.arange(1, 101) * _MINUTE_US // 5
    counts = np.stack([failures(sight, moments) for sight in lived.sights], axis=1)
    log_e = events.log_e_harm(counts[1][..., None], counts[0][..., None], share=[0.5])
    fooled = ever(log_e, np.exp(_STOP_BAR))
    return [wrong("harm means more errors than the baseline's", fooled, strong=True), not_rolled_back(lived)]


_QUIET_REQUESTS, _QUIET_S, _PER_SECOND, _AFTER_S = 6_000, 5 * 3_600, 10, 80
_QUIET_RATE, _HARMED_RATE = 0.1, 0.8
_SOON: Final = np.arange(1, _AFTER_S + 1)
"""When the wrong way looks, in seconds after the onset."""
_FRESH_LOOKS: Final = np.array([*range(1, 13), 15, 20, 30, 50, _AFTER_S])
_LATE_LOOKS: Final = np.array([*range(2, 31, 2), 40, 60, _AFTER_S])


def _onset(rng: np.random.Generator, quiet_s: int) -> Column:
    """Return quiet hours, if any, and then a candidate that fails."""
    after = rng.poisson(_PER_SECOND * _AFTER_S)
    quiet = _QUIET_REQUESTS if quiet_s else 0
    at_us = np.concatenate(
        [
            rng.integers(1, max(quiet_s, 1) * SECOND_US, quiet),
            quiet_s * SECOND_US + rng.integers(1, _AFTER_S * SECOND_US, after),
        ]
    )
    rates = np.full((2, len(at_us)), _QUIET_RATE)
    rates[1, quiet:] = _HARMED_RATE
    return _single(rng, at_us, rates, margin=0.1)


def _late_harm(rng: np.random.Generator, replicates: int) -> list[Claim]:
    ours, cumulative = [], []
    for quiet_s, soon in ((0, _FRESH_LOOKS), (_QUIET_S, _LATE_LOOKS)):
        hours = np.arange(3_600, quiet_s + 1, 3_600)
        looks = np.concatenate([hours, quiet_s + soon]) * SECOND_US
        lived = live([_onset(rng, quiet_s) for _ in range(replicates)], Schedule(looks))
        alarms = (_alarms(one)[len(hours) :] for one in lived.endings)
        ours.append(np.array([_delay(one, soon) for one in alarms]))
        cumulative.append(np.array([_delay(one, _SOON) for one in _accumulated(lived, quiet_s)]))
    return [
        delays("one test since the beginning, all errors", Kind.WRONG, *cumulative, limit=4.0, strong=True),
        delays("rolled back", Kind.OURS, *ours, limit=4.0),
    ]


def _alarms(ending: Ending) -> BoolArray:
    """Return at which looks it is rolled back; the first one comes before any request."""
    return np.array([one.action is Action.ROLL_BACK for one in ending.decisions[1:]], dtype=np.bool_)


def _accumulated(lived: Lived, quiet_s: int) -> BoolArray:
    """Return at which looks the wrong way stops the candidate, [replicate, look]."""
    moments = (quiet_s + _SOON) * SECOND_US
    counts = np.stack([failures(sight, moments) for sight in lived.sights], axis=1)
    log_e = events.log_e_harm(
        counts[1][..., None], counts[0][..., None], share=[0.5], null_log_risk=np.log(1.1)
    )
    return np.asarray(log_e >= _STOP_BAR)


def _delay(alarms: BoolArray, looks_s: IntArray) -> float:
    """Return the seconds from the onset to the first alarm, or to the end where there is none."""
    return float(looks_s[alarms.argmax()] if alarms.any() else _AFTER_S)


TRAPS = (
    Trap(
        20,
        "every error counted",
        (
            World(
                "pipeline: again and again",
                "400 users, a tenth of them the candidate's, err in 48 periods by a chance of their own.",
                _every_error,
                batch=BATCH,
            ),
        ),
    ),
    Trap(
        23,
        "inside the margin, tolerance zero",
        (
            World(
                "pipeline: errors within twice the baseline's",
                "10 % of the control's requests fail and 17.5 % of the candidate's; the margin is 100 %.",
                _inside_margin,
                batch=BATCH,
            ),
        ),
    ),
    Trap(
        24,
        "harm after quiet days",
        (
            World(
                "pipeline: errors 10 to 80 %",
                "6,000 people in five quiet hours, then ten a second; that delay over a fresh revision's.",
                _late_harm,
                replicates=500,
                batch=BATCH,
            ),
        ),
    ),
)
