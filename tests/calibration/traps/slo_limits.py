"""Traps of a limit exactly met: a binomial test at every look (13), the mean over unlike users (21)."""

from __future__ import annotations

from functools import partial

import numpy as np
from scipy import special

from rollout.stats import bars, slo
from tests.calibration.trap import (
    Claim,
    FloatArray,
    IntArray,
    Trap,
    World,
    ever,
    ours,
    ours_at_400,
    shown,
    wrong,
)
from tests.calibration.unit_sums import joint_in_order

_LIMIT = 0.01

_PER_LOOK, _LOOKS = 50, 600

_USERS, _USERS_PER_LOOK = 6_000, 50
_HEAVY_SHARE, _HEAVY_REQUESTS, _LIGHT_RATE = 0.1, 100.0, 0.002
_HEAVY_RATE = 0.03
# At this rate of the heavy users the whole traffic is at the limit: (.01 × 10.9 − .0018) / 10.
_HEAVY_RATE_AT_LIMIT = 0.01072


def _peeked(rng: np.random.Generator, replicates: int) -> list[Claim]:
    units = _PER_LOOK * np.arange(1, _LOOKS + 1)
    exceedances = rng.binomial(_PER_LOOK, _LIMIT, (replicates, _LOOKS)).cumsum(axis=1)
    p_values = binomial_p(exceedances, units, _LIMIT)
    violation = slo.log_e_violation(exceedances, units, limit=_LIMIT, planned_units=10_000)
    compliance = slo.log_e_compliance(exceedances, units, limit=_LIMIT, planned_units=10_000)
    return [
        wrong("binomial p-value at every look", (p_values <= 0.05).any(axis=1), strong=True),
        ours("(c) violation", ever(violation)),
        ours_at_400("(c) violation", ever(violation, 400)),
        ours("(c) compliance", ever(compliance)),
        ours_at_400("(c) compliance", ever(compliance, 400)),
    ]


def binomial_p(exceedances: IntArray, units: IntArray, limit: float) -> FloatArray:
    """Return P(X ≥ s | n, p₀), as a table of the binomial law gives it for one look."""
    return np.where(exceedances > 0, special.bdtrc(exceedances - 1.0, units, limit), 1.0)


def _heavy_users(rng: np.random.Generator, replicates: int, *, heavy_rate: float) -> list[Claim]:
    heavy = rng.random((replicates, _USERS)) < _HEAVY_SHARE
    many = np.maximum(rng.poisson(_HEAVY_REQUESTS, (replicates, _USERS)), 1)
    requests = np.where(heavy, many, 1)
    exceeding = rng.binomial(requests, np.where(heavy, heavy_rate, _LIGHT_RATE))
    seen = np.arange(_USERS_PER_LOOK, _USERS + 1, _USERS_PER_LOOK)
    fractions = (exceeding / requests).cumsum(axis=1)[:, _USERS_PER_LOOK - 1 :: _USERS_PER_LOOK]
    by_fractions = slo.log_e_compliance(fractions, seen, limit=_LIMIT, planned_units=3_000)
    totals = joint_in_order(exceeding, requests, every=_USERS_PER_LOOK)
    by_traffic = slo.log_e_units_compliance(totals, limit=_LIMIT)
    both = bars.both(by_fractions, by_traffic)
    return [
        wrong("(c) on unit fractions alone", ever(by_fractions), strong=True),
        shown("(a) over units alone", ever(by_traffic)),
        ours("the smaller of (c) and (a)", ever(both)),
        ours_at_400("the smaller of (c) and (a)", ever(both, 400)),
    ]


TRAPS = (
    Trap(
        13,
        "naive binomial test of a limit",
        (
            World(
                "at the limit",
                "Independent requests at exactly 1 %, read every 50 of them, 600 times.",
                _peeked,
            ),
        ),
    ),
    Trap(
        21,
        "the mean over users complies, the traffic does not",
        (
            World(
                "heavy users break the limit",
                "A tenth of the users send 100 requests each, 3 % of them too slow; the others one, .2 % "
                "too slow: the traffic is at 2.8 %, the mean over users at .48 %, the limit at 1 %.",
                partial(_heavy_users, heavy_rate=_HEAVY_RATE),
            ),
            World(
                "traffic exactly at the limit",
                "The same, with heavy users at 1.072 %: the traffic is at exactly 1 %.",
                partial(_heavy_users, heavy_rate=_HEAVY_RATE_AT_LIMIT),
            ),
        ),
    ),
)
