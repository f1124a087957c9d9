"""Planning and latency histograms: fixed horizons, Wald's bound, first passages, quantiles."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from tests.golden.peers.exchange import Question
from tests.golden.peers.questions.series import whole

_PLANNING: Final = "planning"
_QUANTILES: Final = "d: latency histogram"
_DESIGN: Final = {"alpha": 0.05, "power": 0.8}
_PRINT: Final = "t test, one-tailed 5 %: the MRC CBU statistics pages' table after Cohen 1988"
_GROWTH: Final = 1.01 / 0.99


def _fixed(name: str, peer: str, effect: float, variance: float, **more: float) -> Question:
    sources = {"statsmodels": "NormalIndPower.solve_power", "tea-tasting": "Mean.solve_power (n_obs)"}
    inputs: dict[str, object] = {"effect": effect, "variance": variance, **_DESIGN}
    return Question(_PLANNING, name, "fixed information", peer, sources[peer], inputs | more)


def _reachable(name: str, peer: str, units: int, variance: float) -> Question:
    sources = {"statsmodels": "NormalIndPower.solve_power", "tea-tasting": "Mean.solve_power (effect_size)"}
    inputs: dict[str, object] = {"units": units, "variance": variance, **_DESIGN}
    return Question(_PLANNING, name, "reachable effect", peer, sources[peer], inputs)


def _table(effect: float, power: float) -> Question:
    return Question(
        _PLANNING,
        f"table of t tests, d = {effect}, power {power:.0%}",
        "whole units of means",
        "printed",
        _PRINT,
        {"effect": effect, "alpha": 0.05, "power": power},
    )


def _wald(name: str, true_rate: float, null_rate: float, alpha: float) -> Question:
    inputs: dict[str, object] = {"true_rate": true_rate, "null_rate": null_rate, "alpha": alpha}
    return Question(_PLANNING, name, "wald", "scipy", "stats.entropy; Wald 1945", inputs)


def _rates(name: str, control: float, candidate: float) -> Question:
    inputs: dict[str, object] = {"control_rate": control, "candidate_rate": candidate, **_DESIGN}
    return Question(
        _PLANNING, name, "units of rates", "scipy", "norm quantiles at the arcsine effect; Cohen 1988", inputs
    )


def _passage(name: str, level: float, drift: float, end: float) -> Question:
    return Question(
        _PLANNING,
        name,
        "first passage",
        "scipy",
        "invgauss.cdf, levy.cdf",
        {"level": level, "drift": drift, "end": end},
        1e-6,
        "ours integrates any boundary in 2,000 steps (error O(step²)); the peer's law is for a constant one",
    )


# Latencies in microseconds: a body of some milliseconds and a slow tail.
_LATENCIES: Final = [
    2_000 + 31 * body + (400_000 if tail > 960 else 0)
    for body, tail in zip(whole(111, 400, 997), whole(112, 400, 1000), strict=True)
]
_FEW: Final = [180, 95_000, 1_200, 1_200, 33, 2_400_000, 760]
_SKETCH: Final = "DDSketch(relative_accuracy=0.01); Masson, Rim & Lee 2019"


def _quantile(name: str, peer: str, durations: list[int], probability: float) -> Question:
    plain = Question(
        _QUANTILES,
        name,
        "quantile",
        peer,
        "quantile(method='inverted_cdf')",
        {"durations": durations, "probability": probability},
        0.0101,
        "the histogram promises 1 % of the sample's own quantile",
    )
    if peer == "numpy":
        return plain
    reason = "both promise 1 % of the sample's own quantile, on different bucket edges"
    return replace(plain, source=_SKETCH, bound=0.0203, reason=reason)


def _share(name: str, durations: list[int], bucket: int) -> Question:
    limit = int(10 * _GROWTH**bucket)
    inputs: dict[str, object] = {"durations": durations, "limit": limit}
    return Question(_QUANTILES, name, "share above", "statsmodels", "1 − ECDF at a bucket's edge", inputs)


QUESTIONS: Final[tuple[Question, ...]] = (
    _fixed("information of a fixed test", "statsmodels", 0.02, 1.0),
    _fixed("information, variance 9, power 90 %", "statsmodels", 0.3, 9.0, power=0.9),
    replace(
        _fixed("information, α = 0.25 %", "statsmodels", 1.0, 25.0, alpha=0.0025),
        bound=1e-8,
        reason="the peer searches for the units numerically; ours is the closed form",
    ),
    replace(
        _fixed("information of a fixed test", "tea-tasting", 0.02, 1.0),
        bound=2e-5,
        reason="the peer rounds up to whole units of both arms",
    ),
    replace(
        _reachable("reachable effect of a fixed test", "statsmodels", 50_000, 4.0),
        bound=1e-4,
        reason="the peer stops its search early: its own power there is 80.002 %, and 80 % at ours",
    ),
    _reachable("reachable effect of a fixed test", "tea-tasting", 50_000, 4.0),
    replace(
        Question(
            _PLANNING,
            "units of a t test, d = 0.1",
            "units of means",
            "tea-tasting",
            "Mean(use_t=True).solve_power (n_obs)",
            {"effect": 0.1, **_DESIGN},
        ),
        bound=1e-3,
        reason="the peer rounds up to whole units of both arms",
    ),
    *(_table(*design) for design in ((0.2, 0.8), (0.5, 0.8), (0.8, 0.8), (0.5, 0.9))),
    *(
        replace(
            _table(*design), bound=0.005, reason="the table rounds on its way; tea-tasting agrees with ours"
        )
        for design in ((0.1, 0.8), (0.2, 0.9))
    ),
    _rates("units of two rates, 10 % and 11 %", 0.10, 0.11),
    _rates("units of two rates, 1 % and 0.8 %", 0.01, 0.008),
    _wald("Wald's bound, 2 % against 1 %", 0.02, 0.01, 0.05),
    _wald("Wald's bound, none against 0.1 %, α = 1/400", 1e-9, 0.001, 0.0025),
    _passage("first passage of a drifting motion", 2.0, 0.5, 6.0),
    _passage("first passage without drift", 1.5, 0.0, 4.0),
    _quantile("median of 400", "numpy", _LATENCIES, 0.5),
    _quantile("p99 of 400", "numpy", _LATENCIES, 0.99),
    _quantile("p90 of seven, over five decades", "numpy", _FEW, 0.9),
    _quantile("p95 of 400", "ddsketch", _LATENCIES, 0.95),
    _quantile("median of seven, over five decades", "ddsketch", _FEW, 0.5),
    _share("share above an edge near 16 ms", _LATENCIES, 369),
    _share("share above an edge near 100 ms", _LATENCIES, 461),
)
TABLE: Final[dict[tuple[float, float], float]] = {
    (0.1, 0.8): 1234.0,
    (0.2, 0.8): 310.0,
    (0.5, 0.8): 51.0,
    (0.8, 0.8): 21.0,
    (0.2, 0.9): 428.0,
    (0.5, 0.9): 70.0,
}
"""Units per arm as the table prints them, by effect and power."""
