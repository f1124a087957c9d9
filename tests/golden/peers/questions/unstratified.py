"""Differences and lifts of means without strata: raw, relative to a margin, tiny and huge."""

from __future__ import annotations

from typing import Final

from tests.golden.peers.exchange import SAME_BOUND, Question
from tests.golden.peers.questions.series import outcomes, scaled

_FAMILY: Final = "a: difference of means"
_LIFT: Final = "a: lift interval"
_WELCH: Final = "ttest_ind_from_stats(equal_var=False), then norm and skewnorm.logpdf"
_FIELLER: Final = "CompareMeans.ztest_ind(usevar='unequal') inverted over the lift"
_SEQUENTIAL: Final = "SequentialTwoSidedTTest.p_value; Waudby-Smith et al. 2023, eq. 155"
_SEQUENTIAL_INTERVAL: Final = "SequentialTwoSidedTTest.confidence_interval; Waudby-Smith et al. 2023, eq. 9"


def _difference(name: str, arms: tuple[list[float], list[float]], **more: float) -> Question:
    """Ask scipy for z and all three log e-values; arms are (n, mean, deviation)."""
    tuning = {"best_ratio": 8.212, "planned_information": 5000.0} | more
    return Question(
        _FAMILY,
        name,
        "mean difference",
        "scipy",
        _WELCH,
        {"control": arms[0], "candidate": arms[1], **tuning},
    )


def _tuned(name: str, kind: str, arms: tuple[list[float], list[float]], **more: float) -> Question:
    inputs: dict[str, object] = {
        "control": arms[0],
        "candidate": arms[1],
        "alpha": 0.05,
        "tuning_units": 5000.0,
    }
    source = _SEQUENTIAL if kind == "tuned difference" else _SEQUENTIAL_INTERVAL
    return Question(_FAMILY, name, kind, "gbstats", source, inputs | more)


def _bounded(question: Question, bound: float, reason: str, family: str = _FAMILY) -> Question:
    return Question(
        family,
        question.name,
        question.kind,
        question.peer,
        question.source,
        question.inputs,
        bound,
        reason,
    )


_CONTROL: Final = outcomes(11, 40, mean=20.0, spread=4.0)
_CANDIDATE: Final = scaled(outcomes(12, 25, mean=22.0, spread=4.0), like=_CONTROL)
_SMALL_CONTROL: Final = outcomes(13, 6, mean=50.0, spread=2.0)
_SMALL_CANDIDATE: Final = scaled(outcomes(14, 6, mean=49.0, spread=2.0), like=_SMALL_CONTROL)


def _fieller(name: str, arms: tuple[list[float], list[float]], **more: object) -> Question:
    inputs: dict[str, object] = {
        "control": arms[0],
        "candidate": arms[1],
        "alpha": 0.05,
        "best_ratio": 8.212,
        "planned_information": 40.0,
    }
    return Question(_LIFT, name, "lift interval", "statsmodels", _FIELLER, inputs | more, SAME_BOUND)


_MANY: Final = ([400_000, 10.0, 6.0], [410_000, 10.4, 6.1])

QUESTIONS: Final[tuple[Question, ...]] = (
    _difference("equal arms", ([5000, 10.0, 3.0], [5000, 10.2, 3.1])),
    _difference("candidate at 1 %", ([99_000, 4.0, 2.5], [1_000, 3.7, 2.6])),
    _difference("four units in all", ([2, 5.0, 1.0], [2, 7.0, 1.5]), planned_information=2.0),
    _difference("10¹² units an arm", ([10**12, 1.0, 3.0], [10**12, 1.00001, 3.0]), planned_information=1e12),
    _difference("margin −2 % (relative)", ([20_000, 8.0, 5.0], [20_000, 7.95, 5.1]), null_lift=-0.02),
    _difference(
        "margin +10 % (relative), one arm small", ([50_000, 0.8, 2.0], [5_000, 0.95, 2.2]), null_lift=0.1
    ),
    _difference("margin −0.1 (absolute)", ([20_000, 8.0, 5.0], [20_000, 7.95, 5.1]), null_difference=-0.1),
    _difference("one-sided tuning", ([8_000, 3.0, 1.0], [8_200, 2.96, 1.1]), best_ratio=6.638),
    _difference("mean far above its deviation", ([3_000, 1e6, 1.0], [3_000, 1e6 + 0.125, 1.0])),
    _tuned("tuned in units of both arms", "tuned difference", ([5000, 10.0, 3.0], [4000, 10.4, 3.1])),
    _tuned("tuned in units, candidate at 5 %", "tuned difference", ([95_000, 2.0, 4.0], [5_000, 2.4, 4.4])),
    _tuned(
        "tuned in units, absolute margin",
        "tuned difference",
        ([30_000, 5.0, 2.0], [30_000, 5.02, 2.0]),
        null_difference=-0.05,
        tuning_units=60_000.0,
    ),
    _tuned("interval, equal variances", "tuned interval", ([5000, 10.0, 3.0], [5000, 10.2, 3.0])),
    _tuned(
        "interval, α = 1 %, unequal arms",
        "tuned interval",
        ([9000, -1.0, 2.0], [1000, -1.5, 2.0]),
        alpha=0.01,
        tuning_units=20_000.0,
    ),
    _bounded(
        Question(
            _FAMILY,
            "interval of conversion rates",
            "tuned interval of successes",
            "gbstats",
            _SEQUENTIAL_INTERVAL,
            {
                "control": [50_000, 5_000],
                "candidate": [50_000, 5_500],
                "alpha": 0.05,
                "tuning_units": 100_000.0,
            },
        ),
        0.03,
        "ours raises the smaller variance to the pooled one, and divides by n − 1; the peer does neither",
    ),
    _bounded(
        _tuned("log e of a relative null", "tuned difference", _MANY, null_lift=0.02),
        0.03,
        "the peer takes the variance at the estimated lift (delta method), ours at the null lift",
    ),
    _bounded(
        _tuned("lift by the delta method, 810,000 units", "tuned lift interval", _MANY, null_lift=0.0),
        0.02,
        "the peer linearises the ratio (delta method), ours solves it (Fieller), and floors the variance",
        _LIFT,
    ),
    _fieller("Fieller, unequal arms", (_CONTROL, _CANDIDATE)),
    _fieller(
        "Fieller, six units an arm, α = 10 %",
        (_SMALL_CONTROL, _SMALL_CANDIDATE),
        alpha=0.1,
        planned_information=3.0,
    ),
    _fieller(
        "Fieller, control mean near zero (skewed)",
        ([value - 16.0 for value in _CONTROL], [value - 16.0 for value in _CANDIDATE]),
    ),
    Question(
        _FAMILY,
        "variance floor, candidate of five calm units",
        "floored",
        "statsmodels",
        "DescrStatsW and CompareMeans variances, floored by this project's rule",
        {
            "control": outcomes(15, 120, mean=2.0, spread=2.0),
            "candidate": outcomes(16, 5, mean=3.0, spread=0.2),
        },
    ),
    Question(
        _FAMILY,
        "variance floor, control calm",
        "floored",
        "statsmodels",
        "DescrStatsW and CompareMeans variances, floored by this project's rule",
        {
            "control": outcomes(17, 30, mean=2.0, spread=0.5),
            "candidate": outcomes(18, 12, mean=3.0, spread=2.0),
        },
    ),
)
