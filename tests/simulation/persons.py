"""People of a simulated world: they ask at any moment for anything that fits, and for what does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

from rollout.domain.experiment import ENDED, Experiment, Phase
from rollout.domain.persons import fits
from rollout.domain.policy import Policy
from rollout.domain.revise import Unrevisable, revise
from rollout.domain.wish import Asked, Wish
from rollout.errors import RequestRefused, Retry
from rollout.ports import Standing, Unread
from tests.simulation import plot
from tests.simulation.faults import Faults
from tests.simulation.ledgers import WatchedLedger
from tests.simulation.machine import Place, UncertainLedger

TRIES = 3
WAITS = frozenset({Asked.ADVANCE, Asked.PROMOTE})
"""What may wait long for proxies or hours, and gives way to what is asked later."""


class Desk(Protocol):
    """What people reach of a control plane."""

    def served(self) -> tuple[Standing | Unread, ...]:
        """Return every run."""

    def run(self, uid: str) -> Standing | None:
        """Return one run."""

    def record(self, seen: Standing, experiment: Experiment, entry: None) -> bool:
        """Record a wish."""

    def revise(self, seen: Standing, experiment: Experiment, now_us: int) -> bool:
        """Record a changed policy."""

    def start(self, policy: Policy, now_us: int) -> Standing:
        """Record a new run."""


class PeoplesLedger(UncertainLedger):
    """The ledger as people reach it, who may also begin runs and change policies."""

    def __init__(self, place: Place, ledger: WatchedLedger) -> None:
        super().__init__(place, ledger)
        self.revise, self.start = ledger.revise, ledger.start


@dataclass
class People:
    """Everybody who asks for something, one after the other."""

    place: Place
    desk: Desk
    faults: Faults
    acknowledged: Callable[[str, Wish], None]
    recorded: Callable[[], None]
    pause_s: float
    """Between two wishes, on average."""
    is_done: Callable[[], bool]
    asked: int = 0
    policies: dict[str, Policy] = field(default_factory=dict)

    def live(self) -> None:
        """Ask until it is calm."""
        chance = self.faults.chance
        while not self.is_done():
            self.place.timeline.pause(chance.expovariate(1 / self.pause_s))
            if self.is_done():
                return
            try:
                self._ask()
            except (Retry, RequestRefused):
                continue  # nothing was acknowledged
            self.recorded()

    def _ask(self) -> None:
        chance = self.faults.chance
        runs = [one for one in self.desk.served() if isinstance(one, Standing)]
        seen = chance.choice(runs)
        run = seen.experiment
        kind = chance.choice([*Asked, "revise", "again"])
        self.asked += 1
        if kind == "revise":
            after = revise(run, plot.revised(chance, run.policy), self.place.now_us())
            if not isinstance(after, Unrevisable):
                self.desk.revise(seen, after, self.place.now_us())
        elif kind == "again":
            if run.phase in ENDED or run.rollback_failed:
                policy = plot.again(run.policy, run.settled_version)
                self.desk.start(policy, self.place.now_us())
        else:
            self._wish(seen, Asked(kind))

    def _wish(self, seen: Standing, kind: Asked) -> None:
        """Record a wish as the desk does: what does not fit, or waits its turn, is refused."""
        run = seen.experiment
        arm = (
            self.faults.chance.choice(run.active_arms) if kind is Asked.PROMOTE and run.active_arms else None
        )
        group = plot.APPROVERS[0] if kind is Asked.APPROVE else None
        self.asked += 1
        wish = Wish("ann", f"wish {self.asked}", self.place.now_us(), kind, group, arm)
        for _ in range(TRIES):
            found = self.desk.run(run.uid)
            if found is None or not fits(found.experiment, wish):
                return
            if kind is Asked.ROLLBACK:
                is_leaving = found.experiment.rollback_wish is not None
                wanting = replace(found.experiment, rollback_wish=wish)
                if is_leaving or found.experiment.phase in {Phase.ROLLING_BACK, Phase.ROLLED_BACK}:
                    return
            else:
                before = found.experiment.wish
                if before is not None and before.kind not in WAITS:
                    return
                wanting = replace(found.experiment, wish=wish)
            if self.desk.record(found, wanting, None):
                self.acknowledged(run.uid, wish)
                return
