"""Absolute limits: violation, compliance, units, beta tails that underflow, and intervals of a rate."""

from __future__ import annotations

from typing import Final

from tests.golden.peers.exchange import Question
from tests.golden.peers.questions.series import whole

_SLO: Final = "c: SLO"
_TAILS: Final = "c: tails"
_SEQUENCE: Final = "confidence sequences"
_SOURCES: Final = {
    "confseq": "boundaries.beta_binomial_log_mixture (one-sided); Howard et al. 2021, Prop. 7",
    "scipy": "betabinom − binom log pmf, beta tails",
    "mpmath": "printed formula in 60 digits",
}


def _slo(name: str, peer: str, side: str, counts: tuple[float, float], **more: float) -> Question:
    inputs: dict[str, object] = {
        "exceedances": counts[0],
        "units": counts[1],
        "side": side,
        "limit": 0.01,
        "planned_units": 1000.0,
        "alpha": 0.05,
    }
    return Question(_SLO, name, "slo", peer, _SOURCES[peer], inputs | more)


def _tail(name: str, peer: str, x: float, a: float, b: float) -> Question:
    source = "beta.logcdf and logsf" if peer == "scipy" else "positive series in 60 digits"
    return Question(_TAILS, name, "log tail", peer, source, {"x": x, "a": a, "b": b})


def _units(name: str, side: str, exceedances: list[int], requests: list[int]) -> Question:
    return Question(
        _SLO,
        name,
        "slo units",
        "statsmodels",
        "weightstats.ztest(ddof=0), then skewnorm.logpdf",
        {
            "exceedances": exceedances,
            "requests": requests,
            "side": side,
            "limit": 0.05,
            "units_per_ratio": 150.0,
        },
    )


_REQUESTS: Final = [value + 1 for value in whole(101, 120, 60)]
_SLOW: Final = [
    min(n, value) if value > 3 else 0 for n, value in zip(_REQUESTS, whole(102, 120, 9), strict=True)
]
# Bursts make the residuals spread wider than binomial ones, so that the floor on the variance is idle.
_BURSTS: Final = [n // 2 if k % 24 == 0 else 0 for k, n in enumerate(_REQUESTS)]

QUESTIONS: Final[tuple[Question, ...]] = (
    _slo("violation, 2 % seen", "confseq", "violation", (40, 2000)),
    _slo("violation, none seen", "confseq", "violation", (0, 500)),
    _slo("violation, fractions of units", "confseq", "violation", (31.4159, 1200)),
    _slo("compliance, 0.5 % seen", "confseq", "compliance", (12, 2400)),
    _slo("compliance, none seen", "confseq", "compliance", (0, 900)),
    _slo("compliance, at the limit", "confseq", "compliance", (50, 5000)),
    _slo(
        "violation, limit 5 %, t_opt 300, α = 1 %",
        "confseq",
        "violation",
        (40, 400),
        limit=0.05,
        planned_units=300.0,
        alpha=0.01,
    ),
    _slo("compliance, one unit", "scipy", "compliance", (0, 1)),
    _slo("violation, one unit exceeds", "scipy", "violation", (1, 1)),
    _slo(
        "compliance, limit 0.1 %, t_opt 10,000",
        "scipy",
        "compliance",
        (3, 12_000),
        limit=0.001,
        planned_units=10_000.0,
    ),
    *(
        _slo(f"{side}, half the limit at n = 10^{power}", "mpmath", side, (0.005 * 10**power, 10**power))
        for side in ("violation", "compliance")
        for power in (6, 9, 12)
    ),
    _slo("compliance, twice the limit at n = 10^6", "mpmath", "compliance", (20_000, 10**6)),
    _units("units, violation (slow users)", "violation", _SLOW, _REQUESTS),
    _units("units, compliance (bursts of few users)", "compliance", _BURSTS, _REQUESTS),
    _tail("moderate", "scipy", 0.3, 4.0, 7.0),
    _tail("small shapes", "scipy", 0.01, 1.57, 155.4),
    _tail("shapes below one", "scipy", 0.6, 0.05, 0.4),
    _tail("ln I = −1500", "mpmath", 0.01, 20_001.0, 979_999.0),
    _tail("ln I^c = −10⁷", "mpmath", 0.01, 5e7 + 1, 9.95e9),
    _tail("lower tail at 10⁻⁶", "mpmath", 1e-6, 60.0, 1e6),
    Question(
        _SEQUENCE,
        "rate, prior at its centre",
        "rate interval",
        "ville",
        "BernoulliCS; Robbins 1970, Howard et al. 2021",
        {"successes": 30, "trials": 2000, "centre": 0.01, "concentration": 157.0, "alpha": 0.05},
    ),
    Question(
        _SEQUENCE,
        "rate, no successes, uniform prior",
        "rate interval",
        "ville",
        "BernoulliCS; Robbins 1970, Howard et al. 2021",
        {"successes": 0, "trials": 400, "centre": 0.5, "concentration": 2.0, "alpha": 0.05},
    ),
    Question(
        _SEQUENCE,
        "rate, all successes, α = 0.1 %",
        "rate interval",
        "ville",
        "BernoulliCS; Robbins 1970, Howard et al. 2021",
        {"successes": 60, "trials": 60, "centre": 0.4, "concentration": 11.0, "alpha": 0.001},
    ),
    Question(
        _SEQUENCE,
        "rate, tuned by time",
        "rate interval, tuned",
        "confseq",
        "boundaries.bernoulli_confidence_interval",
        {"successes": 300, "trials": 10_000, "centre": 0.03, "planned_units": 5000.0, "alpha": 0.05},
        0.01,
        "the peer moves the prior's centre with every p it tests; ours stays at one centre",
    ),
)
