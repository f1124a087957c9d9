"""When a simulated experiment is looked at: often at first and around what is to come, then evenly."""

from __future__ import annotations

from typing import Final

import numpy as np

from rollout.domain.metric import Source
from rollout.domain.policy import Policy
from rollout.simulation.scenario import Scenario
from rollout.stats.arrays import FloatArray

LONGEST_S: Final = 900.0
SHORTEST_S: Final = 1.0
PER_WINDOW: Final = 20.0
_DENSE_S: Final = 3600.0
_DENSE_TIMES: Final = 15.0
_LONG_S: Final = 24 * _DENSE_S
"""A policy that is over sooner is looked at evenly."""
_USUAL_LOOKS: Final = 1_500
_ENOUGH_LOOKS: Final = 200_000
DAY_S: Final = 86_400.0


def usual_interval_s(policy: Policy) -> float:
    """Return how often is looked: a twentieth of the shortest outcome window, at most every 15 minutes.

    A policy whose windows are short beside its deadlines is looked at about 1,500 times.
    """
    windows = [metric.window_s for metric in policy.metrics if metric.source is Source.OUTCOMES]
    shortest = min(windows or [metric.window_s for metric in policy.metrics] or [LONGEST_S])
    least_s = round(horizon_s(policy) / _USUAL_LOOKS)
    return float(min(LONGEST_S, max(SHORTEST_S, shortest / PER_WINDOW, least_s)))


def horizon_s(policy: Policy) -> float:
    """Return after what time every policy must have decided: its steps, its patience, and a day."""
    patience = policy.decide.no_data_hold_s
    steps = sum(max(stage.hold.for_s, stage.hold.at_most_s or 0.0) for stage in policy.stages)
    return (steps + patience) * 1.1 + min(DAY_S, steps)


def look_times(policy: Policy, scenario: Scenario, every_s: float) -> FloatArray:
    """Return the looks in seconds since the start, ascending; every change of the world falls on one.

    In the first hour, and in the hour after each change, looks come fifteen times as often.
    """
    end_s = horizon_s(policy)
    if end_s / every_s > _ENOUGH_LOOKS:
        raise ValueError(f"more than {_ENOUGH_LOOKS:,} looks")
    dense_s = max(every_s / _DENSE_TIMES, SHORTEST_S) if end_s > _LONG_S else every_s
    marks = {0.0}
    begun = [(one.begins, one.lasts_s) for one in scenario.effects]
    begun += [(one.begins, one.lasts_s) for one in scenario.faults]
    for begins, lasts_s in begun:
        if begins.step is None:
            marks |= {begins.after_s, begins.after_s + (lasts_s or 0.0)}
    grids = [np.arange(every_s, end_s + every_s, every_s)]
    if dense_s < every_s:
        grids += [mark + np.arange(0.0, _DENSE_S, dense_s) for mark in sorted(marks)]
    else:
        grids.append(np.array(sorted(marks)))
    times = np.unique(np.round(np.concatenate(grids), 3))
    return np.asarray(times[(times > 0) & (times <= end_s + every_s)])
