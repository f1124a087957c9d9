"""Ratios, CUPED and moments: covariances, slopes, and where the peers pool differently."""

from __future__ import annotations

from typing import Final

from tests.golden.peers.exchange import Question
from tests.golden.peers.questions.series import outcomes, ratios, related

_RATIO: Final = "f: ratio"
_CUPED: Final = "f: CUPED"
_MOMENTS: Final = "moments"
_POOLING: Final = (
    "the peer's slope also counts the chance difference between the arms; ours is pooled within them"
)

_REMOTE: Final = [[1e12, 1e12 + 1, 1e12 + 3], [1e12 + 2, 1e12 - 4]]
_CONTROL: Final = ratios(61, 60, rate=2)
_CANDIDATE: Final = ratios(65, 45, rate=3)
_SHORT: Final = [row[:2] for row in _CONTROL]
_SHORT_CANDIDATE: Final = [row[:2] for row in _CANDIDATE]
_ALOFT: Final = [[row[0], row[1] + 1000.0] for row in _SHORT]

_BEFORE: Final = related(71, 50, effect=10.0)
# The same covariates in both arms: then every peer's pooling of the slope is the same.
_MATCHED: Final = [
    [outcome + 1.5 + 0.25 * (k % 5), covariate] for k, (outcome, covariate) in enumerate(_BEFORE)
]
_AFTER: Final = related(75, 64, effect=11.0)


def _ratio(name: str, peer: str, rows: list[list[float]]) -> Question:
    sources = {"gbstats": "RatioStatistic.variance", "tea-tasting": "Aggregates.ratio_var; Deng et al. 2018"}
    return Question(_RATIO, name, "ratio", peer, sources[peer], {"rows": rows})


def _tuned_cuped(name: str, arms: list[list[list[float]]], bound: float = 1e-9, reason: str = "") -> Question:
    return Question(
        _CUPED,
        name,
        "tuned cuped",
        "gbstats",
        "RegressionAdjustedStatistic and compute_theta; Deng et al. 2013",
        {"arms": arms, "alpha": 0.05, "tuning_units": 100.0},
        bound,
        reason,
    )


def _cuped(
    name: str, peer: str, arms: list[list[list[float]]], bound: float = 1e-9, reason: str = ""
) -> Question:
    kinds = {"tea-tasting": "cuped", "spotify-confidence": "cuped, difference and error"}
    sources = {"tea-tasting": "Mean(covariate=…)", "spotify-confidence": "ZTestLinreg.difference"}
    return Question(_CUPED, name, kinds[peer], peer, sources[peer], {"arms": arms}, bound, reason)


def _with_arm(rows: list[list[float]], arm: float) -> list[list[float]]:
    return [[*row, arm] for row in rows]


_STRATA: Final = [
    [*_with_arm(_BEFORE, 0.0), *_with_arm(_AFTER, 1.0)],
    [*_with_arm(related(81, 12, effect=30.0), 0.0), *_with_arm(related(83, 30, effect=31.0), 1.0)],
]

QUESTIONS: Final[tuple[Question, ...]] = (
    _ratio("positive covariance", "gbstats", _SHORT),
    _ratio("positive covariance", "tea-tasting", _SHORT),
    _ratio("three units", "tea-tasting", _SHORT[:3]),
    _ratio("denominator nearly constant", "gbstats", _ALOFT),
    Question(
        _RATIO,
        "difference of two ratios",
        "ratio difference",
        "tea-tasting",
        "RatioOfMeans(use_t=False, equal_var=False)",
        {"arms": [_SHORT, _SHORT_CANDIDATE]},
    ),
    Question(
        _RATIO,
        "log e of two ratios, tuned in units",
        "tuned ratio",
        "gbstats",
        "SequentialTwoSidedTTest of RatioStatistic",
        {"arms": [_SHORT, _SHORT_CANDIDATE], "alpha": 0.05, "tuning_units": 100.0},
    ),
    _tuned_cuped("equal covariates", [_BEFORE, _MATCHED]),
    _tuned_cuped("covariates differ by chance", [_BEFORE, _AFTER], 0.03, _POOLING),
    _cuped("equal covariates", "tea-tasting", [_BEFORE, _MATCHED]),
    _cuped("covariates differ by chance", "tea-tasting", [_BEFORE, _AFTER], 0.03, _POOLING),
    _cuped(
        "equal covariates",
        "spotify-confidence",
        [_BEFORE, _MATCHED],
        0.1,
        "the peer divides the covariate's variance and covariance by n, the outcome's by n − 1",
    ),
    Question(
        _CUPED,
        "slope and adjusted differences in two strata",
        "ancova",
        "statsmodels",
        "OLS on covariate and cells (analysis of covariance)",
        {"rows": _STRATA},
    ),
    Question(
        _CUPED,
        "ratio adjusted by a ratio",
        "ratio and cuped",
        "tea-tasting",
        "RatioOfMeans with both covariates",
        {"arms": [_CONTROL, _CANDIDATE]},
        0.03,
        "the peer linearises both arms at the pooled ratios for its slope; ours each arm at its own",
    ),
    Question(
        "a: difference of means",
        "z test of raw rows",
        "difference and error",
        "spotify-confidence",
        "ZTest.difference",
        {
            "arms": [
                [[v] for v in outcomes(91, 80, mean=6.0, spread=3.0)],
                [[v] for v in outcomes(92, 50, mean=7.0, spread=2.0)],
            ]
        },
    ),
    Question(
        _MOMENTS,
        "three parts merged",
        "moments",
        "statsmodels",
        "DescrStatsW of the whole",
        {"parts": [outcomes(93, 9, mean=4.0, spread=1.0), outcomes(94, 4, mean=9.0, spread=2.0), [7.5]]},
    ),
    Question(
        _MOMENTS,
        "exact sums, mean 10¹² deviations",
        "moments of sums",
        "mpmath",
        "sums in 60 digits",
        {"parts": _REMOTE},
    ),
    Question(
        _MOMENTS,
        "merged parts, mean 10¹² deviations",
        "moments",
        "mpmath",
        "sums in 60 digits",
        {"parts": _REMOTE},
        2e-5,
        "a part's mean is kept as one double, whose last digit is 10⁻⁴ here; exact integer sums lose nothing",
    ),
)
