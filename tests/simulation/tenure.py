"""One control plane's time: from when it believes that it leads until it is cut off or steps down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rollout.controller.looks import Album
from rollout.controller.loop import Clock, Loop
from rollout.controller.pace import Pace
from rollout.controller.reconcile import Reconciler, Tick, World
from rollout.controller.sights import Sights
from rollout.domain.judge import Patience
from rollout.fleet.fleet import Fleet
from rollout.ports import Jobs, Ledger
from tests.domain.scenes import SECOND_US
from tests.simulation.checker import Checker
from tests.simulation.fakes import Inline
from tests.simulation.machine import (
    Place,
    UncertainEvidence,
    UncertainJobs,
    UncertainLedger,
    UncertainTraffic,
)
from tests.simulation.parts import Parts
from tests.simulation.promises import STALE_S
from tests.simulation.timeline import Cut, Fiber
from tests.simulation.truth import Truth

SHORTEST_S = 0.01


@dataclass(frozen=True, slots=True)
class Shared:
    """What all control planes of a world work with."""

    truth: Truth
    jobs: Jobs
    checker: Checker
    parts: Parts
    pace: Pace
    nodes: tuple[str, ...]
    """The nodes that have handed in records."""


class Tenure:
    """A control plane with a memory of its own; what it knows is gone with it."""

    def __init__(
        self, place: Place, term: int, ledger: Ledger, shared: Shared, ended: Callable[[], None]
    ) -> None:
        self.place, self.term, self._ended, self._shared = place, term, ended, shared
        timeline, parts = place.timeline, shared.parts
        self.fleet = Fleet(
            marked=lambda: shared.nodes,
            now_us=place.now_us,
            steady_s=lambda: timeline.now_s,
            confirmed_within_s=0.0,
            term=term,
        )
        self.sights = Sights()
        jobs = UncertainJobs(place, parts.jobs(shared.jobs))
        checker = shared.checker
        world = World(
            parts.ledger(UncertainLedger(place, ledger), jobs),
            parts.evidence(
                UncertainEvidence(
                    place, shared.truth, lambda uid, look: checker.handed(place.name, uid, look)
                )
            ),
            parts.traffic(UncertainTraffic(place, self.fleet)),
            jobs,
        )
        reconciler = Reconciler(
            world,
            patience=Patience(stale_after_us=round(STALE_S * SECOND_US), grace_us=0),
            album=Album(least_s=20.0),
            sights=self.sights,
            passing=lambda point, _run: place.pass_by(str(point)),
            judging=parts.judging(),
            steady_s=lambda: timeline.now_s,
        )
        self._tick = reconciler.tick
        self._loop = Loop(
            world.ledger,
            self._ticked,
            pace=shared.pace,
            clock=Clock(lambda: timeline.now_s, place.now_us),
            chance=place.faults.chance.random,
            workers=Inline(),
        )
        self._steps_down = False
        self.fiber: Fiber = timeline.begin(place.name, self._live)

    @property
    def is_over(self) -> bool:
        """Whether it does nothing any more."""
        return self.fiber.is_over

    def wake(self) -> None:
        """Hear that somebody has recorded something."""
        if not self.fiber.is_over:
            self._loop.wake()
            self.place.timeline.wake(self.fiber)

    def hurry(self, name: str) -> None:
        """Hear that evidence against a policy's candidate has come."""
        if not self.fiber.is_over:
            self._loop.hurry({name})
            self.place.timeline.wake(self.fiber)

    def step_down(self) -> None:
        """End after what is under way."""
        self._steps_down = True
        self.place.timeline.wake(self.fiber)

    def _live(self) -> None:
        try:
            while not self._steps_down:
                self.place.timeline.pause(max(self._loop.turn(), SHORTEST_S), is_idle=True)
        except Cut:
            pass
        self.place.story.tell(self.place.name, "is gone")
        self.fiber.is_over = True
        self._ended()

    def _ticked(self, uid: str, now_us: int) -> Tick | None:
        checker, name = self._shared.checker, self.place.name
        checker.looks.pop((name, uid), None)
        if self.place.faults.strikes("clock jumps"):
            self.place.skew_us = round(self._jump_s() * SECOND_US)
            self.place.story.tell(name, "FAULT: clock jumps", self.place.skew_us / SECOND_US)
        tick = self._tick(uid, now_us)
        if tick is not None:
            checker.ticked(name, tick.experiment, was_overtaken=tick.was_overtaken)
        return tick

    def _jump_s(self) -> float:
        """Draw by how much a clock is wrong from now on: seconds, or every fourth time up to an hour."""
        chance = self.place.faults.chance
        return chance.uniform(-20, 20) if chance.random() < 0.75 else chance.uniform(-3_600, 3_600)
