"""Ask statsmodels: regressions on cells, their robust errors and contrasts, z tests, power."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats
from statsmodels.distributions.empirical_distribution import ECDF  # noqa: TID253  # the peers' own environment
from statsmodels.regression.linear_model import OLS  # noqa: TID253  # the same
from statsmodels.stats.power import NormalIndPower  # noqa: TID253  # the same
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW, ztest  # noqa: TID253  # the same

from tests.golden.peers.exchange import Answer, Inputs, Solver

_Array = NDArray[np.float64]
_FIRST_STEP: Final = 1e-3
_FARTHEST: Final = 1e6


def _normal_mixtures(z: float, r: float) -> Answer:
    plain = stats.norm.logpdf(z)
    scale = math.sqrt(1.0 + r)
    return {
        "two_sided": float(stats.norm.logpdf(z, scale=scale) - plain),
        "greater": float(stats.skewnorm.logpdf(z, math.sqrt(r), scale=scale) - plain),
        "less": float(stats.skewnorm.logpdf(-z, math.sqrt(r), scale=scale) - plain),
    }


def _cells(asked: Inputs) -> tuple[_Array, _Array, _Array]:
    """Return the values, an indicator per cell (stratum, arm), and each stratum's weight."""
    strata = asked.samples("strata")
    cells = [np.array(arm) for stratum in strata for arm in stratum]
    sizes = np.array([len(cell) for cell in cells], dtype=np.float64)
    indicators = np.repeat(np.eye(len(cells)), sizes.astype(np.int64), axis=0)
    pairs = sizes.reshape(-1, 2)
    return np.concatenate(cells), indicators, pairs.prod(axis=1) / pairs.sum(axis=1)


def _stratified(asked: Inputs) -> Answer:
    """Return the weighted contrast of cell means by HC2 errors, which are each cell's own s²/n."""
    values, indicators, weights = _cells(asked)
    lift = asked.number_or("null_lift", 0.0)
    contrast = np.column_stack([-(1.0 + lift) * weights, weights]).ravel() / weights.sum()
    fitted = OLS(values, indicators).fit(cov_type="HC2", use_t=False)
    test = fitted.t_test((contrast[np.newaxis, :], np.array([asked.number_or("null_difference", 0.0)])))
    z = float(np.squeeze(test.tvalue))
    r = asked.number("best_ratio") * float(weights.sum()) / asked.number("planned_information")
    return {"z": z, "error": float(np.squeeze(test.sd)), **_normal_mixtures(z, r)}


def _stratified_effect(asked: Inputs) -> Answer:
    """Return the coefficient of the arm in a regression on arm and strata: weights n_a n_b/(n_a + n_b)."""
    values, indicators, _ = _cells(asked)
    strata = indicators[:, 0::2] + indicators[:, 1::2]
    arm = indicators[:, 1::2].sum(axis=1)
    return {"effect": float(OLS(values, np.column_stack([arm, strata])).fit().params[0])}


def _stratified_lift(asked: Inputs) -> Answer:
    """Return where the two-sided test of the contrast stops rejecting, by root finding on the lift."""
    values, indicators, weights = _cells(asked)
    fitted = OLS(values, indicators).fit(cov_type="HC2", use_t=False)
    r = asked.number("best_ratio") * float(weights.sum()) / asked.number("planned_information")
    bar = -math.log(asked.number("alpha"))

    def room(lift: float) -> float:
        contrast = np.column_stack([-(1.0 + lift) * weights, weights]).ravel() / weights.sum()
        z = float(np.squeeze(fitted.t_test(contrast[np.newaxis, :]).tvalue))
        return _normal_mixtures(z, r)["two_sided"] - bar

    means = fitted.params.reshape(-1, 2)
    middle = float(weights @ means[:, 1] / (weights @ means[:, 0])) - 1.0
    return {"lower": _edge(room, middle, -1.0), "upper": _edge(room, middle, 1.0)}


def _edge(room: Callable[[float], float], middle: float, direction: float) -> float:
    """Return where `room` turns positive on the way from the estimate in one direction."""
    reach = _FIRST_STEP
    while room(middle + direction * reach) < 0.0:
        reach *= 2.0
        if reach > _FARTHEST:
            raise ArithmeticError("the interval is unbounded")
    return float(optimize.brentq(room, middle + direction * reach, middle, xtol=1e-14, rtol=1e-14))


def _ancova(asked: Inputs) -> Answer:
    """Return the covariate's slope within cells, and the adjusted difference of arms in every stratum."""
    strata = asked.samples("rows")
    rows = [np.array(stratum) for stratum in strata]
    outcome, covariate, arm = (np.concatenate([part[:, i] for part in rows]) for i in range(3))
    stratum = np.repeat(np.arange(len(rows)), [len(part) for part in rows])
    cells = np.column_stack([(stratum == k) & (arm == side) for k in range(len(rows)) for side in (0, 1)])
    params = OLS(outcome, np.column_stack([covariate, cells.astype(np.float64)])).fit().params
    return {"slope": float(params[0])} | {
        f"difference {k}": float(params[2 + 2 * k] - params[1 + 2 * k]) for k in range(len(rows))
    }


def _stratified_interval(asked: Inputs) -> Answer:
    """Return where the test of the weighted difference stops rejecting, by root finding on the null."""
    values, indicators, weights = _cells(asked)
    contrast = np.column_stack([-weights, weights]).ravel() / weights.sum()
    fitted = OLS(values, indicators).fit(cov_type="HC2", use_t=False)
    r = asked.number("best_ratio") * float(weights.sum()) / asked.number("planned_information")
    bar = -math.log(asked.number("alpha"))

    def room(null: float) -> float:
        z = float(np.squeeze(fitted.t_test((contrast[np.newaxis, :], np.array([null]))).tvalue))
        return _normal_mixtures(z, r)["two_sided"] - bar

    middle = float(contrast @ fitted.params)
    return {"lower": _edge(room, middle, -1.0), "upper": _edge(room, middle, 1.0)}


def _lift_interval(asked: Inputs) -> Answer:
    """Return where a z test of candidate against (1+δ)·control stops rejecting at the always-valid bar."""
    control, candidate = np.array(asked.numbers("control")), np.array(asked.numbers("candidate"))
    n_a, n_b = len(control), len(candidate)
    r = asked.number("best_ratio") * (n_a * n_b / (n_a + n_b)) / asked.number("planned_information")
    bar = -math.log(asked.number("alpha"))

    def room(lift: float) -> float:
        test = CompareMeans(DescrStatsW(candidate), DescrStatsW((1.0 + lift) * control))
        z, _ = test.ztest_ind(usevar="unequal")
        return _normal_mixtures(float(z), r)["two_sided"] - bar

    middle = float(candidate.mean() / control.mean()) - 1.0
    return {"lower": _edge(room, middle, -1.0), "upper": _edge(room, middle, 1.0)}


def _floored(asked: Inputs) -> Answer:
    """Return z when neither arm's variance may be below the pooled one."""
    control, candidate = DescrStatsW(asked.numbers("control")), DescrStatsW(asked.numbers("candidate"))
    both = CompareMeans(candidate, control)
    inverse = 1.0 / control.nobs + 1.0 / candidate.nobs
    pooled = float(both.std_meandiff_pooledvar) ** 2 / inverse
    error = sum(max(float(arm.var_ddof(1)), pooled) / arm.nobs for arm in (control, candidate))
    return {"z": float(candidate.mean - control.mean) / math.sqrt(error)}


def _slo_units(asked: Inputs) -> Answer:
    exceedances, requests = np.array(asked.numbers("exceedances")), np.array(asked.numbers("requests"))
    residuals = exceedances - asked.number("limit") * requests
    z, _ = ztest(residuals, ddof=0.0)
    mixtures = _normal_mixtures(float(z), len(residuals) / asked.number("units_per_ratio"))
    return {"log_e": mixtures["greater" if asked.text("side") == "violation" else "less"]}


def _moments(asked: Inputs) -> Answer:
    found = DescrStatsW(np.concatenate([np.array(part) for part in asked.table("parts")]), ddof=1)
    return {"mean": float(found.mean), "variance": float(found.var)}


def _share_above(asked: Inputs) -> Answer:
    return {"share": 1.0 - float(ECDF(np.array(asked.numbers("durations")))(asked.number("limit")))}


def _fixed_information(asked: Inputs) -> Answer:
    effect = asked.number("effect") / math.sqrt(asked.number("variance"))
    units = NormalIndPower().solve_power(
        effect, alpha=asked.number("alpha"), power=asked.number("power"), ratio=1.0, alternative="larger"
    )
    return {"information": float(units) / 2.0}


def _reachable_effect(asked: Inputs) -> Answer:
    effect = NormalIndPower().solve_power(
        nobs1=asked.number("units"),
        alpha=asked.number("alpha"),
        power=asked.number("power"),
        ratio=1.0,
        alternative="larger",
    )
    return {"effect": float(effect) * math.sqrt(asked.number("variance"))}


ANSWERS: Final[dict[str, Solver]] = {
    "stratified": _stratified,
    "stratified interval": _stratified_interval,
    "stratified effect": _stratified_effect,
    "stratified lift": _stratified_lift,
    "ancova": _ancova,
    "lift interval": _lift_interval,
    "slo units": _slo_units,
    "moments": _moments,
    "share above": _share_above,
    "floored": _floored,
    "fixed information": _fixed_information,
    "reachable effect": _reachable_effect,
}
