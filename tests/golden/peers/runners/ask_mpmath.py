"""Ask mpmath for the printed formula in sixty digits: an oracle, not a peer."""

from __future__ import annotations

from typing import Final

import mpmath

from tests.golden.peers.exchange import Answer, Inputs, Solver

_DIGITS: Final = 60
_TERMS: Final = 2_000_000


def _log_beta(a: mpmath.mpf, b: mpmath.mpf) -> mpmath.mpf:
    return mpmath.loggamma(a) + mpmath.loggamma(b) - mpmath.loggamma(a + b)


def _log_small_tail(x: mpmath.mpf, a: mpmath.mpf, b: mpmath.mpf) -> mpmath.mpf:
    """Return ln I_x(a, b), x below the mean: the positive series x^a (1−x)^b/(aB) Σ Π (a+b+j)/(a+1+j) x."""
    term = total = mpmath.mpf(1)
    for j in range(_TERMS):
        term *= (a + b + j) / (a + 1 + j) * x
        total += term
        if term < total * mpmath.mpf(10) ** (-_DIGITS):
            break
    else:
        raise ArithmeticError("the series has not converged")
    front = a * mpmath.log(x) + b * mpmath.log1p(-x) - mpmath.log(a) - _log_beta(a, b)
    return front + mpmath.log(total)


def _log_tails(x: mpmath.mpf, a: mpmath.mpf, b: mpmath.mpf) -> tuple[mpmath.mpf, mpmath.mpf]:
    """Return ln I_x(a, b) and ln (1 − I_x(a, b))."""
    if x < a / (a + b):
        small = _log_small_tail(x, a, b)
        return small, mpmath.log1p(-mpmath.exp(small))
    small = _log_small_tail(1 - x, b, a)
    return mpmath.log1p(-mpmath.exp(small)), small


def _log_tail(asked: Inputs) -> Answer:
    with mpmath.workdps(_DIGITS):
        found = _log_tails(*(mpmath.mpf(asked.number(name)) for name in ("x", "a", "b")))
        return {"cdf": float(found[0]), "sf": float(found[1])}


def _slo(asked: Inputs) -> Answer:
    with mpmath.workdps(_DIGITS):
        s, n, p = (mpmath.mpf(asked.number(name)) for name in ("exceedances", "units", "limit"))
        doubled = -2 * mpmath.log(2 * mpmath.mpf(asked.number("alpha")))
        k = mpmath.mpf(asked.number("planned_units")) / (doubled + mpmath.log1p(doubled)) - 1
        a, b = k * p, k * (1 - p)
        base = _log_beta(a + s, b + n - s) - _log_beta(a, b) - s * mpmath.log(p) - (n - s) * mpmath.log1p(-p)
        side = 1 if asked.text("side") == "violation" else 0
        return {"log_e": float(base + _log_tails(p, a + s, b + n - s)[side] - _log_tails(p, a, b)[side])}


def _log_mixture(counts: list[float], shares: list[float], concentration: float) -> mpmath.mpf:
    """Return lnB(kθ+n) − lnB(kθ) − Σ n_i ln θ_i."""
    k = mpmath.mpf(concentration)
    rows = [(mpmath.mpf(n), mpmath.mpf(theta)) for n, theta in zip(counts, shares, strict=True)]
    risen = [
        mpmath.loggamma(k * theta + n) - mpmath.loggamma(k * theta) - n * mpmath.log(theta)
        for n, theta in rows
    ]
    prior, units = (mpmath.fsum(part) for part in zip(*((k * theta, n) for n, theta in rows), strict=True))
    return mpmath.fsum(risen) - mpmath.loggamma(prior + units) + mpmath.loggamma(prior)


def _label_two_sided(asked: Inputs) -> Answer:
    with mpmath.workdps(_DIGITS):
        rho = mpmath.mpf(asked.number("share"))
        counts = [asked.number("candidate"), asked.number("comparison")]
        return {"log_e": float(_log_mixture(counts, [rho, 1 - rho], asked.number("concentration")))}


def _sample_ratio(asked: Inputs) -> Answer:
    with mpmath.workdps(_DIGITS):
        shares, k = asked.numbers("shares"), asked.number("concentration")
        return {"log_e": float(mpmath.fsum(_log_mixture(row, shares, k) for row in asked.table("counts")))}


def _normal_one_sided(asked: Inputs) -> Answer:
    with mpmath.workdps(_DIGITS):
        z, r = mpmath.mpf(asked.number("z")), mpmath.mpf(asked.number("r"))
        shrunk = (z if asked.text("side") == "greater" else -z) * mpmath.sqrt(r / (1 + r))
        tail = mpmath.log(mpmath.erfc(-shrunk / mpmath.sqrt(2)))
        return {"log_e": float(-mpmath.log1p(r) / 2 + shrunk**2 / 2 + tail)}


def _best_ratio(asked: Inputs) -> Answer:
    with mpmath.workdps(_DIGITS):
        level = mpmath.mpf(asked.number("alpha")) * (2 if asked.integer("sides") == 1 else 1)
        return {"ratio": float(-mpmath.lambertw(-(level**2) / mpmath.e, -1).real - 1)}


def _moments(asked: Inputs) -> Answer:
    with mpmath.workdps(_DIGITS):
        values = [mpmath.mpf(value) for part in asked.table("parts") for value in part]
        mean = mpmath.fsum(values) / len(values)
        spread = mpmath.fsum((value - mean) ** 2 for value in values)
        return {"mean": float(mean), "variance": float(spread / (len(values) - 1))}


ANSWERS: Final[dict[str, Solver]] = {
    "log tail": _log_tail,
    "slo": _slo,
    "normal one-sided": _normal_one_sided,
    "best ratio": _best_ratio,
    "label two-sided": _label_two_sided,
    "sample ratio": _sample_ratio,
    "moments": _moments,
    "moments of sums": _moments,
}
