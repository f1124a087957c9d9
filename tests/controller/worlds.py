"""One run in a calm world, in which each test changes one thing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from rollout.controller.looks import Album
from rollout.controller.naming import Purpose, job_name
from rollout.controller.reconcile import Reconciler, Tick, World
from rollout.domain.assignment import Split
from rollout.domain.evidence import Evidence
from rollout.domain.experiment import Experiment, Phase
from rollout.domain.policy import Actions, LocalCommand, Policy
from rollout.errors import Problem, Retry
from rollout.ports import Observed
from rollout.store.ledger import SqlLedger
from tests.domain.examples import POLICY
from tests.domain.scenes import EXPERIMENT, NOW_US, SECOND_US, evidence
from tests.simulation.fakes import MemoryJobs, MemoryLedger, MemoryTraffic

UNWATCHED = replace(POLICY, watch_s=0.0)
BOTH = Actions(LocalCommand(("sleep", "600")), LocalCommand(("true",)))


class Readings:
    """What is measured: what was set, now; an exception is raised."""

    def __init__(self) -> None:
        self.reading: Evidence | Exception = evidence()
        self.problems: tuple[Exception, ...] = ()
        """What kept parts of it from being measured."""
        self.asked = 0
        self.meanwhile: Callable[[], None] | None = None
        """What somebody else does while it is measured."""

    def observe(self, _experiment: Experiment, now_us: int) -> Observed:
        self.asked += 1
        if self.meanwhile is not None:
            self.meanwhile()
        if isinstance(self.reading, Exception):
            raise self.reading
        mark = now_us - SECOND_US
        slow = None if self.reading.watermark_us is None else mark
        return Observed(replace(self.reading, watermark_us=slow, fast_watermark_us=mark), self.problems)


@dataclass
class Scene:
    """A run that is about to be promoted, and the world around it."""

    actions: Actions = BOTH
    policy: Policy = UNWATCHED
    now_us: int = NOW_US
    ledger: MemoryLedger | SqlLedger = field(default_factory=MemoryLedger)
    traffic: MemoryTraffic = field(default_factory=MemoryTraffic)
    jobs: MemoryJobs = field(default_factory=MemoryJobs)
    readings: Readings = field(default_factory=Readings)
    steady_s: float = 0.0
    """The time for waits, which a jump of the time of day leaves as it is."""

    def __post_init__(self) -> None:
        policy = replace(self.policy, actions=self.actions)
        started = self.ledger.start(policy, EXPERIMENT.started_us)
        self.uid = started.experiment.uid
        self.change(
            step=EXPERIMENT.step, step_entered_us=EXPERIMENT.step_entered_us, fresh_us=EXPERIMENT.fresh_us
        )
        self.restart()

    def restart(self) -> None:
        """Forget everything that was not recorded."""
        world = World(self.ledger, self.readings, self.traffic, self.jobs)
        self.reconciler = Reconciler(world, album=Album(), steady_s=lambda: self.steady_s)

    def change(self, **changes: object) -> None:
        """Record the run with something changed."""
        (seen,) = self.ledger.runs()
        changed = replace(seen.experiment, **changes)  # type: ignore[arg-type]
        assert self.ledger.record(seen, changed, None)

    def tick(self, *, after_s: float = 1.0) -> Tick:
        """Let some time pass and look."""
        self.now_us += round(after_s * SECOND_US)
        self.steady_s += after_s
        tick = self.reconciler.tick(self.uid, self.now_us)
        assert tick is not None
        return tick

    @property
    def phase(self) -> Phase:
        return self.ledger.runs()[0].experiment.phase

    @property
    def split(self) -> Split:
        return self.traffic.live[0].split

    @property
    def promote_job(self) -> str:
        return job_name(self.ledger.runs()[0].experiment, Purpose.PROMOTE)

    @property
    def rollback_job(self) -> str:
        return job_name(self.ledger.runs()[0].experiment, Purpose.ROLLBACK)

    @property
    def reasons(self) -> list[str]:
        return [entry.decision.reason.name for entry in self.ledger.history(self.uid)]


def outage() -> Retry:
    return Retry(Problem("the lake", "does not answer", "ask again"))
