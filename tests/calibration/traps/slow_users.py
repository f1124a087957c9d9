"""Traps of a limit exactly met while a few users are slow by nature: violation (17) and compliance (18)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from rollout.stats import bars, normal_mixture, slo, starts
from rollout.stats.arrays import IntArray
from tests.calibration.trap import (
    SHORT,
    Claim,
    FloatArray,
    Numbers,
    Trap,
    World,
    ever,
    ours,
    ours_at_400,
    shown,
    wrong,
)
from tests.calibration.unit_sums import joint, joint_of_single_requests

_LIMIT = 0.01
_MINUTES = 240
_START_EVERY, _START_LIFE = 10, 60
_LOOK_EVERY = 5

_ALIKE_USERS, _ALIKE_LOOK_EVERY, _NO_SPREAD = 2_000, 10, 1e-9


@dataclass(frozen=True, slots=True)
class _Users:
    """How many arrive a minute, how long they live, how often they are active, and how alike they are."""

    arrivals: int
    life: int
    activity: float
    alike: float


@dataclass(frozen=True, slots=True)
class _UnitMinutes:
    """One row per active minute of a user, and when each user arrived."""

    user: IntArray
    minute: IntArray
    requests: IntArray
    exceeding: IntArray
    arrival: IntArray

    @property
    def fractions(self) -> FloatArray:
        """The share of each unit-minute's requests that exceed."""
        return np.asarray(self.exceeding / self.requests)


def _drawn(rng: np.random.Generator, users: _Users) -> _UnitMinutes:
    arrival = np.repeat(np.arange(_MINUTES), rng.poisson(users.arrivals, _MINUTES))
    # Beta(h, 99h) has mean 1 %: the limit is met exactly, by fast and slow users together.
    chance = rng.beta(users.alike, 99.0 * users.alike, arrival.size)
    active = rng.random((arrival.size, users.life), dtype=np.float32) < users.activity
    active[:, 0] = True
    user, age = np.nonzero(active)
    minute = arrival[user] + age
    user, minute = user[minute < _MINUTES], minute[minute < _MINUTES]
    requests = 1 + rng.poisson(2.0, user.size)
    return _UnitMinutes(user, minute, requests, rng.binomial(requests, chance[user]), arrival)


@dataclass(frozen=True, slots=True)
class _Process:
    """The minutes of one start: its number, its first minute, and the minute it ends before."""

    index: int
    begin: int
    end: int


# The first start never ends; of the others one begins every ten minutes and lives for an hour.
_PROCESSES = (
    _Process(0, 0, _MINUTES),
    *(
        _Process(begin // _START_EVERY, begin, min(begin + _START_LIFE, _MINUTES))
        for begin in range(_START_EVERY, _MINUTES, _START_EVERY)
    ),
)
_INDEX = np.concatenate([np.full(process.end - process.begin, process.index) for process in _PROCESSES])


def _by_process(per_minute: Numbers) -> FloatArray:
    """Return running totals per start, all starts' looks side by side on the last axis."""
    values = np.asarray(per_minute, dtype=np.float64)
    return np.concatenate([values[p.begin : p.end].cumsum() for p in _PROCESSES])


def _unit_sums(table: _UnitMinutes) -> IntArray:
    """Return, per start and look, units, units with an exceedance, and Σy, Σx, Σyy, Σxy, Σxx over units."""
    requests, exceeding = np.zeros((2, table.arrival.size, _MINUTES), dtype=np.int32)
    requests[table.user, table.minute] = table.requests
    exceeding[table.user, table.minute] = table.exceeding
    # Most users never exceed; only the others add to a sum that holds y.
    slow = np.flatnonzero(exceeding.any(axis=1))
    parts = []
    for process in _PROCESSES:
        come = int(np.searchsorted(table.arrival, process.end))
        x = requests[:come, process.begin : process.end].cumsum(axis=1, dtype=np.int32)
        some = slow[: np.searchsorted(slow, come)]
        y, their_x = exceeding[some, process.begin : process.end].cumsum(axis=1, dtype=np.int32), x[some]
        columns = (x > 0, y > 0, y, x, y * y, y * their_x, x * x)
        parts.append(np.stack([column.sum(axis=0) for column in columns]))
    return np.concatenate(parts, axis=1)


def _violation(rng: np.random.Generator, replicates: int, *, users: _Users, is_caught: bool) -> list[Claim]:
    tables = [_drawn(rng, users) for _ in range(replicates)]
    windows = np.stack([_by_process(np.bincount(t.minute, minlength=_MINUTES)) for t in tables])
    fractions = np.stack([_by_process(np.bincount(t.minute, t.fractions, _MINUTES)) for t in tables])
    n, exceeding_units, y, x, yy, yx, xx = np.stack([_unit_sums(t) for t in tables], axis=1)
    by_windows = slo.log_e_violation(fractions, windows, limit=_LIMIT)
    totals = joint(n, (y, x), (yy, yx, xx))
    by_units = slo.log_e_units_violation(totals, limit=_LIMIT, exceeding_units=exceeding_units)
    both = bars.both(by_windows, by_units)
    whole = both[:, :_MINUTES]
    strongest = starts.strongest(both, _INDEX)
    return [
        (wrong if is_caught else shown)("(c) on unit-minutes alone", ever(by_windows[:, :_MINUTES])),
        ours("the smaller of (c) and (a)", ever(whole)),
        ours_at_400("the smaller of (c) and (a)", ever(whole, 400)),
        ours("with the starts of (g)", strongest >= np.log(20)),
        ours_at_400("with the starts of (g)", strongest >= np.log(400)),
    ]


def _closed(table: _UnitMinutes, life: int) -> IntArray:
    """Return, per look, closed units and the sums of y, x, yy, xy, xx over them."""
    units = table.arrival.size
    x = np.bincount(table.user, table.requests, units)
    y = np.bincount(table.user, table.exceeding, units)
    closing = table.arrival + life
    columns = (np.ones(units), y, x, y * y, y * x, x * x, y / x)
    per_minute = [np.bincount(closing, column, _MINUTES + life + 1) for column in columns]
    return np.stack(per_minute).cumsum(axis=1)[:, _LOOK_EVERY : _MINUTES + 1 : _LOOK_EVERY]


def _compliance(rng: np.random.Generator, replicates: int, *, users: _Users, is_caught: bool) -> list[Claim]:
    tables = [_drawn(rng, users) for _ in range(replicates)]
    looks = slice(_LOOK_EVERY - 1, None, _LOOK_EVERY)
    windows = np.stack([np.bincount(t.minute, minlength=_MINUTES).cumsum()[looks] for t in tables])
    fractions = np.stack([np.bincount(t.minute, t.fractions, _MINUTES).cumsum()[looks] for t in tables])
    by_windows = slo.log_e_compliance(fractions, windows, limit=_LIMIT)
    sums = np.stack([_closed(t, users.life) for t in tables], axis=1)
    n, y, x, yy, yx, xx = np.rint(sums[:-1]).astype(np.int64)
    by_fractions = slo.log_e_compliance(sums[-1], n, limit=_LIMIT)
    by_traffic = slo.log_e_units_compliance(joint(n, (y, x), (yy, yx, xx)), limit=_LIMIT)
    both = bars.both(by_fractions, by_traffic)
    name = "(c) on unit-minutes"
    return [
        wrong(name, ever(by_windows), strong=True) if is_caught else shown(name, ever(by_windows)),
        shown("(a) over closed units alone", ever(by_traffic)),
        ours("the smaller of (c) and (a), closed units", ever(both)),
        ours_at_400("the smaller of (c) and (a), closed units", ever(both, 400)),
    ]


def _alike_users(rng: np.random.Generator, replicates: int) -> list[Claim]:
    exceeding = (rng.random((replicates, _ALIKE_USERS)) < _LIMIT).astype(np.int64)
    exceeding = exceeding.reshape(replicates, -1, _ALIKE_LOOK_EVERY).sum(axis=2).cumsum(axis=1)
    n = np.broadcast_to(np.arange(_ALIKE_LOOK_EVERY, _ALIKE_USERS + 1, _ALIKE_LOOK_EVERY), exceeding.shape)
    spread = exceeding * (1.0 - exceeding / n)
    # No exceedance yet, hence no spread: without a floor the smallest number is taken for certainty.
    z = (exceeding - _LIMIT * n) / np.sqrt(np.maximum(spread, _NO_SPREAD))
    without_floor = normal_mixture.log_e_less(z, n / slo.COMPLIANCE_UNITS_PER_RATIO)
    with_floor = slo.log_e_units_compliance(joint_of_single_requests(exceeding, n), limit=_LIMIT)
    by_fractions = slo.log_e_compliance(exceeding, n, limit=_LIMIT)
    both = bars.both(by_fractions, with_floor)
    return [
        wrong("(a) alone without a floor of the variance", ever(without_floor), strong=True),
        shown("(a) alone with the floor", ever(with_floor)),
        shown("the smaller of (c) and (a) without the floor", ever(bars.both(by_fractions, without_floor))),
        ours("the smaller of (c) and (a) with the floor", ever(both)),
        ours_at_400("the smaller of (c) and (a) with the floor", ever(both, 400)),
    ]


_V3 = _Users(1, 240, 0.5, 0.05)
_V2 = _Users(10, 240, 0.3, 0.01)
_ALIKE = _Users(10, 60, 0.3, 99.0)


def _sentence(users: _Users) -> str:
    return (
        f"{users.arrivals} users arrive a minute and live {users.life} min; their chances of a slow request "
        f"are Beta({users.alike:g}, {99 * users.alike:g}), whose mean is the limit."
    )


def _violation_world(key: str, users: _Users, *, is_caught: bool, is_main: bool = False) -> World:
    simulate = partial(_violation, users=users, is_caught=is_caught)
    short = SHORT if is_main else 0
    return World(key, _sentence(users), simulate, short=short)


def _compliance_world(alike: float, *, is_caught: bool, is_main: bool = False) -> World:
    users = _Users(40, 60, 0.3, alike)
    simulate = partial(_compliance, users=users, is_caught=is_caught)
    short = SHORT if is_main else 0
    return World(f"slow users rare, h = {alike:g}", _sentence(users), simulate, short=short)


TRAPS = (
    Trap(
        17,
        "violation: a few users slow by nature",
        (
            _violation_world("V3, few users of long lives", _V3, is_caught=True, is_main=True),
            _violation_world("V2, many users of long lives", _V2, is_caught=True),
            _violation_world("alike users, h = 99", _ALIKE, is_caught=False),
        ),
    ),
    Trap(
        18,
        "compliance: slow users are rare",
        (
            _compliance_world(0.01, is_caught=True, is_main=True),
            _compliance_world(0.05, is_caught=False),
            _compliance_world(0.5, is_caught=False),
            World(
                "floor of the variance",
                "Alike users with one request each, at exactly the limit, read every ten.",
                _alike_users,
            ),
        ),
    ),
)
