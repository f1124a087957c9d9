"""How long a bad candidate stays, and how many users it meets until it is off."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from rollout.domain.metric import MetricType
from rollout.domain.plan.asked import Asked
from rollout.domain.plan.calendar import DAY_S, Calendar, Leg
from rollout.domain.plan.contrasts import Contrast, stopping_of
from rollout.domain.policy import Policy
from rollout.domain.question import harm_bar
from rollout.stats import events, slo, starts
from rollout.stats.moments import JointMoments

DISASTER: Final = 0.2
"""A candidate that fails a fifth of its requests."""
REACTION_S: Final = 2.0
"""From the evidence to the weight zero, at most (docs/performance.md)."""
_TIMES: Final = np.geomspace(0.05, 60 * DAY_S, 800)


@dataclass(frozen=True, slots=True)
class Harm:
    """A bad candidate: what is bad about it, when it is off, and who has met it by then."""

    bad: str
    off_s: float | None
    """None when it is not found before the policy gives up."""
    exposed: float | None
    failed: float | None = None
    """Of these, how many had a request that failed."""


def disaster(policy: Policy, calendar: Calendar, number: int) -> Harm | None:
    """Return what becomes of a candidate that fails a fifth of its requests from this step on."""
    metric = next((one for one in policy.metrics if one.type is MetricType.ERROR_RATE), None)
    level = None if metric is None else (policy.expect.levels or {}).get(metric.name)
    rate = policy.expect.requests_per_s
    if metric is None or level is None or rate is None:
        return None
    leg, arms = calendar.legs[number], len(policy.candidates)
    bad = DISASTER if level.mean < DISASTER / 2 else (1.0 + level.mean) / 2
    candidate = leg.weight * rate * bad * _TIMES
    comparison = (1.0 - arms * leg.weight) * rate * level.mean * _TIMES
    log_e = events.log_e_harm(
        candidate[:, np.newaxis],
        comparison[:, np.newaxis],
        share=events.share_among_baseline(np.array([leg.weight]), candidates=arms),
        null_log_risk=math.log1p(metric.margin or 0.0),
    )
    # A step begins a start of its own; earlier ones count among those that share α.
    start = 0 if number == 0 else int(leg.begins_s // starts.EVERY_S) + 1
    found = np.flatnonzero(log_e >= harm_bar(policy) + starts.penalty_of(start))
    said = f"fails {bad:.0%} of its requests".replace("%", " %")
    if not len(found):
        return Harm(said, None, None)
    off_s = float(_TIMES[found[0]]) + REACTION_S
    exposed = _met(calendar, leg, off_s)
    return Harm(said, off_s, exposed, bad * exposed)


def harm(policy: Policy, calendar: Calendar, asked: Asked, lag_s: float) -> Harm | None:
    """Return what becomes of a candidate that is bad in one metric from the start."""
    metric = asked.question.metric
    if metric is None or asked.question.is_observed:
        return None
    if metric.type is MetricType.ERROR_RATE:
        return disaster(policy, calendar, 0)
    if asked.polls_s is not None:
        return _ended(calendar, "breaks its bound", asked.polls_s)
    if asked.limit is not None:
        return _violated(policy, calendar, asked.limit)
    if asked.contrast is None:
        return None
    return _worse(policy, calendar, asked, asked.contrast, lag_s)


def _met(calendar: Calendar, leg: Leg, seconds: float) -> float:
    """Return how many users a candidate meets in a step's first seconds: each request another's, at most."""
    expect = calendar.expect
    requests = leg.weight * (expect.requests_per_s or 0.0) * seconds
    if expect.units_per_day is None:
        return requests
    return min(requests, leg.weight * expect.units_per_day * (1.0 + seconds / DAY_S))


def _ended(calendar: Calendar, bad: str, off_s: float | None) -> Harm:
    is_found = off_s is not None and off_s <= calendar.deadline_s
    ends_s = off_s if is_found and off_s is not None else calendar.deadline_s
    users = calendar.users(ends_s) if math.isfinite(ends_s) else None
    return Harm(bad, off_s if is_found else None, None if users is None else float(users))


def _worse(policy: Policy, calendar: Calendar, asked: Asked, contrast: Contrast, lag_s: float) -> Harm | None:
    """Return the mean of the harm test that began on the first day."""
    metric = asked.question.metric
    if calendar.expect.units_per_day is None or metric is None:
        return None
    alpha = math.exp(-harm_bar(policy) - float(starts.penalty_of(0)))
    found = stopping_of(contrast, contrast.harm_distance, alpha)
    units = max(2.0 * found.mean(float(found.information[-1])), contrast.least_units)
    when = calendar.when(units)
    relative = contrast.harm_distance / contrast.level
    worse = 2.0 * relative if metric.margin is not None else relative
    said = f"is worse by {worse * 100:.3g} %"
    if metric.type is MetricType.LATENCY:
        said = "is slow twice as often"
    return _ended(calendar, said, None if when is None else when + lag_s)


def _violated(policy: Policy, calendar: Calendar, limit: float) -> Harm | None:
    """Return when twice the limit is found: by windows of 10 s and by units, both (c)."""
    bad = min(2.0 * limit, (1.0 + limit) / 2.0)
    requests = calendar.requests(_TIMES)
    if requests is None:
        return None
    users = calendar.users(_TIMES)
    units = requests if users is None else np.minimum(users, requests)
    each = requests / units
    mean = np.stack([bad * each, each], axis=-1)
    scatter = np.zeros((len(_TIMES), 2, 2))
    scatter[:, 0, 0] = requests * bad * (1.0 - bad)
    by_window = slo.log_e_violation(requests * bad, requests, limit=limit)
    by_unit = slo.log_e_units_violation(
        JointMoments(units, mean, scatter),
        limit=limit,
        exceeding_units=np.minimum(units, requests * bad),
    )
    bar = harm_bar(policy) + float(starts.penalty_of(0))
    found = np.flatnonzero(np.minimum(by_window, by_unit) >= bar)
    off_s = float(_TIMES[found[0]]) + REACTION_S if len(found) else None
    return _ended(calendar, f"exceeds its limit in {bad * 100:.3g} %", off_s)
