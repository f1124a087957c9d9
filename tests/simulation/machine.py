"""A control plane of a simulated world, and what may go wrong between it and what it works with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final, TypeVar

from rollout.domain.assignment import Placement
from rollout.domain.basis import Basis
from rollout.domain.experiment import Experiment
from rollout.domain.history import Entry
from rollout.domain.job import JobReport, Order
from rollout.errors import Problem, Retry
from rollout.ports import Jobs, Ledger, Observed, Published, Standing, Traffic, Unread
from tests.domain.scenes import NOW_US, SECOND_US
from tests.simulation.faults import Faults
from tests.simulation.story import Story
from tests.simulation.timeline import Cut, Timeline
from tests.simulation.truth import Handed, Truth, observed

LONGEST_STALL_S: Final = 25.0
LONGEST_CALL_S: Final = 0.4
_LOST: Final = Problem("weather", "no answer", "ask again")
T = TypeVar("T")


def busy() -> Retry:
    """Return what a ledger raises that is locked or away."""
    return Retry(Problem("weather", "the database is locked", "ask again"))


def lost() -> Retry:
    """Return what a port raises from which no answer came."""
    return Retry(_LOST)


class Place:
    """One process's view of time, and the points at which it may be cut off or held up."""

    def __init__(self, name: str, faults: Faults, timeline: Timeline, story: Story) -> None:
        self.name, self.faults, self.timeline, self.story = name, faults, timeline, story
        self.skew_us = 0
        """By how much its clock is ahead."""
        self.missed: Callable[[float], None] = lambda _for_s: None
        """Hears that nobody hears of this process for a while."""

    def now_us(self) -> int:
        """Return what this machine's clock shows."""
        if self.faults.is_calm:
            self.skew_us = 0
        return NOW_US + round(self.timeline.now_s * SECOND_US) + self.skew_us

    def pass_by(self, point: str) -> None:
        """Be cut off here, held up, or just slow."""
        chance = self.faults.chance
        if self.faults.strikes("cut off"):
            self.story.tell(self.name, "CUT OFF", point)
            raise Cut(point)
        if self.faults.strikes("held up"):
            for_s = chance.uniform(0.5, LONGEST_STALL_S)
            self.story.tell(self.name, "held up", point, f"for {for_s:.1f} s")
            self.missed(for_s)
            self.timeline.pause(for_s)
        elif self.faults.strikes("slow"):
            self.timeline.pause(chance.uniform(0, LONGEST_CALL_S))

    def call(self, what: str, do: Callable[[], T], away: str, gone: str, error: Callable[[], Exception]) -> T:
        """Do something outside: it may not be reached, be done twice, or be done without an answer."""
        self.pass_by(f"before {what}")
        if self.faults.strikes(away):
            self.story.tell(self.name, f"FAULT: {away}", what)
            raise error()
        result = do()
        if self.faults.strikes("done twice"):
            self.story.tell(self.name, "FAULT: done twice", what)
            result = do()
        self.pass_by(f"after {what}")
        if self.faults.strikes(gone):
            self.story.tell(self.name, f"FAULT: {gone}", what)
            raise error()
        return result


class UncertainLedger:
    """A ledger that may be busy, or record and not say so."""

    def __init__(self, place: Place, ledger: Ledger) -> None:
        self._place, self._ledger = place, ledger

    def served(self) -> tuple[Standing | Unread, ...]:
        """Read every run."""
        return self._read("read of all runs", self._ledger.served)

    def run(self, uid: str) -> Standing | None:
        """Read one run."""
        return self._read("read", lambda: self._ledger.run(uid))

    def record(
        self, seen: Standing, experiment: Experiment, entry: Entry | None, *, basis: Basis | None = None
    ) -> bool:
        """Record a run."""
        return self._place.call(
            "record",
            lambda: self._ledger.record(seen, experiment, entry, basis=basis),
            "ledger away",
            "ledger's reply lost",
            busy,
        )

    def _read(self, what: str, do: Callable[[], T]) -> T:
        if self._place.faults.strikes("ledger away"):
            self._place.story.tell(self._place.name, "FAULT: ledger away", what)
            raise busy()
        found = do()
        self._place.pass_by(f"after {what}")
        return found


class UncertainEvidence:
    """A source that may say nothing, half of it, the same again, or what cannot be."""

    def __init__(self, place: Place, truth: Truth, handed: Callable[[str, Handed], None]) -> None:
        self._place, self._truth, self._handed = place, truth, handed
        self._before: dict[str, Handed] = {}

    def observe(self, experiment: Experiment, now_us: int) -> Observed:
        """Return what is known of a run."""
        del now_us  # the nodes' clocks are right
        place, faults = self._place, self._place.faults
        place.pass_by("before evidence")
        if faults.strikes("evidence away"):
            raise lost()
        found = self._truth.seen(experiment, place.timeline.now_s)
        before = self._before.get(experiment.uid)
        problems: tuple[Exception, ...] = ()
        if before is not None and before.revision == found.revision and faults.strikes("evidence repeated"):
            found = before
        elif faults.strikes("evidence partly away"):
            found, problems = _halved(found, faults), (lost(),)
        elif faults.strikes("evidence from the future"):
            found = _moved(found, 600 * SECOND_US)
        elif faults.strikes("evidence garbled"):
            found = _garbled(found)
        self._before[experiment.uid] = found
        self._handed(experiment.uid, found)
        place.pass_by("after evidence")
        return observed(found, *problems)


def _halved(found: Handed, faults: Faults) -> Handed:
    """Return an answer that lacks a watermark, or a metric of every candidate."""
    if faults.chance.random() < 0.5:
        return replace(found, is_whole=False, evidence=replace(found.evidence, watermark_us=None))
    arms = tuple(replace(arm, binary={}) for arm in found.evidence.arms)
    return replace(found, is_whole=False, evidence=replace(found.evidence, arms=arms))


def _moved(found: Handed, by_us: int) -> Handed:
    marks = [found.evidence.watermark_us, found.evidence.fast_watermark_us]
    ahead = [None if mark is None else mark + by_us for mark in marks]
    return replace(found, evidence=replace(found.evidence, watermark_us=ahead[0], fast_watermark_us=ahead[1]))


def _garbled(found: Handed) -> Handed:
    """Return an answer that cannot be: nothing may be concluded from any of it."""
    wrong = replace(found.evidence, enrolled=-found.evidence.enrolled)
    return replace(found, kinds=(), is_whole=False, evidence=wrong)


class UncertainTraffic:
    """A fleet that may not be reached, or do what it is told without saying so."""

    def __init__(self, place: Place, traffic: Traffic) -> None:
        self._place, self._traffic = place, traffic

    def publish(self, placements: tuple[Placement, ...], *, kept: frozenset[str] = frozenset()) -> Published:
        """Publish."""
        return self._place.call(
            "publication",
            lambda: self._traffic.publish(placements, kept=kept),
            "traffic away",
            "traffic's reply lost",
            lost,
        )


class UncertainJobs:
    """Jobs that may not be reached, or be begun and stopped without an answer."""

    def __init__(self, place: Place, jobs: Jobs) -> None:
        self._place, self._jobs = place, jobs

    def start(self, order: Order) -> None:
        """Begin an action."""
        self._call("start of an action", lambda: self._jobs.start(order))

    def report(self, order: Order) -> JobReport | None:
        """Ask after an action."""
        if self._place.faults.strikes("jobs away"):
            raise lost()
        found = self._jobs.report(order)
        self._place.pass_by("after an action's state")
        return found

    def stop(self, order: Order) -> None:
        """Have an action end."""
        self._call("stop of an action", lambda: self._jobs.stop(order))

    def _call(self, what: str, do: Callable[[], None]) -> None:
        self._place.call(what, do, "jobs away", "jobs' reply lost", lost)
