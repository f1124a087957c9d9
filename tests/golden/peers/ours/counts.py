"""Our answers on counts: labels, limits, sample ratios, e-values and p-values."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rollout.stats import balance, bars, beta_mixture, events, normal_mixture, slo, tails
from tests.golden.peers.exchange import Answer, Inputs, Solver
from tests.golden.peers.ours.shapes import ends, joint, one


def _label(asked: Inputs, side: str) -> float:
    tests = {"greater": events.log_e_greater, "less": events.log_e_less, "two-sided": events.log_e_two_sided}
    found = tests[side](
        asked.number("candidate"),
        asked.number("comparison"),
        share=asked.number("share"),
        null_log_risk=asked.number_or("null_log_risk", 0.0),
        concentration=asked.number("concentration"),
    )
    return one(found)


def _label_two_sided(asked: Inputs) -> Answer:
    return {"log_e": _label(asked, "two-sided")}


def _label_one_sided(asked: Inputs) -> Answer:
    return {"log_e": _label(asked, asked.text("side"))}


def _harm(asked: Inputs) -> Answer:
    found = events.log_e_harm(
        asked.numbers("candidate"),
        asked.numbers("comparison"),
        share=asked.numbers("share"),
        null_log_risk=asked.number_or("null_log_risk", 0.0),
        risk_ratios=tuple(asked.numbers("risk_ratios")),
    )
    return {"log_e": one(found)}


def _relative_risk_interval(asked: Inputs) -> Answer:
    return ends(
        events.relative_risk_interval(
            asked.number("candidate"),
            asked.number("comparison"),
            share=asked.number("share"),
            concentration=asked.number("concentration"),
            alpha=asked.number("alpha"),
        )
    )


def _rate_interval(asked: Inputs) -> Answer:
    return _rate_ends(asked, asked.number("concentration"))


def _rate_interval_tuned(asked: Inputs) -> Answer:
    doubled = -2.0 * math.log(asked.number("alpha"))
    return _rate_ends(asked, asked.number("planned_units") / (doubled + math.log1p(doubled)) - 1.0)


def _rate_ends(asked: Inputs, concentration: float) -> Answer:
    return ends(
        beta_mixture.rate_interval(
            asked.number("successes"),
            asked.number("trials"),
            centre=asked.number("centre"),
            concentration=concentration,
            alpha=asked.number("alpha"),
        )
    )


def _slo(asked: Inputs) -> Answer:
    test = slo.log_e_violation if asked.text("side") == "violation" else slo.log_e_compliance
    found = test(
        asked.number("exceedances"),
        asked.number("units"),
        limit=asked.number("limit"),
        planned_units=asked.number("planned_units"),
        alpha=asked.number("alpha"),
    )
    return {"log_e": one(found)}


def _slo_units(asked: Inputs) -> Answer:
    exceedances, requests = asked.numbers("exceedances"), asked.numbers("requests")
    totals = joint([list(row) for row in zip(exceedances, requests, strict=True)])
    limit, per_ratio = asked.number("limit"), asked.number("units_per_ratio")
    if asked.text("side") == "compliance":
        return {"log_e": one(slo.log_e_units_compliance(totals, limit=limit, units_per_ratio=per_ratio))}
    exceeding = sum(value > 0 for value in exceedances)
    found = slo.log_e_units_violation(
        totals, limit=limit, exceeding_units=exceeding, units_per_ratio=per_ratio, minimum_exceeding=1
    )
    return {"log_e": one(found)}


def _log_tail(asked: Inputs) -> Answer:
    x, a, b = (asked.number(name) for name in ("x", "a", "b"))
    return {"cdf": one(tails.log_beta_cdf(x, a, b)), "sf": one(tails.log_beta_sf(x, a, b))}


def _sample_ratio(asked: Inputs) -> Answer:
    found = balance.log_e(
        asked.table("counts"), asked.numbers("shares"), concentration=asked.number("concentration")
    )
    return {"log_e": one(found)}


def _always_valid_p(asked: Inputs) -> Answer:
    stream = np.concatenate([np.full(int(times), value) for value, times in asked.table("runs")])
    looks = beta_mixture.log_e_two_sided(
        np.cumsum(stream),
        np.arange(1, len(stream) + 1),
        null=asked.number("null"),
        concentration=asked.number("concentration"),
    )
    return {"p": _latched_p(looks)}


def _always_valid_p_of_looks(asked: Inputs) -> Answer:
    counts = np.cumsum(np.array(asked.table("looks")), axis=0)
    looks = balance.log_e(
        counts[:, np.newaxis, :], asked.numbers("shares"), concentration=asked.number("concentration")
    )
    return {"p": _latched_p(looks)}


def _latched_p(looks: NDArray[np.float64]) -> float:
    latched = np.zeros(())
    for look in looks:
        latched = bars.latch(latched, look, valid=True)
    return one(bars.always_valid_p(latched))


def _p_of_e(asked: Inputs) -> Answer:
    return {"p": one(bars.always_valid_p(asked.number("log_e")))}


def _average(asked: Inputs) -> Answer:
    return {"log_e": one(bars.either(*asked.numbers("log_e")))}


def _normal_two_sided(asked: Inputs) -> Answer:
    return {"log_e": one(normal_mixture.log_e_two_sided(asked.number("z"), asked.number("r")))}


def _normal_one_sided(asked: Inputs) -> Answer:
    test = normal_mixture.log_e_greater if asked.text("side") == "greater" else normal_mixture.log_e_less
    return {"log_e": one(test(asked.number("z"), asked.number("r")))}


def _critical_z(asked: Inputs) -> Answer:
    one_sided = asked.integer("sides") == 1
    critical = normal_mixture.critical_z_one_sided if one_sided else normal_mixture.critical_z_two_sided
    return {"critical": one(critical(asked.number("r"), asked.number("alpha")))}


def _best_ratio(asked: Inputs) -> Answer:
    return {"ratio": normal_mixture.best_ratio(asked.number("alpha"), sides=asked.integer("sides"))}


SOLVERS: Final[dict[str, Solver]] = {
    "always-valid p": _always_valid_p,
    "always-valid p of looks": _always_valid_p_of_looks,
    "average": _average,
    "best ratio": _best_ratio,
    "critical z": _critical_z,
    "harm": _harm,
    "label one-sided": _label_one_sided,
    "label two-sided": _label_two_sided,
    "log tail": _log_tail,
    "normal one-sided": _normal_one_sided,
    "normal two-sided": _normal_two_sided,
    "p of e": _p_of_e,
    "rate interval": _rate_interval,
    "rate interval, tuned": _rate_interval_tuned,
    "relative risk interval": _relative_risk_interval,
    "sample ratio": _sample_ratio,
    "slo": _slo,
    "slo units": _slo_units,
}
