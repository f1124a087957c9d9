"""One experiment's people as they meet the proxy: the lines that this leaves, and the goals they reach."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import msgspec
import numpy as np

from rollout.domain.assignment import Leaf, Placement, arm_name, assign
from rollout.domain.policy import Policy
from tests.lake.histories import Request
from tests.pipeline.crowds import Crowd
from tests.pipeline.families import SECOND_US, Family, goal_of

CANDIDATE: Final = arm_name(1)
_ENCODER: Final = msgspec.json.Encoder()


@dataclass
class Life:
    """What an experiment and its people have come to so far."""

    family: Family
    policy: Policy
    crowd: Crowd
    enrolled: set[int] = field(default_factory=set)
    _goals: list[tuple[int, int]] = field(default_factory=list)
    """Goals still to be told: (time, person)."""

    def requests(self, placement: Placement, after_us: int, until_us: int) -> Iterator[tuple[Request, bool]]:
        """Yield what Envoy logs under the placement that is live, each with whether its first try failed."""
        crowd, chosen = self.crowd, self.crowd.between(after_us, until_us)
        persons = crowd.person[chosen].tolist()
        routes = {person: assign(placement, crowd.units[person]) for person in set(persons)}
        on_candidate = np.array([_is_candidate(routes[person]) for person in persons], dtype=np.bool_)
        chance = crowd.failure_chance[chosen] + self.family.effect.fails * on_candidate
        failures = (crowd.failure_draw[chosen] < chance).tolist()
        times, durations = crowd.at_us[chosen].tolist(), crowd.duration_us[chosen].tolist()
        for at_us, person, fails, duration_us in zip(times, persons, failures, durations, strict=True):
            route = routes[person]
            self._enrol(person, route, at_us)
            told = {"ts": _written(at_us), "unit": crowd.units[person], "dur_us": duration_us}
            yield {**_answered(placement, route, fails=fails), **told}, fails

    def outcomes(self, until_us: int) -> Iterator[bytes]:
        """Yield the goals reached by a time, as the application tells them: some of them twice."""
        due = [one for one in self._goals if one[0] <= until_us]
        self._goals = [one for one in self._goals if one[0] > until_us]
        for at_us, person in due:
            unit, metric = self.crowd.units[person], goal_of(self.policy.name)
            told = {"unit": unit, "metric": metric, "ts_us": at_us, "value": 1, "key": "first"}
            yield from [_ENCODER.encode(told)] * (2 if self.crowd.goal_told_twice[person] else 1)

    def _enrol(self, person: int, route: str, at_us: int) -> None:
        """Decide at a person's first request in a block whether and when the goal will be reached."""
        if person in self.enrolled or route.endswith(tuple(Leaf)):
            return
        self.enrolled.add(person)
        gain = self.family.effect.converts if _is_candidate(route) else 0.0
        if self.crowd.goal_draw[person] < self.family.converts + gain:
            self._goals.append((at_us + int(self.crowd.goal_after_us[person]), person))


def _is_candidate(route: str) -> bool:
    return route.split("/")[1] in {CANDIDATE, Leaf.PROMOTED}


def _written(at_us: int) -> str:
    return f"{at_us // SECOND_US}.{at_us % SECOND_US:06d}"


def _answered(placement: Placement, route: str, *, fails: bool) -> Request:
    """Return who answered and how: after a failure the baseline, when the policy asks for that."""
    falls_back = fails and placement.policy.resilience.falls_back
    version = CANDIDATE if _is_candidate(route) and not falls_back else "baseline"
    return {
        "rev": str(placement.revision),
        "route": route,
        "served": f"{placement.policy.name}/{placement.revision}/{version}",
        "att": 2 if falls_back else 1,
        "code": 503 if fails and not falls_back else 200,
        "flags": "-",
        "det": "via_upstream",
    }
