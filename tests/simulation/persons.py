"""People of a simulated world: they ask the real desk, at any moment, for what fits and for what does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from rollout.api.desk import Desk, Tools
from rollout.api.problems import Refusal
from rollout.client.wishes import WishRequest
from rollout.controller.sights import Sight
from rollout.domain.access import Caller, Role
from rollout.domain.audit import Act
from rollout.domain.basis import Basis
from rollout.domain.buckets import Range
from rollout.domain.experiment import Experiment
from rollout.domain.history import Entry
from rollout.domain.persons import fits
from rollout.domain.policy import Policy
from rollout.domain.wish import Asked, Wish
from rollout.errors import RequestRefused, Retry
from rollout.policyfile.reading import Reading
from rollout.ports import Standing
from tests.simulation import plot
from tests.simulation.ledgers import WatchedLedger
from tests.simulation.machine import Place, UncertainLedger, busy
from tests.simulation.timeline import Cut

ANN = Caller("ann", Role.ADMIN)
APT = 0.8
"""How often people ask for what fits the run as they saw it; else for anything."""


class PeoplesLedger(UncertainLedger):
    """The ledger as the desk reaches it, which notes what wish was recorded last."""

    def __init__(self, place: Place, ledger: WatchedLedger) -> None:
        super().__init__(place, ledger)
        self._whole = ledger
        self.noted: tuple[str, Wish] | None = None
        self.basis, self.history = ledger.basis, ledger.history

    def runs(self) -> tuple[Standing, ...]:
        """Return every run that can be read."""
        return tuple(one for one in self.served() if isinstance(one, Standing))

    def record(
        self,
        seen: Standing,
        experiment: Experiment,
        entry: Entry | None,
        *,
        basis: Basis | None = None,
        act: Act | None = None,
    ) -> bool:
        """Record a wish."""
        del basis, entry
        wish = experiment.wish if experiment.wish != seen.experiment.wish else experiment.rollback_wish
        is_recorded = self._change(lambda: self._whole.record(seen, experiment, None, act=act))
        if is_recorded and wish is not None:
            self.noted = (experiment.uid, wish)
        return is_recorded

    def revise(
        self, seen: Standing, experiment: Experiment, now_us: int, *, text: str = "", act: Act | None = None
    ) -> bool:
        """Record a changed policy."""
        return self._change(lambda: self._whole.revise(seen, experiment, now_us, text=text, act=act))

    def start(
        self,
        policy: Policy,
        now_us: int,
        *,
        text: str = "",
        layer_range: Range | None = None,
        act: Act | None = None,
    ) -> Standing:
        """Record a new run."""
        self._place.pass_by("before a start")
        return self._whole.start(policy, now_us, text=text, layer_range=layer_range, act=act)

    def _change(self, do: Callable[[], bool]) -> bool:
        """Change something: it may be away, or not say what came of it; a client asks once."""
        self._place.pass_by("before a change")
        if self._place.faults.strikes("ledger away"):
            raise busy()
        is_done = do()
        self._place.pass_by("after a change")
        if self._place.faults.strikes("ledger's reply lost"):
            raise busy()
        return is_done


@dataclass
class People:
    """Everybody who asks for something, one after the other."""

    place: Place
    ledger: PeoplesLedger
    acknowledged: Callable[[str, Wish], None]
    recorded: Callable[[], None]
    sight: Callable[[Experiment], Sight | None]
    pause_s: float
    """Between two wishes, on average."""
    asked: int = 0
    _written: dict[bytes, Policy] = field(default_factory=dict)

    def __post_init__(self) -> None:
        tools = Tools(
            read=lambda content, file: Reading(file, self._written[content], ()),
            refuse_impossible=lambda _placements: None,
            render=lambda _run, _entries, _form, _troubles: "",
            is_live=lambda _placement: True,
            recorded=self.recorded,
            now_us=self.place.now_us,
            sight=self.sight,
        )
        self._desk = Desk(self.ledger, tools)

    def live(self) -> None:
        """Ask until it is calm; what is refused, lost or cut off was not acknowledged."""
        faults = self.place.faults
        while True:
            self.place.timeline.pause(faults.chance.expovariate(1 / self.pause_s))
            if faults.is_calm:
                return
            try:
                self._ask()
            except (Retry, Refusal, RequestRefused, Cut) as error:
                self.place.story.tell("people", "is refused", type(error).__name__)

    def _ask(self) -> None:
        chance = self.place.faults.chance
        run = chance.choice(self.ledger.runs()).experiment
        fitting = [one for one in Asked if fits(run, Wish("ann", "it fits", 0, one, plot.APPROVERS[0], 1))]
        is_apt = fitting and chance.random() < APT
        kind = chance.choice([*(fitting if is_apt else Asked), "revise", "again"])
        if kind == "revise":
            self._start(plot.revised(chance, run.policy))
        elif kind == "again":
            self._start(plot.again(run.policy, run.settled_version))
        else:
            self._wish(run, Asked(kind))

    def _start(self, policy: Policy) -> None:
        """Hand a policy in, which begins a run, changes it, or is refused."""
        self.asked += 1
        content = str(self.asked).encode()
        self._written[content] = policy
        self._desk.start(content, "it.yaml", ANN)

    def _wish(self, run: Experiment, kind: Asked) -> None:
        chance = self.place.faults.chance
        self.asked += 1
        may_override = kind in {Asked.ADVANCE, Asked.PROMOTE} and chance.random() < 0.6
        arm = chance.choice(range(1, run.policy.arms))
        wanted = WishRequest(
            why=f"wish {self.asked}",
            group=plot.APPROVERS[0] if kind is Asked.APPROVE else None,
            candidate=run.policy.candidates[arm - 1].version if kind is Asked.PROMOTE else None,
            override=may_override,
        )
        if self._desk.ask(run.policy.name, kind, wanted, ANN).is_new and self.ledger.noted is not None:
            self.acknowledged(*self.ledger.noted)
