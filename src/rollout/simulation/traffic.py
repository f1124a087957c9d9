"""Who comes between two looks: units by block, arm and kind, and the counts of them that a look sees."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.random import Generator

from rollout.domain.policy import WHOLE_BP, Policy
from rollout.simulation.crowd import DAY_S, UNITS_PER_DAY, Crowd
from rollout.simulation.levels import Span, activity, begins_s
from rollout.simulation.scenario import FaultKind, Scenario, Traffic
from rollout.stats.arrays import BoolArray, FloatArray, IntArray

_HEIGHT_S: Final = 14 * 3600.0
"""When in the day most units come, UTC."""
_WEEK: Final = 7
_SATURDAY: Final = 5


def swing(traffic: Traffic, *, since_monday_s: float, days: float) -> float:
    """Return what part of its mean the traffic is at a moment: a day's rhythm, the weekend, and growth."""
    rhythm = 1.0 + traffic.day * np.cos(2 * np.pi * (since_monday_s - _HEIGHT_S) / DAY_S)
    is_weekend = (since_monday_s // DAY_S) % _WEEK >= _SATURDAY
    mean = 1.0 - traffic.weekend * 2 / _WEEK
    weekly = (1.0 - traffic.weekend if is_weekend else 1.0) / mean
    return float(rhythm * weekly * (1.0 + traffic.growth_per_day) ** days)


class Arrivals:
    """The units that join, and who of them fell to which arm."""

    def __init__(self, policy: Policy, scenario: Scenario, crowd: Crowd, replicates: int) -> None:
        self._crowd, self._scenario = crowd, scenario
        self._per_day = policy.expect.units_per_day or UNITS_PER_DAY
        weights = np.array([0, *(step.weight_bp for step in policy.steps)]) / WHOLE_BP
        self._blocks, self._weights = np.diff(weights), weights
        self._candidates, self._arms = len(policy.candidates), policy.arms
        self._lost = [fault for fault in scenario.faults if fault.kind is FaultKind.LOST]
        strata = max(len(self._blocks), 1)
        self._enrolled = np.zeros((replicates, self._candidates, strata, self._arms), np.int64)
        self._split = np.ones((replicates, self._candidates, self._arms), dtype=np.bool_)
        self.in_step = np.zeros((replicates, self._arms), dtype=np.int64)
        """Units since the step began, [replicate, arm]."""
        self.first_s = np.full(replicates, np.inf)
        """When the first units had come, [replicate]."""

    def draw(
        self, rng: Generator, span: Span, steps_on: IntArray, active: BoolArray, entered_s: FloatArray
    ) -> IntArray:
        """Return a span's units, [replicate, block and rest, arm, kind]; `active` is [replicate, arm]."""
        middle = (span.from_s + span.to_s) / 2
        monday = self._scenario.weekday * DAY_S + self._scenario.minute * 60.0 + middle
        part = swing(self._scenario.traffic, since_monday_s=monday, days=middle / DAY_S)
        mean = self._per_day * part * span.lasts_s / DAY_S * self._shares(steps_on, active)
        for fault in self._lost:
            felt = activity(begins_s(fault.begins, entered_s), 0.0, fault.lasts_s, span)
            mean[:, :, 1:] *= (1.0 - fault.share * felt)[:, np.newaxis, np.newaxis]
        kinds = rng.poisson(mean[..., np.newaxis] * self._crowd.share)
        self._count(kinds.sum(axis=-1), active, span)
        return kinds

    def _shares(self, steps_on: IntArray, active: BoolArray) -> FloatArray:
        """Return which share of all units each cell gets; the rest stands beside the control."""
        is_on = np.arange(len(self._blocks)) < steps_on[:, np.newaxis]
        shares = np.zeros((len(steps_on), len(self._blocks) + 1, self._arms))
        shares[:, :-1] = (is_on * self._blocks)[..., np.newaxis] * active[:, np.newaxis]
        shares[:, -1, 0] = 1.0 - self._arms * self._weights[steps_on]
        return shares

    def _count(self, units: IntArray, active: BoolArray, span: Span) -> None:
        """Count who joined: a stop of a candidate opens a new stratum for every block."""
        era = (~active).sum(axis=1)
        row = np.flatnonzero(era < self._candidates)
        self._enrolled[row, era[row], : len(self._blocks)] += units[row, :-1]
        self._split[row, era[row]] = active[row]
        joined = units[:, :-1].sum(axis=1)
        self.in_step += joined
        is_first = np.isinf(self.first_s) & (joined.sum(axis=1) > 0)
        self.first_s[is_first] = span.to_s

    @property
    def enrolled(self) -> IntArray:
        """Units that joined, [replicate, stratum, arm]."""
        strata = self._enrolled.shape[1] * self._enrolled.shape[2]
        return self._enrolled.reshape((len(self._enrolled), strata, self._arms))

    @property
    def enrolled_arms(self) -> BoolArray | None:
        """Which arms each stratum falls to, [replicate, stratum, arm]; nothing with one candidate."""
        if self._candidates == 1:
            return None
        return np.repeat(self._split, self._enrolled.shape[2], axis=1)

    def begin_step(self, moved: BoolArray) -> None:
        """Count a step's units anew, where it has just begun."""
        self.in_step[moved] = 0

    def keep(self, kept: BoolArray) -> None:
        """Forget replicates that have ended."""
        self._enrolled, self._split = self._enrolled[kept], self._split[kept]
        self.in_step, self.first_s = self.in_step[kept], self.first_s[kept]
