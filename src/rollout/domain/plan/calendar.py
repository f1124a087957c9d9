"""When each step begins and ends, and how many units have come by then: the plan's clock."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from rollout.domain.plan.openings import Openings
from rollout.domain.policy import WHOLE_BP, Expect, Policy
from rollout.stats.arrays import FloatArray

DAY_S: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Leg:
    """One weight step on the calendar, in seconds since the first weight."""

    weight: float
    begins_s: float
    ends_s: float
    """When the next step begins; of the last step, its deadline."""
    dwell_s: float
    """How long it lasts at least: its time, or until its units have come."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """The weight steps in their order, and the traffic that they let through."""

    legs: tuple[Leg, ...]
    openings: Openings
    expect: Expect

    @property
    def deadline_s(self) -> float:
        """When the last step gives up."""
        return self.legs[-1].ends_s

    @property
    def ready_s(self) -> float:
        """When the last step's own time is over: no promotion before."""
        return self.openings.next_open(self.legs[-1].begins_s + self.legs[-1].dwell_s)

    def exposure(self, at_s: ArrayLike) -> FloatArray:
        """Return the candidate's share of the traffic, added up in days; the last weight stays for ever."""
        begins, sums, last = self._corners()
        at = np.asarray(at_s, dtype=np.float64)
        later = np.maximum(at - begins[-1], 0.0)
        return np.asarray(np.interp(at, begins, sums) + later * last / DAY_S)

    def units(self, at_s: float) -> float | None:
        """Return the units that one arm has enrolled, or None when the traffic is unknown."""
        daily = self.expect.units_per_day
        return None if daily is None else daily * float(self.exposure(max(at_s, 0.0)))

    def requests(self, at_s: ArrayLike) -> FloatArray | None:
        """Return the requests that one arm has answered, or None when their rate is unknown."""
        rate = self.expect.requests_per_s
        return None if rate is None else rate * DAY_S * self.exposure(at_s)

    def users(self, at_s: ArrayLike) -> FloatArray | None:
        """Return how many different users one candidate has met: each request another's, at most."""
        daily, requests = self.expect.units_per_day, self.requests(at_s)
        if daily is None:
            return requests
        # A step's first day meets at once the users who would have come back anyway.
        begins = np.array([leg.begins_s for leg in self.legs])
        number = np.maximum(np.searchsorted(begins, at_s, side="right") - 1, 0)
        weight = np.array([leg.weight for leg in self.legs])[number]
        units = daily * self.exposure(at_s)
        return units if requests is None else np.minimum(requests, units + daily * weight)

    def when(self, units: float) -> float | None:
        """Return when one arm has enrolled so many units, or None when the traffic is unknown."""
        daily = self.expect.units_per_day
        if daily is None:
            return None
        begins, sums, last = self._corners()
        wanted = units / daily
        if wanted >= sums[-1]:
            return float(begins[-1] + (wanted - sums[-1]) * DAY_S / last)
        return float(np.interp(wanted, sums, begins))

    def _corners(self) -> tuple[FloatArray, FloatArray, float]:
        """Return when steps begin, the exposure in days by then, and the last weight."""
        begins = np.array([leg.begins_s for leg in self.legs])
        weights = np.array([leg.weight for leg in self.legs])
        parts = np.diff(begins) * weights[:-1] / DAY_S
        return begins, np.concatenate([[0.0], np.cumsum(parts)]), float(weights[-1])


def calendar(policy: Policy) -> Calendar | None:
    """Return the steps on their calendar, or None for a policy that only copies requests."""
    if not policy.steps:
        return None
    openings = Openings.of(policy.advance)
    daily = policy.expect.units_per_day
    legs: list[Leg] = []
    begins_s = 0.0
    for number, step in enumerate(policy.steps, start=1):
        weight = step.weight_bp / WHOLE_BP
        filling_s = 0.0 if daily is None else step.hold.min_units / (daily * weight) * DAY_S
        dwell_s = max(step.hold.for_s, filling_s)
        if number < len(policy.steps):
            ends_s = openings.next_open(begins_s + dwell_s)
        else:
            ends_s = begins_s + (math.inf if step.hold.at_most_s is None else step.hold.at_most_s)
        legs.append(Leg(weight, begins_s, ends_s, dwell_s))
        begins_s = ends_s
    return Calendar(tuple(legs), openings, policy.expect)
