"""A few kinds of units: most alike, some with many requests, some unlucky by nature."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from rollout.domain.policy import Expect
from rollout.simulation.scenario import Traffic
from rollout.stats.arrays import FloatArray

REQUESTS: Final = 3.0
"""A unit's requests in its visit when the policy expects nothing."""
UNITS_PER_DAY: Final = 10_000.0
MAXIMUM_WINDOWS: Final = 20
"""A visit spreads over at most so many windows of ten seconds."""
MAXIMUM_MINUTES: Final = 10
DAY_S: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Trials:
    """How often a unit of each kind can be in trouble in its visit, and how many requests each time is."""

    times: FloatArray
    """Whole numbers, [kind]."""
    requests: FloatArray
    """Requests that one trouble is worth, [kind]."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """The kinds of units, [kind]: a unit is wholly of one kind, and comes for one visit."""

    share: FloatArray
    requests: FloatArray
    proneness: FloatArray
    """By what a request's chance of trouble is multiplied; over all requests its mean is 1."""

    @classmethod
    def of(cls, expect: Expect, traffic: Traffic) -> Crowd:
        """Return the kinds that together send what the policy expects."""
        mean = REQUESTS
        if expect.units_per_day and expect.requests_per_s:
            mean = max(expect.requests_per_s * DAY_S / expect.units_per_day, 1.0)
        heavy, unlucky = traffic.heavy_share, traffic.unlucky_share
        share = np.array([1.0 - heavy - unlucky, heavy, unlucky])
        times = np.array([1.0, traffic.heavy_times, 1.0])
        requests = np.maximum(np.round(times * mean / (share @ times)), 1.0)
        prone = np.array([1.0, 1.0, traffic.unlucky_times])
        return cls(share, requests, prone * (share @ requests) / (share @ (requests * prone)))

    @property
    def by_request(self) -> Trials:
        """Every request may fail by itself."""
        return Trials(self.requests, np.ones_like(self.requests))

    @property
    def by_window(self) -> Trials:
        """All requests of ten seconds are slow together: bursts."""
        return self._spread(MAXIMUM_WINDOWS)

    @property
    def by_minute(self) -> Trials:
        """All requests of a minute are slow together."""
        return self._spread(MAXIMUM_MINUTES)

    def _spread(self, most: int) -> Trials:
        times = np.minimum(self.requests, most)
        return Trials(times, self.requests / times)
