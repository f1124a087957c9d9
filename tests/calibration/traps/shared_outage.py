"""Trap of a shared outage: the candidate breaks the limit with everyone else, and is not the cause (19)."""

from __future__ import annotations

import numpy as np

from rollout.stats import bars, slo, starts
from rollout.stats.arrays import IntArray
from tests.calibration.trap import BoolArray, Claim, FloatArray, Trap, World, ever, ours, ours_at_400, wrong
from tests.calibration.unit_sums import joint_of_single_requests

_LIMIT = 0.01
_MINUTES, _WINDOWS_PER_MINUTE = 120, 6
_CANDIDATE, _BASELINE = 60, 60 + 360
_QUIET_RATE, _OUTAGE_RATE, _OUTAGE_MINUTES = 0.003, 0.2, slice(60, 65)
_START_EVERY, _START_LIFE = 10, 60

_FAIR_REQUESTS, _FAIR_MINUTES = (60, 600, 6_000), 100


def _outage(rng: np.random.Generator, replicates: int) -> list[Claim]:
    rates = np.full(_MINUTES, _QUIET_RATE)
    rates[_OUTAGE_MINUTES] = _OUTAGE_RATE
    by_window = np.repeat(rates, _WINDOWS_PER_MINUTE)
    shape = (replicates, by_window.size)
    candidate = rng.binomial(_CANDIDATE, by_window, shape)
    baseline = rng.binomial(_BASELINE, by_window, shape)
    marked = slo.environment_windows(np.full(shape, _BASELINE), baseline, limit=_LIMIT)
    expected = by_window == _OUTAGE_RATE
    whole, with_starts = _violation(candidate, np.full(shape, _CANDIDATE))
    kept = ~marked
    ours_whole, ours_with_starts = _violation(candidate * kept, _CANDIDATE * kept)
    return [
        wrong("no environment rule", ever(whole), strong=True),
        wrong("no environment rule, with the starts of (g)", with_starts >= np.log(20), strong=True),
        ours("environment windows left out", ever(ours_whole)),
        ours_at_400("environment windows left out", ever(ours_whole, 400)),
        ours("left out, with the starts of (g)", ours_with_starts >= np.log(20)),
        ours_at_400("left out, with the starts of (g)", ours_with_starts >= np.log(400)),
        ours("an outage window missed, or another marked", (marked != expected).any(axis=1), alpha=0.001),
    ]


def _violation(exceeding: IntArray, requests: IntArray) -> tuple[FloatArray, FloatArray]:
    """Return the violation test at each minute, and its strongest start; each request is its own unit."""
    minutes = [part.reshape(len(part), _MINUTES, -1).sum(axis=2) for part in (exceeding, requests)]
    whole = _log_e(*(part.cumsum(axis=1) for part in minutes))
    strongest = [whole.max(axis=1)]
    begins = range(_START_EVERY, _MINUTES, _START_EVERY)
    for begin in begins:
        alive = slice(begin, begin + _START_LIFE)
        strongest.append(_log_e(*(part[:, alive].cumsum(axis=1) for part in minutes)).max(axis=1))
    return whole, starts.strongest(np.stack(strongest, axis=-1), np.arange(len(begins) + 1))


def _log_e(exceeding: IntArray, requests: IntArray) -> FloatArray:
    by_windows = slo.log_e_violation(exceeding, requests, limit=_LIMIT)
    totals = joint_of_single_requests(exceeding, requests)
    by_units = slo.log_e_units_violation(totals, limit=_LIMIT, exceeding_units=exceeding)
    return bars.both(by_windows, by_units)


def _fair_baseline(rng: np.random.Generator, replicates: int) -> list[Claim]:
    claims = []
    for requests in _FAIR_REQUESTS:
        exceeding = rng.binomial(requests, _LIMIT, (replicates, _FAIR_MINUTES))
        marked = slo.is_environment(np.full(exceeding.shape, requests), exceeding, limit=_LIMIT)
        beyond = exceeding > requests * _LIMIT
        claims += [
            wrong(f"more than the limit, {requests} a minute", _share(beyond), strong=True),
            ours(f"three deviations more, {requests} a minute", _share(marked)),
        ]
    return claims


def _share(marked: BoolArray) -> FloatArray:
    return np.asarray(marked.mean(axis=1))


TRAPS = (
    Trap(
        19,
        "a shared outage",
        (
            World(
                "everyone is slow for five minutes",
                "For two hours .3 % of all arms' requests are too slow, in minutes 60 to 65 20 % of them.",
                _outage,
            ),
            World(
                "a fair baseline",
                "A baseline at exactly the limit, 100 minutes: how many of them are called an outage.",
                _fair_baseline,
            ),
        ),
    ),
)
