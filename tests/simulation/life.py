"""The life of one seed: a storm, in which anything may go wrong, and a calm, in which all must end well."""

from __future__ import annotations

import random
import traceback
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from rollout.controller.pace import Pace
from rollout.controller.sights import Sight
from rollout.domain.assignment import Split
from rollout.domain.experiment import ENDED, Experiment, Phase, placement_of
from rollout.domain.wish import Wish
from rollout.fleet.fleet import Fleet
from rollout.store.database import Database
from tests.replaying import replayed
from tests.simulation import plot
from tests.simulation.actions import SimulatedJobs
from tests.simulation.checker import Checker
from tests.simulation.faults import Faults
from tests.simulation.ledgers import WatchedLedger
from tests.simulation.machine import Place
from tests.simulation.nodes import SimulatedNode
from tests.simulation.parts import SOUND, Parts
from tests.simulation.persons import People, PeoplesLedger
from tests.simulation.promises import ON_TRIAL, require
from tests.simulation.story import Broken, Story
from tests.simulation.tenure import Shared, Tenure
from tests.simulation.timeline import Timeline
from tests.simulation.truth import Kind, Truth

CALM_WITHIN_S: Final = 260.0
"""How long after the last fault everything must have come to rest."""
LOOKED_AT_S: Final = 4.0
NEWEST: Final = 70
REPLAYED: Final = 10
"""Every so many worlds, all their decisions are recomputed."""


@dataclass
class Outcome:
    """What a life came to."""

    seed: int
    broken: str | None = None
    story: tuple[str, ...] = ()
    struck: Counter[str] = field(default_factory=Counter)
    decisions: Counter[str] = field(default_factory=Counter)
    phases: Counter[str] = field(default_factory=Counter)
    lasted_s: float = 0.0
    calm_s: float = 0.0
    """How long it took to come to rest after the last fault."""

    @property
    def promise(self) -> str | None:
        """Which promise was broken first, without the particulars."""
        return None if self.broken is None else self.broken.partition(":")[0]


class Life:
    """A world that outlasts the processes in it."""

    def __init__(self, seed: int, parts: Parts = SOUND, without: Collection[str] = ()) -> None:
        chance = random.Random(seed)  # noqa: S311 (a world is drawn again from its seed)
        self.seed, self.parts, self.chance = seed, parts, chance
        self.timeline = Timeline()
        self.story = Story(lambda: self.timeline.now_s)
        self.faults = Faults.drawn(chance, without)
        self.truth = Truth(chance)
        self.jobs = SimulatedJobs(self.faults, lambda: self.timeline.now_s, self._begun)
        self.checker = Checker(self.story, lambda: self.timeline.now_s, self.jobs.is_running, self._weights)
        self.database = Database.memory(self._place("database").now_us)
        self.storm_s = chance.uniform(8, 40)
        self.pace = Pace(interval_s=chance.uniform(1.5, 4.0), ended_s=10.0, stopped_s=10.0)
        self.tenures: list[Tenure] = []
        self.terms = 0
        self.nodes = [self._node(name) for name in ("n1", "n2")[: chance.randint(1, 2)]]
        for number in range(chance.choice((1, 1, 1, 2))):
            self._ledger("start").start(plot.drawn(chance, f"p{number + 1}"), self._place("start").now_us())
        self.people = self._people() if chance.random() < 0.75 else None

    def live(self) -> None:
        """Live through the storm and the calm; raise `Broken` for a promise that does not hold."""
        try:
            self._take_over()
            for node in self.nodes:
                node.begin()
            if self.people is not None:
                self.timeline.begin("people", self.people.live)
            self.timeline.after(1.0, self._weather)
            self.timeline.run(self.storm_s)
            self._calm_down()
            self._rest()
            self._account()
        finally:
            self.timeline.close()
            self.database.close()

    def _rest(self) -> None:
        """Wait for everything to come to rest."""
        until_s = self.timeline.now_s + CALM_WITHIN_S
        while True:
            self.timeline.run(self.timeline.now_s + LOOKED_AT_S)
            restless = self._restless()
            if restless is None:
                return
            require(self.timeline.now_s < until_s, "every world comes to rest", restless)

    def _calm_down(self) -> None:
        self.story.tell("world", "is calm from now on")
        self.faults.is_calm = True
        for tenure in self.tenures[:-1]:
            tenure.step_down()
        if self.tenures[-1].is_over:
            self._take_over()

    def _restless(self) -> str | None:
        """Return what is not yet as evidence and wishes want it, if anything."""
        for uid in self.checker.served.values():
            run = self.checker.runs[uid].experiment
            why = self._unfinished(run)
            if why is not None:
                return f"{uid} is {run.phase}: {why}"
            for node in self.nodes:
                wanted = None if run.phase is Phase.RETIRED else placement_of(run)
                if node.placements.get(run.policy.name) != wanted:
                    return f"{node.name} does not serve what is recorded of {uid}"
        running = [name for name in self.jobs.jobs if self.jobs.is_running(name)]
        return f"{running[0]} runs" if running else None

    def _unfinished(self, run: Experiment) -> str | None:
        if run.wish is not None:
            return f"{run.wish.kind} is not answered" if run.wish.overrules else None
        is_leaving = run.phase in ENDED | {Phase.ROLLING_BACK} or run.rollback_failed
        if run.rollback_wish is not None and not is_leaving:
            return "a rollback is asked for"
        if run.phase in ENDED or (run.phase is Phase.ACTION_FAILED and run.rollback_failed):
            return None
        kinds = self.truth.kinds(run, self.timeline.now_s)
        armed = {Kind.SLOW, Kind.BROKEN} if run.phase in ON_TRIAL | {Phase.ACTION_FAILED} else {Kind.SLOW}
        harmed = [arm for arm in run.active_arms if kinds[arm - 1] in armed]
        if harmed:
            return f"candidate {harmed[0]} is {kinds[harmed[0] - 1]}"
        if run.phase is Phase.PROMOTING and Kind.UNKNOWN in [kinds[arm - 1] for arm in run.active_arms]:
            return None  # a person promoted what cannot be measured: it waits, and can be rolled back
        is_waiting = run.phase in {Phase.PAUSED, Phase.AWAITING_APPROVAL, Phase.ACTION_FAILED}
        return None if is_waiting else f"candidates are {', '.join(kinds)}"

    def _account(self) -> None:
        """Compare what is kept with what happened, and wishes with their answers."""
        ledger, checker = self._ledger("end"), self.checker
        for uid, standing in checker.runs.items():
            require(ledger.history(uid) == tuple(checker.entries[uid]), "every decision is kept", uid)
            found = ledger.run(uid)
            is_served = checker.served[standing.experiment.policy.name] == uid
            require(
                found == (standing if is_served else None), "the ledger holds what was recorded last", uid
            )
        tampered = ledger.verify()
        require(not tampered, "the audit holds together", tampered)
        if self.seed % REPLAYED == 0:
            for uid in checker.runs:
                wrong = [one for one in replayed(ledger, uid) if one.differences or one.trifles]
                require(not wrong, "every decision is recomputed to the last bit", uid, wrong)
        for uid, wish in checker.asked:
            answers = sum(one.decision.wish == wish for one in checker.entries[uid])
            run = checker.runs[uid].experiment
            waits = not wish.overrules and run.wish == wish  # for the proof that it does not overrule
            is_kept = wish in checker.superseded or waits
            require(answers + is_kept == 1, "an acknowledged wish is answered once", uid, wish, answers)

    def _weather(self) -> None:
        """Let leadership change now and then; whoever led may not know it yet."""
        if self.faults.is_calm:
            return
        if self.tenures[-1].is_over or self.faults.strikes("takeover"):
            self._replace()
        self.timeline.after(self.chance.uniform(0.5, 3.0), self._weather)

    def _missed(self, for_s: float) -> None:
        """Let another one lead soon, when whoever leads is not heard of."""
        if self.chance.random() < 0.5 and self.faults.shares["takeover"]:
            self.timeline.after(self.chance.uniform(0, for_s), self._replace)

    def _replace(self) -> None:
        if self.faults.is_calm:
            return
        for tenure in self.tenures:
            if not tenure.is_over:
                self.timeline.after(self.chance.uniform(0, 25), tenure.step_down)
        self._take_over()

    def _take_over(self) -> None:
        self.terms += 1
        place = self._place(f"leader{self.terms}")
        place.missed = self._missed
        self.story.tell(place.name, "leads")
        nodes = tuple(node.name for node in self.nodes)
        shared = Shared(self.truth, self.jobs, self.checker, self.parts, self.pace, nodes)
        self.tenures = [one for one in self.tenures if not one.is_over]
        tenure = Tenure(place, self.terms, self._ledger(place.name), shared, self._one_ended)
        self.tenures.append(tenure)
        for node in self.nodes:
            tenure.fleet.listen(lambda node=node: node.hear(tenure.fleet))  # type: ignore[misc]

    def _one_ended(self) -> None:
        if self.faults.is_calm and all(one.is_over for one in self.tenures):
            self._take_over()

    def _fleets(self) -> list[Fleet]:
        return [tenure.fleet for tenure in self.tenures if not tenure.is_over]

    def _weights(self, name: str) -> Mapping[str, Split]:
        found = {}
        for node in self.nodes:
            placement = node.placements.get(name)
            if placement is not None and not node.is_cut_off:
                found[node.name] = placement.split
        return found

    def _begun(self, name: str, variables: Mapping[str, str]) -> None:
        self.checker.job_begun(name, variables)

    def _node(self, name: str) -> SimulatedNode:
        return SimulatedNode(
            name,
            self.faults,
            self.timeline,
            self._fleets,
            self.checker.serves,
            is_fenced=self.parts.nodes_are_fenced,
        )

    def _people(self) -> People:
        place = self._place("people")
        return People(
            place,
            PeoplesLedger(place, self._ledger("people")),
            self._acknowledged,
            self._wake,
            self._sight,
            self.chance.uniform(1, 8),
        )

    def _sight(self, run: Experiment) -> Sight | None:
        return self.tenures[-1].sights.of(run)

    def _wake(self) -> None:
        for tenure in self.tenures:
            tenure.wake()

    def _acknowledged(self, uid: str, wish: Wish) -> None:
        self.checker.asked.append((uid, wish))

    def _place(self, name: str) -> Place:
        return Place(name, self.faults, self.timeline, self.story)

    def _ledger(self, who: str) -> WatchedLedger:
        return WatchedLedger(who, self.database, self.checker, lambda: f"{self.chance.getrandbits(32):08x}")


def live(seed: int, parts: Parts = SOUND, *, without: Collection[str] = ()) -> Outcome:
    """Live one seed's life, and say what came of it."""
    life = Life(seed, parts, without)
    outcome = Outcome(seed)
    try:
        life.live()
    except (Broken, Exception) as error:  # noqa: BLE001 (what a loop may not raise is a broken promise too)
        is_ours = isinstance(error, Broken)
        outcome.broken = str(error) if is_ours else f"nothing but promises breaks: {error!r}"
        where = [] if is_ours else traceback.format_exception(error)
        outcome.story = (*life.story.lines(NEWEST), *"".join(where).splitlines())
    outcome.struck = life.faults.struck
    outcome.lasted_s = life.timeline.now_s
    outcome.calm_s = max(life.timeline.now_s - life.storm_s, 0.0)
    for uid, standing in life.checker.runs.items():
        outcome.phases[standing.experiment.phase.value] += 1
        outcome.decisions.update(one.decision.reason.name for one in life.checker.entries[uid])
    return outcome
