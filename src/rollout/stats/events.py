"""Rare events between two arms: the candidate's share of the units with an event, against its due."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from rollout.stats import arrays, beta_mixture
from rollout.stats.arrays import FloatArray
from rollout.stats.interval import Interval

HARM_RISK_RATIOS: Final = (1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0)
"""Risk ratios beyond the null that the harm mixture bets on, with equal weights."""
RELATIVE_EFFECT: Final = 0.2
"""The relative risk 1 ± m that the closed form is tuned to, when nothing better is known."""
_ROUNDING: Final = 1e-12


def share_under(log_risk: ArrayLike, share: ArrayLike) -> FloatArray:
    """Return θ(δ), the candidate's share of the units with an event when its log relative risk is δ.

    Formula: θ(δ) = ρe^δ/(1 − ρ + ρe^δ). Source: Lindon & Malek 2022. Assumes: rare events, one per unit.
    Exact.
    """
    rho = arrays.share("share", share)
    return np.asarray(special.expit(special.logit(rho) + arrays.finite("log_risk", log_risk)))


def share_among_baseline(weight: ArrayLike, *, candidates: int = 1) -> FloatArray:
    """Return ρ, a candidate's share beside all eligible units that the baseline serves.

    Formula: p/(1 − (K−1)p) for K candidates of weight p each; against the equal-sized control it is ½.
    Source: this project (home ranges of equal size).
    Assumes: 0 < p ≤ 1/(K+1). Exact.
    """
    p = arrays.share("weight", weight)
    if candidates < 1 or np.any(p * (candidates + 1) > 1.0 + _ROUNDING):
        raise ValueError(f"weight: must be at most 1/{candidates + 1} with {candidates} candidates")
    return p / (1.0 - (candidates - 1) * p)


def concentration_for(relative_effect: ArrayLike = RELATIVE_EFFECT, *, share: ArrayLike = 0.5) -> FloatArray:
    """Return the prior's concentration k that detects a relative risk of 1 ± m soonest.

    Formula: k = 1/(ρ(1−ρ)m²). Source: this project (the prior's deviation of ln RR is m). Assumes: small m.
    Asymptotic.
    """
    rho, m = arrays.share("share", share), arrays.positive("relative_effect", relative_effect)
    return 1.0 / (rho * (1.0 - rho) * m * m)


def log_e_two_sided(
    candidate: ArrayLike,
    comparison: ArrayLike,
    *,
    share: ArrayLike = 0.5,
    null_log_risk: ArrayLike = 0.0,
    concentration: ArrayLike | None = None,
) -> FloatArray:
    """Return log e against "units with an event fall to the candidate exactly at the null share".

    Formula: lnB(kθ₀+s_b, k(1−θ₀)+s_a) − lnB(kθ₀, k(1−θ₀)) − s_b ln θ₀ − s_a ln(1−θ₀), θ₀ = θ(δ₀).
    Source: Lindon & Malek 2022. Assumes: each unit counted once, at its first event. Exact.
    """
    units = _units(candidate, comparison)
    null, k = _null(share, null_log_risk, concentration)
    return beta_mixture.log_e_two_sided(units[0], units[0] + units[1], null=null, concentration=k)


def log_e_greater(
    candidate: ArrayLike,
    comparison: ArrayLike,
    *,
    share: ArrayLike = 0.5,
    null_log_risk: ArrayLike = 0.0,
    concentration: ArrayLike | None = None,
) -> FloatArray:
    """Return log e against "the candidate's log relative risk is at most `null_log_risk`".

    Formula: two-sided log e + ln[P(Beta(posterior) > θ₀)/P(Beta(prior) > θ₀)], prior Beta(kθ₀, k(1−θ₀)).
    Source: Howard et al. 2021; Lindon & Malek 2022. Assumes: each unit counted once. Exact.
    """
    units = _units(candidate, comparison)
    null, k = _null(share, null_log_risk, concentration)
    return beta_mixture.log_e_greater(units[0], units[0] + units[1], null=null, concentration=k)


def log_e_less(
    candidate: ArrayLike,
    comparison: ArrayLike,
    *,
    share: ArrayLike = 0.5,
    null_log_risk: ArrayLike = 0.0,
    concentration: ArrayLike | None = None,
) -> FloatArray:
    """Return log e against "the candidate's log relative risk is at least `null_log_risk`".

    Formula: as `log_e_greater`, with P(Beta < θ₀). Source: Howard et al. 2021; Lindon & Malek 2022.
    Assumes: each unit counted once. Exact.
    """
    units = _units(candidate, comparison)
    null, k = _null(share, null_log_risk, concentration)
    return beta_mixture.log_e_less(units[0], units[0] + units[1], null=null, concentration=k)


def log_e_harm(
    candidate: ArrayLike,
    comparison: ArrayLike,
    *,
    share: ArrayLike,
    null_log_risk: ArrayLike = 0.0,
    risk_ratios: tuple[float, ...] = HARM_RISK_RATIOS,
) -> FloatArray:
    """Return log e against "the relative risk is at most the null", tuned to large harm; splits come last.

    Formula: logsumexp_j [ln π_j + Σ_k (s_bk δ_j − s_k ln(1 + θ₀_k (e^{δ_j} − 1)))], π_j equal, θ₀_k = θ(δ₀)
    at ρ_k. Source: Lindon & Malek 2022, discrete mixture of likelihood ratios. Assumes: each unit counted
    once, under the split at its first event. Exact.
    """
    s_b, s_a = _units(candidate, comparison)
    null = share_under(null_log_risk, share)
    extra = np.log(arrays.positive("risk_ratios", risk_ratios))
    if np.any(extra <= 0):
        raise ValueError(f"risk_ratios: must all exceed 1, for harm (got {min(risk_ratios)})")
    total = s_a + s_b
    # One bet after the other, not on a last axis of eight: long rows are what numpy is fast on.
    bets = np.stack([(s_b * bet - total * np.log1p(null * np.expm1(bet))).sum(axis=-1) for bet in extra])
    largest = bets.max(axis=0)
    return np.asarray(largest + np.log(np.exp(bets - largest).mean(axis=0)))


def relative_risk_interval(
    candidate: ArrayLike,
    comparison: ArrayLike,
    *,
    share: ArrayLike = 0.5,
    concentration: ArrayLike | None = None,
    alpha: float = 0.05,
) -> Interval:
    """Return the always-valid interval of the relative risk; a comparison without events leaves it unknown.

    Formula: the interval of θ, mapped by RR = θ(1−ρ)/((1−θ)ρ). Source: Lindon & Malek 2022.
    Assumes: each unit counted once. Exact.
    """
    s_b, s_a = _units(candidate, comparison)
    rho = arrays.share("share", share)
    k = concentration_for(share=rho) if concentration is None else concentration
    found = beta_mixture.rate_interval(s_b, s_a + s_b, centre=rho, concentration=k, alpha=alpha)
    known = found.known & (found.upper < 1.0)
    odds = (1.0 - rho) / rho
    lower, upper = (np.where(known, end, 0.0) for end in (found.lower, found.upper))
    return Interval.where(known, odds * lower / (1.0 - lower), odds * upper / (1.0 - upper))


def _units(candidate: ArrayLike, comparison: ArrayLike) -> tuple[FloatArray, FloatArray]:
    return arrays.counts("candidate", candidate), arrays.counts("comparison", comparison)


def _null(
    share: ArrayLike, null_log_risk: ArrayLike, concentration: ArrayLike | None
) -> tuple[FloatArray, FloatArray]:
    null = share_under(null_log_risk, share)
    tuned = (
        concentration_for(share=null)
        if concentration is None
        else arrays.positive("concentration", concentration)
    )
    return null, tuned
