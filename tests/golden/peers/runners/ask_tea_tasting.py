"""Ask tea-tasting: ratios by the delta method, CUPED, and power, all from aggregates."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import tea_tasting as tt  # type: ignore[import-not-found,unused-ignore]  # lives in the peers' environment
from tea_tasting.aggr import Aggregates  # type: ignore[import-not-found,unused-ignore]  # the same

from tests.golden.peers.exchange import Answer, Inputs, Solver

_COLUMNS: Final = ("y", "x", "c", "d")


def _aggregates(rows: list[list[float]]) -> Aggregates:
    values = np.array(rows)
    names = _COLUMNS[: values.shape[1]]
    covariance = np.cov(values, rowvar=False, ddof=1)
    return Aggregates(
        len(values),
        {name: float(values[:, i].mean()) for i, name in enumerate(names)},
        {name: float(covariance[i, i]) for i, name in enumerate(names)},
        {(a, b): float(covariance[i, j]) for i, a in enumerate(names) for j, b in enumerate(names) if i < j},
    )


def _ratio(asked: Inputs) -> Answer:
    found = _aggregates(asked.table("rows"))
    return {"mean": float(found.mean("y") / found.mean("x")), "variance": float(found.ratio_var("y", "x"))}


def _ratio_difference(asked: Inputs) -> Answer:
    arms = [_aggregates(arm) for arm in asked.samples("arms")]
    metric = tt.RatioOfMeans("y", "x", use_t=False, equal_var=False)
    found = metric.analyze_aggregates(*arms)
    return {"difference": float(found.effect_size), "z": float(found.statistic)}


def _cuped(asked: Inputs) -> Answer:
    control, candidate = (_covariate(arm) for arm in asked.samples("arms"))
    found = tt.Mean("y", covariate="c", use_t=False, equal_var=False).analyze_aggregates(control, candidate)
    return {
        "control": float(found.control),
        "candidate": float(found.treatment),
        "difference": float(found.effect_size),
        "z": float(found.statistic),
    }


def _covariate(rows: list[list[float]]) -> Aggregates:
    """Return aggregates of outcome and covariate: rows hold (y, c), tea-tasting's names are y and c."""
    plain = _aggregates(rows)
    return Aggregates(
        plain.count(),
        {"y": plain.mean("y"), "c": plain.mean("x")},
        {"y": plain.var("y"), "c": plain.var("x")},
        {("y", "c"): plain.cov("y", "x")},
    )


def _ratio_cuped(asked: Inputs) -> Answer:
    arms = [_aggregates(arm) for arm in asked.samples("arms")]
    found = tt.RatioOfMeans("y", "x", "c", "d", use_t=False, equal_var=False).analyze_aggregates(*arms)
    return {"difference": float(found.effect_size), "z": float(found.statistic)}


def _power(asked: Inputs, *, use_t: bool) -> tt.Mean:
    return tt.Mean(
        "y",
        alternative="greater",
        use_t=use_t,
        equal_var=True,
        alpha=asked.number("alpha"),
        power=asked.number("power"),
        effect_size=asked.number_or("effect", 1.0),
        n_obs=2 * int(asked.number_or("units", 2)),
    )


def _sample(variance: float) -> Aggregates:
    return Aggregates(2, {"y": 1.0}, {"y": variance}, {})


def _fixed_information(asked: Inputs) -> Answer:
    # It reports whole units of both arms together: W = n_total/4.
    found = _power(asked, use_t=False).solve_power_from_aggregates(_sample(asked.number("variance")), "n_obs")
    return {"information": float(found[0].n_obs) / 4.0}


def _units_of_means(asked: Inputs) -> Answer:
    found = _power(asked, use_t=True).solve_power_from_aggregates(_sample(1.0), "n_obs")
    return {"units": float(found[0].n_obs) / 2.0}


def _reachable_effect(asked: Inputs) -> Answer:
    metric = tt.Mean(
        "y",
        alternative="greater",
        use_t=False,
        equal_var=True,
        alpha=asked.number("alpha"),
        power=asked.number("power"),
        n_obs=2 * asked.integer("units"),
    )
    found = metric.solve_power_from_aggregates(_sample(asked.number("variance")), "effect_size")
    return {"effect": math.fabs(float(found[0].effect_size))}


ANSWERS: Final[dict[str, Solver]] = {
    "ratio": _ratio,
    "ratio difference": _ratio_difference,
    "cuped": _cuped,
    "ratio and cuped": _ratio_cuped,
    "fixed information": _fixed_information,
    "units of means": _units_of_means,
    "reachable effect": _reachable_effect,
}
