"""Ask confseq (Howard et al.): normal and beta-binomial mixtures, tuned by time and level."""

from __future__ import annotations

import math
from typing import Final

from confseq import boundaries  # type: ignore[import-not-found,unused-ignore]  # lives in the peers' environment

from tests.golden.peers.exchange import Answer, Inputs, Solver

_ALPHA: Final = 0.05


def _tuning(alpha: float, *, one_sided: bool) -> float:
    """Return v/ρ where a boundary is tightest: 2L + ln(1 + 2L), L = ln(1/α), one-sided ln(1/(2α))."""
    doubled = -2.0 * math.log(2.0 * alpha if one_sided else alpha)
    return doubled + math.log1p(doubled)


def _normal(z: float, r: float, *, one_sided: bool) -> float:
    # At intrinsic time v = r with ρ = 1, the sum is z√r.
    tuned = _tuning(_ALPHA, one_sided=one_sided)
    return float(boundaries.normal_log_mixture(z * math.sqrt(r), r, tuned, _ALPHA, one_sided))


def _normal_two_sided(asked: Inputs) -> Answer:
    return {"log_e": _normal(asked.number("z"), asked.number("r"), one_sided=False)}


def _normal_one_sided(asked: Inputs) -> Answer:
    sign = 1.0 if asked.text("side") == "greater" else -1.0
    return {"log_e": _normal(sign * asked.number("z"), asked.number("r"), one_sided=True)}


def _critical_z(asked: Inputs) -> Answer:
    r, one_sided = asked.number("r"), asked.integer("sides") == 1
    tuned = _tuning(_ALPHA, one_sided=one_sided)
    bound = boundaries.normal_mixture_bound(r, asked.number("alpha"), tuned, _ALPHA, one_sided)
    return {"critical": float(bound) / math.sqrt(r)}


def _best_ratio(asked: Inputs) -> Answer:
    # At v = v_opt = 1 and a sum of 0 the two-sided mixture is ½ ln(ρ/(1 + ρ)): that gives away ρ.
    alpha, sides = asked.number("alpha"), asked.integer("sides")
    level = float(boundaries.normal_log_mixture(0.0, 1.0, 1.0, alpha if sides == 2 else 2.0 * alpha, False))  # noqa: FBT003
    return {"ratio": math.expm1(-2.0 * level)}


def _beta(successes: float, trials: float, null: float, concentration: float, side: str) -> float:
    """Return log e with prior Beta(kp₀, k(1−p₀)): increments −g and h, intrinsic time n·g·h."""
    rises = side != "less"
    g = null if rises else 1.0 - null
    h = 1.0 - g
    excess = successes - trials * null
    one_sided = side != "two-sided"
    v_opt = (concentration + 1.0) * g * h * _tuning(_ALPHA, one_sided=one_sided)
    return float(
        boundaries.beta_binomial_log_mixture(
            excess if rises else -excess, trials * g * h, v_opt, g, h, _ALPHA, one_sided
        )
    )


def _label_two_sided(asked: Inputs) -> Answer:
    candidate, comparison = asked.number("candidate"), asked.number("comparison")
    k = asked.number("concentration")
    return {"log_e": _beta(candidate, candidate + comparison, asked.number("share"), k, "two-sided")}


def _label_one_sided(asked: Inputs) -> Answer:
    candidate, comparison = asked.number("candidate"), asked.number("comparison")
    rho, risk = asked.number("share"), math.exp(asked.number_or("null_log_risk", 0.0))
    null = rho * risk / (1.0 - rho + rho * risk)
    k = asked.number("concentration")
    return {"log_e": _beta(candidate, candidate + comparison, null, k, asked.text("side"))}


def _slo(asked: Inputs) -> Answer:
    limit, units = asked.number("limit"), asked.number("units")
    g = limit if asked.text("side") == "violation" else 1.0 - limit
    h = 1.0 - g
    excess = asked.number("exceedances") - units * limit
    signed = excess if asked.text("side") == "violation" else -excess
    time = g * h * asked.number("planned_units")
    one_sided = True
    found = boundaries.beta_binomial_log_mixture(
        signed, units * g * h, time, g, h, asked.number("alpha"), one_sided
    )
    return {"log_e": float(found)}


def _rate_interval_tuned(asked: Inputs) -> Answer:
    alpha = asked.number("alpha")
    lower, upper = boundaries.bernoulli_confidence_interval(
        asked.number("successes"), asked.integer("trials"), alpha, asked.number("planned_units"), alpha
    )
    return {"lower": float(lower), "upper": float(upper)}


ANSWERS: Final[dict[str, Solver]] = {
    "normal two-sided": _normal_two_sided,
    "normal one-sided": _normal_one_sided,
    "critical z": _critical_z,
    "best ratio": _best_ratio,
    "label two-sided": _label_two_sided,
    "label one-sided": _label_one_sided,
    "slo": _slo,
    "rate interval, tuned": _rate_interval_tuned,
}
