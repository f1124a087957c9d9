"""Ask ville: normal and Bernoulli mixtures, their confidence sequences, and averaged e-values."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import ville  # type: ignore[import-not-found,unused-ignore]  # lives in the peers' environment

from tests.golden.peers.exchange import Answer, Inputs, Solver


def _normal_two_sided(asked: Inputs) -> Answer:
    # One observation z with unit variance, and a prior of variance r on its mean.
    test = ville.MSPRT(theta0=0.0, sigma=1.0, tau=math.sqrt(asked.number("r")))
    return {"log_e": float(test.fit([asked.number("z")]).log_e_values_[-1])}


def _critical_z(asked: Inputs) -> Answer:
    r = asked.number("r")
    bound = ville.normal_mixture(r, asked.number("alpha"), 1.0, one_sided=asked.integer("sides") == 1)
    return {"critical": float(bound) / math.sqrt(r)}


def _best_ratio(asked: Inputs) -> Answer:
    rho = ville.best_rho(1.0, asked.number("alpha"), one_sided=asked.integer("sides") == 1)
    return {"ratio": 1.0 / float(rho)}


def _stream(successes: float, trials: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.repeat([1.0, 0.0], [int(successes), int(trials - successes)])


def _label_two_sided(asked: Inputs) -> Answer:
    candidate, comparison = asked.number("candidate"), asked.number("comparison")
    rho, k = asked.number("share"), asked.number("concentration")
    test = ville.BernoulliTest(rho, prior=(k * rho, k * (1 - rho)))
    return {"log_e": float(test.fit(_stream(candidate, candidate + comparison)).log_e_values_[-1])}


def _rate_interval(asked: Inputs) -> Answer:
    centre, k = asked.number("centre"), asked.number("concentration")
    found = ville.BernoulliCS(asked.number("alpha"), prior=(k * centre, k * (1 - centre)), intersect=False)
    lower, upper = found.fit(_stream(asked.number("successes"), asked.number("trials"))).interval()
    return {"lower": float(lower), "upper": float(upper)}


def _relative_risk_interval(asked: Inputs) -> Answer:
    candidate, rho = asked.number("candidate"), asked.number("share")
    k, trials = asked.number("concentration"), candidate + asked.number("comparison")
    found = ville.BernoulliCS(asked.number("alpha"), prior=(k * rho, k * (1 - rho)), intersect=False)
    odds = [end / (1 - end) * (1 - rho) / rho for end in found.fit(_stream(candidate, trials)).interval()]
    return {"lower": float(odds[0]), "upper": float(odds[1])}


def _always_valid_p(asked: Inputs) -> Answer:
    null, k = asked.number("null"), asked.number("concentration")
    test = ville.BernoulliTest(null, prior=(k * null, k * (1 - null)))
    for value, times in asked.table("runs"):
        test.update(np.full(int(times), value))
    return {"p": float(test.p_values_[-1])}


def _p_of_e(asked: Inputs) -> Answer:
    return {"p": float(ville.evalues.e_to_p(math.exp(asked.number("log_e"))))}


def _average(asked: Inputs) -> Answer:
    return {"log_e": math.log(float(ville.evalues.combine(np.exp(asked.numbers("log_e")), method="mean")))}


ANSWERS: Final[dict[str, Solver]] = {
    "normal two-sided": _normal_two_sided,
    "critical z": _critical_z,
    "best ratio": _best_ratio,
    "label two-sided": _label_two_sided,
    "rate interval": _rate_interval,
    "relative risk interval": _relative_risk_interval,
    "always-valid p": _always_valid_p,
    "p of e": _p_of_e,
    "average": _average,
}
