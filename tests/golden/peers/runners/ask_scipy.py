"""Ask scipy.stats for whole distributions: each mixture is the density of a published law over the null's."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from scipy import special, stats

from tests.golden.peers.exchange import Answer, Inputs, Solver


def _normal_two_sided(asked: Inputs) -> Answer:
    # A normal prior of variance r on the mean of z makes z normal with variance 1 + r.
    z, spread = asked.number("z"), math.sqrt(1.0 + asked.number("r"))
    return {"log_e": float(stats.norm.logpdf(z, scale=spread) - stats.norm.logpdf(z))}


def _normal_one_sided(asked: Inputs) -> Answer:
    sign = 1.0 if asked.text("side") == "greater" else -1.0
    return {"log_e": _half_normal(sign * asked.number("z"), asked.number("r"))}


def _half_normal(z: float, r: float) -> float:
    # A half-normal prior makes z skew-normal with shape √r and scale √(1 + r).
    marginal = stats.skewnorm.logpdf(z, math.sqrt(r), scale=math.sqrt(1.0 + r))
    return float(marginal - stats.norm.logpdf(z))


def _mean_difference(asked: Inputs) -> Answer:
    """Return Welch's statistic of candidate − (1+δ₀)·control − d₀, and the mixtures' log e of it."""
    size_a, mean_a, deviation_a = asked.numbers("control")
    size_b, mean_b, deviation_b = asked.numbers("candidate")
    n_a, n_b = int(size_a), int(size_b)
    scale = 1.0 + asked.number_or("null_lift", 0.0)
    shifted = mean_b - asked.number_or("null_difference", 0.0)
    z = float(
        stats.ttest_ind_from_stats(
            shifted, deviation_b, n_b, scale * mean_a, scale * deviation_a, n_a, equal_var=False
        ).statistic
    )
    r = asked.number("best_ratio") * (n_a * n_b / (n_a + n_b)) / asked.number("planned_information")
    marginal = float(stats.norm.logpdf(z, scale=math.sqrt(1.0 + r)) - stats.norm.logpdf(z))
    return {"z": z, "two_sided": marginal, "greater": _half_normal(z, r), "less": _half_normal(-z, r)}


def _label_two_sided(asked: Inputs) -> Answer:
    candidate, comparison, rho = asked.number("candidate"), asked.number("comparison"), asked.number("share")
    return {"log_e": _beta_binomial(candidate, candidate + comparison, rho, asked.number("concentration"))}


def _label_one_sided(asked: Inputs) -> Answer:
    candidate, comparison, rho = asked.number("candidate"), asked.number("comparison"), asked.number("share")
    null = float(special.expit(special.logit(rho) + asked.number_or("null_log_risk", 0.0)))
    k, trials = asked.number("concentration"), candidate + comparison
    return {"log_e": _one_sided(candidate, trials, null, k, greater=asked.text("side") == "greater")}


def _slo(asked: Inputs) -> Answer:
    s, n, limit = asked.number("exceedances"), asked.number("units"), asked.number("limit")
    doubled = -2.0 * math.log(2.0 * asked.number("alpha"))
    k = asked.number("planned_units") / (doubled + math.log1p(doubled)) - 1.0
    return {"log_e": _one_sided(s, n, limit, k, greater=asked.text("side") == "violation")}


def _beta_binomial(s: float, n: float, null: float, k: float) -> float:
    marginal = stats.betabinom.logpmf(s, n, k * null, k * (1.0 - null))
    return float(marginal - stats.binom.logpmf(s, n, null))


def _one_sided(s: float, n: float, null: float, k: float, *, greater: bool) -> float:
    a, b = k * null, k * (1.0 - null)
    before, after = stats.beta(a, b), stats.beta(a + s, b + n - s)
    if greater:
        return _beta_binomial(s, n, null, k) + float(after.logsf(null) - before.logsf(null))
    return _beta_binomial(s, n, null, k) + float(after.logcdf(null) - before.logcdf(null))


def _harm(asked: Inputs) -> Answer:
    """Return the log of the average likelihood ratio over the risk ratios, splits multiplied."""
    rows = list(
        zip(asked.numbers("candidate"), asked.numbers("comparison"), asked.numbers("share"), strict=True)
    )
    start = special.logit([rho for _, _, rho in rows]) + asked.number_or("null_log_risk", 0.0)
    ratios = asked.numbers("risk_ratios")
    terms = []
    for ratio in ratios:
        ways = zip(rows, special.expit(start), special.expit(start + math.log(ratio)), strict=True)
        terms.append(
            math.fsum(
                stats.binom.logpmf(b, a + b, other) - stats.binom.logpmf(b, a + b, null)
                for (b, a, _), null, other in ways
            )
        )
    return {"log_e": float(special.logsumexp(terms) - math.log(len(ratios)))}


def _sample_ratio(asked: Inputs) -> Answer:
    shares, k = np.array(asked.numbers("shares")), asked.number("concentration")
    found = 0.0
    for row in asked.table("counts"):
        counts = np.array(row, dtype=np.int64)
        total = counts.sum()
        mixed = stats.dirichlet_multinomial.logpmf(counts, k * shares, total)
        found += float(mixed - stats.multinomial.logpmf(counts, total, shares))
    return {"log_e": found}


def _log_tail(asked: Inputs) -> Answer:
    law = stats.beta(asked.number("a"), asked.number("b"))
    return {"cdf": float(law.logcdf(asked.number("x"))), "sf": float(law.logsf(asked.number("x")))}


def _wald(asked: Inputs) -> Answer:
    p, q = asked.number("true_rate"), asked.number("null_rate")
    divergence = float(stats.entropy([p, 1.0 - p], [q, 1.0 - q]))
    return {"samples": -math.log(asked.number("alpha")) / divergence}


def _rates(asked: Inputs) -> Answer:
    quantiles = stats.norm.isf(asked.number("alpha")) + stats.norm.ppf(asked.number("power"))
    angles = [math.asin(math.sqrt(asked.number(name))) for name in ("control_rate", "candidate_rate")]
    return {"units": 2.0 * (float(quantiles) / (2.0 * (angles[1] - angles[0]))) ** 2}


def _passage(asked: Inputs) -> Answer:
    """Return the law of a drifting Brownian motion's first passage: inverse Gaussian, or Lévy."""
    level, drift, end = asked.number("level"), asked.number("drift"), asked.number("end")
    if drift == 0.0:
        return {"passed": float(stats.levy.cdf(end, scale=level**2))}
    return {"passed": float(stats.invgauss.cdf(end, 1.0 / (level * drift), scale=level**2))}


ANSWERS: Final[dict[str, Solver]] = {
    "normal two-sided": _normal_two_sided,
    "normal one-sided": _normal_one_sided,
    "mean difference": _mean_difference,
    "label two-sided": _label_two_sided,
    "label one-sided": _label_one_sided,
    "slo": _slo,
    "harm": _harm,
    "sample ratio": _sample_ratio,
    "log tail": _log_tail,
    "wald": _wald,
    "units of rates": _rates,
    "first passage": _passage,
}
