"""Stratified contrasts: weights n_a n_b/(n_a + n_b), each cell's own variance, any null."""

from __future__ import annotations

from typing import Final

from tests.golden.peers.exchange import Question
from tests.golden.peers.questions.series import outcomes, scaled

_FAMILY: Final = "a: strata"
_CELLS: Final = "OLS on cells, HC2, t_test of the weighted contrast, then norm and skewnorm.logpdf"
_COEFFICIENT: Final = "OLS coefficient of the arm beside strata dummies"
_TUNING: Final = {"best_ratio": 8.212, "planned_information": 30.0}

# A ramp: the candidate's share grows, and the level drifts from stratum to stratum.
_RAMP: Final = [
    [outcomes(21, 30, mean=5.0, spread=1.0), outcomes(22, 4, mean=5.5, spread=1.5)],
    [outcomes(23, 24, mean=7.0, spread=1.0), outcomes(24, 8, mean=7.5, spread=0.5)],
    [outcomes(25, 20, mean=9.0, spread=2.0), outcomes(26, 20, mean=9.5, spread=2.0)],
]
_PAIRS: Final = [
    [outcomes(31 + k, 2, mean=3.0 + k, spread=1.0), outcomes(41 + k, 3, mean=3.5 + k, spread=1.0)]
    for k in range(8)
]
_FAR: Final = [
    [
        [value + 1e6 for value in outcomes(51, 15, mean=0.0, spread=2.0)],
        outcomes(52, 15, mean=1e6 + 1, spread=2.0),
    ],
    [
        [value + 2e6 for value in outcomes(53, 10, mean=0.0, spread=2.0)],
        outcomes(54, 12, mean=2e6, spread=2.0),
    ],
]


def _floor_free(strata: list[list[list[float]]]) -> list[list[list[float]]]:
    return [[control, scaled(candidate, like=control)] for control, candidate in strata]


def _contrast(name: str, strata: list[list[list[float]]], **null: float) -> Question:
    inputs: dict[str, object] = {"strata": strata, **_TUNING}
    return Question(_FAMILY, name, "stratified", "statsmodels", _CELLS, inputs | null)


def _lift(name: str, strata: list[list[list[float]]]) -> Question:
    return Question(
        "a: lift interval",
        name,
        "stratified lift",
        "statsmodels",
        "OLS on cells, HC2, t_test inverted over the lift",
        {"strata": _floor_free(strata), "alpha": 0.05, **_TUNING},
    )


QUESTIONS: Final[tuple[Question, ...]] = (
    _contrast("three strata of a ramp", _RAMP),
    _contrast("three strata, margin −5 % (relative)", _RAMP, null_lift=-0.05),
    _contrast("three strata, null difference 0.5", _RAMP, null_difference=0.5),
    _contrast("three strata, null lift +20 %", _RAMP, null_lift=0.2),
    _contrast("eight strata of five units", _PAIRS),
    _contrast("one stratum", _RAMP[2:]),
    Question(
        _FAMILY,
        "weighted effect of a ramp",
        "stratified effect",
        "statsmodels",
        _COEFFICIENT,
        {"strata": _RAMP},
    ),
    Question(
        _FAMILY,
        "weighted effect of eight small strata",
        "stratified effect",
        "statsmodels",
        _COEFFICIENT,
        {"strata": _PAIRS},
    ),
    Question(
        _FAMILY,
        "weighted effect, levels far above the deviation",
        "stratified effect",
        "statsmodels",
        _COEFFICIENT,
        {"strata": _FAR},
    ),
    _lift("Fieller over a ramp", _RAMP),
    _lift("Fieller over eight small strata", _PAIRS),
    *(
        Question(
            _FAMILY,
            f"interval of the weighted difference, α = {alpha:.0%}",
            "stratified interval",
            "statsmodels",
            "OLS on cells, HC2, t_test inverted over the difference",
            {"strata": _floor_free(_RAMP), "alpha": alpha, **_TUNING},
        )
        for alpha in (0.05, 0.2)
    ),
)
