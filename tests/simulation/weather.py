"""A world with seeded faults: evidence stays away, answers are lost, the process is cut off."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import Final

from rollout.controller.reconcile import Point
from rollout.domain.assignment import Placement
from rollout.domain.experiment import Experiment, JobState, Phase
from rollout.domain.policy import Actions, Hold, LocalCommand, Policy, Resilience, Step
from rollout.errors import Problem, Retry
from rollout.ports import Observed, Published
from tests.domain.examples import POLICY
from tests.domain.scenes import NOW_US, SECOND_US, evidence
from tests.simulation.fakes import MemoryJobs, MemoryTraffic

GOOD: Final = evidence(units=40_000)
BROKEN: Final = evidence(units=40_000, errors=0.2)
SLOW: Final = evidence(units=40_000, exceeding=0.1)
WATCH_S: Final = 5.0
_LOST: Final = Problem("weather", "no answer", "ask again")
_ROLLBACK: Final = LocalCommand(("true",))


class Crash(BaseException):
    """The process is cut off here; only what was recorded outside it goes on."""


def policy(name: str, promote: str) -> Policy:
    """Return a policy of three short steps, whose promote action is a command."""
    return replace(
        POLICY,
        name=name,
        path=f"/{name}",
        salt=name,
        resilience=Resilience(falls_back=False),
        steps=(
            Step(100, Hold(for_s=4.0, min_units=500)),
            Step(1_000, Hold(for_s=4.0)),
            Step(5_000, Hold(until_verdict=True, at_most_s=3_600.0)),
        ),
        actions=Actions(promote=LocalCommand((promote,)), rollback=_ROLLBACK),
        watch_s=WATCH_S,
    )


@dataclass(slots=True)
class Weather:
    """Chance and time of one life; after `calm_us` nothing goes wrong any more."""

    chance: random.Random
    now_us: int = NOW_US
    calm_us: int = NOW_US + 90 * SECOND_US

    def is_bad(self, share: float) -> bool:
        """Return whether something goes wrong now."""
        return self.now_us < self.calm_us and self.chance.random() < share

    def passing(self, point: Point, _experiment: Experiment) -> None:
        """Cut the process off at some of the points."""
        if self.is_bad(0.04):
            raise Crash(point)


class StormyEvidence:
    """Evidence about candidates that are good until the time that is noted for them, or until the watch."""

    def __init__(self, weather: Weather, broken_from_us: dict[str, int], slow_when_watched: str) -> None:
        self._weather, self._broken_from_us = weather, broken_from_us
        self._slow_when_watched = slow_when_watched

    def observe(self, experiment: Experiment, now_us: int) -> Observed:
        if self._weather.is_bad(0.1):
            raise Retry(_LOST)
        is_broken = now_us >= self._broken_from_us.get(experiment.policy.name, now_us + 1)
        mark_us = now_us - SECOND_US // 10
        slow_us = None if self._weather.is_bad(0.1) else mark_us
        is_slow = (experiment.phase, experiment.policy.name) == (Phase.WATCHING, self._slow_when_watched)
        found = SLOW if is_slow else BROKEN if is_broken else GOOD
        return Observed(replace(found, watermark_us=slow_us, fast_watermark_us=mark_us))


class StormyTraffic(MemoryTraffic):
    """A proxy that sometimes does not answer, before or after it has done what it was told."""

    def __init__(self, weather: Weather) -> None:
        super().__init__()
        self._weather = weather

    def publish(self, placements: tuple[Placement, ...], *, kept: frozenset[str] = frozenset()) -> Published:
        if self._weather.is_bad(0.1):
            return Published(is_live=False, refusal="not acknowledged within 10 s")
        done = super().publish(placements, kept=kept)
        if self._weather.is_bad(0.1):
            raise Retry(_LOST)
        return done


class StormyJobs(MemoryJobs):
    """Actions whose start may be done or not when no answer comes; they take a few seconds."""

    def __init__(self, weather: Weather, traffic: MemoryTraffic) -> None:
        super().__init__()
        self._weather, self._traffic = weather, traffic
        self._ends_us: dict[str, int] = {}
        self.begun_us: dict[str, int] = {}
        self.weights_at_rollback: dict[str, int] = {}
        self.ran_beside: dict[str, bool] = {}

    def start(self, name: str, action: LocalCommand, variables: dict[str, str]) -> None:
        if self._weather.is_bad(0.1):
            raise Retry(_LOST)
        if super().state(name) is None:
            self.begun_us[name] = self._weather.now_us
            self._note(name, variables)
            self._ends_us[name] = self._weather.now_us + self._weather.chance.randint(0, 5) * SECOND_US
        super().start(name, action, variables)
        if self._weather.is_bad(0.1):
            raise Retry(_LOST)

    def state(self, name: str) -> JobState | None:
        if self._weather.is_bad(0.05):
            raise Retry(_LOST)
        return JobState.RUNNING if self._runs(name) else super().state(name)

    def stop(self, name: str) -> None:
        if self._weather.is_bad(0.1):
            raise Retry(_LOST)
        if self._runs(name):
            self._ends_us[name] = self._weather.now_us + SECOND_US
            self.end(name, JobState.FAILED)

    def _note(self, name: str, variables: dict[str, str]) -> None:
        """Write down how the world stands when a rollback's action begins."""
        if variables["ROLLOUT_ACTION"] != "rollback":
            return
        live = {one.policy.name: one.split for one in self._traffic.live}
        split = live[variables["ROLLOUT_POLICY"]]
        self.weights_at_rollback[name] = 10_000 if split.is_promoted else split.steps_on
        self.ran_beside[name] = self._runs(name.replace("-rollback-", "-promote-"))

    def _runs(self, name: str) -> bool:
        is_early = self._weather.now_us < self._ends_us.get(name, 0)
        return is_early or super().state(name) is JobState.RUNNING
