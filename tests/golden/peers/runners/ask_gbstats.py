"""Ask gbstats (GrowthBook): sequential tests and intervals tuned in units of both arms, ratios and CUPED."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from gbstats.frequentist.tests import (  # type: ignore[import-not-found,unused-ignore]  # lives in the peers' environment
    SequentialConfig,
    SequentialTwoSidedTTest,
)
from gbstats.models.statistics import (  # type: ignore[import-not-found,unused-ignore]  # the same
    ProportionStatistic,
    RatioStatistic,
    RegressionAdjustedStatistic,
    SampleMeanStatistic,
)

from tests.golden.peers.exchange import Answer, Inputs, Solver


def _summary(part: list[float]) -> SampleMeanStatistic:
    n, mean, deviation = part
    return SampleMeanStatistic(n=int(n), sum=n * mean, sum_squares=(n - 1) * deviation**2 + n * mean**2)


def _test(asked: Inputs, control: object, candidate: object) -> SequentialTwoSidedTTest:
    return SequentialTwoSidedTTest(
        control,
        candidate,
        SequentialConfig(
            alpha=asked.number("alpha"),
            test_value=asked.number_or("null_difference", asked.number_or("null_lift", 0.0)),
            difference_type="relative" if "null_lift" in asked.given else "absolute",
            sequential_tuning_parameter=asked.number("tuning_units"),
        ),
    )


def _tuned_difference(asked: Inputs) -> Answer:
    test = _test(asked, _summary(asked.numbers("control")), _summary(asked.numbers("candidate")))
    return {"log_e": -math.log(float(test.p_value))}


def _tuned_interval(asked: Inputs) -> Answer:
    test = _test(asked, _summary(asked.numbers("control")), _summary(asked.numbers("candidate")))
    lower, upper = test.confidence_interval
    return {"lower": float(lower), "upper": float(upper)}


def _tuned_successes(asked: Inputs) -> Answer:
    (n_a, s_a), (n_b, s_b) = asked.numbers("control"), asked.numbers("candidate")
    arms = ProportionStatistic(n=int(n_a), sum=s_a), ProportionStatistic(n=int(n_b), sum=s_b)
    lower, upper = _test(asked, *arms).confidence_interval
    return {"lower": float(lower), "upper": float(upper)}


def _column(values: np.ndarray[tuple[int, int], np.dtype[np.float64]], index: int) -> SampleMeanStatistic:
    column = values[:, index]
    return SampleMeanStatistic(n=len(column), sum=float(column.sum()), sum_squares=float((column**2).sum()))


def _ratio_of(rows: list[list[float]]) -> RatioStatistic:
    values = np.array(rows)
    cross = float((values[:, 0] * values[:, 1]).sum())
    return RatioStatistic(len(values), _column(values, 0), _column(values, 1), cross)


def _ratio(asked: Inputs) -> Answer:
    found = _ratio_of(asked.table("rows"))
    return {"mean": float(found.mean), "variance": float(found.variance)}


def _tuned_ratio(asked: Inputs) -> Answer:
    control, candidate = asked.samples("arms")
    return {"log_e": -math.log(float(_test(asked, _ratio_of(control), _ratio_of(candidate)).p_value))}


def _adjusted(rows: list[list[float]]) -> RegressionAdjustedStatistic:
    values = np.array(rows)
    cross = float((values[:, 0] * values[:, 1]).sum())
    return RegressionAdjustedStatistic(len(values), _column(values, 0), _column(values, 1), cross, 0.0)


def _tuned_cuped(asked: Inputs) -> Answer:
    control, candidate = asked.samples("arms")
    test = _test(asked, _adjusted(control), _adjusted(candidate))
    return {
        "difference": float(test.point_estimate),
        "variance control": float(test.stat_a.variance),
        "variance candidate": float(test.stat_b.variance),
        "log_e": -math.log(float(test.p_value)),
    }


ANSWERS: Final[dict[str, Solver]] = {
    "tuned difference": _tuned_difference,
    "tuned interval": _tuned_interval,
    "tuned lift interval": _tuned_interval,
    "tuned interval of successes": _tuned_successes,
    "ratio": _ratio,
    "tuned ratio": _tuned_ratio,
    "tuned cuped": _tuned_cuped,
}
