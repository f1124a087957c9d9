"""A control plane with many experiments, a node that confirms at once, and traffic that is counted."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, TypeVar

from bench.fast.workload import BEGIN_US, HOUR_S, SECOND_US, SHARES, World
from rollout.api.access import bearer
from rollout.api.app import create_app
from rollout.api.desk import Desk, Tools
from rollout.api.experiments import experiments_router
from rollout.client.nodes import LiveState, NodeState, SplitState
from rollout.commands.jobs import LocalCommands
from rollout.controller.loop import Clock, Loop
from rollout.controller.reconcile import Reconciler, Tick
from rollout.controller.reconcile import World as Reached
from rollout.controller.sights import Sights
from rollout.domain.experiment import ENDED
from rollout.domain.metric import MetricType
from rollout.domain.policy import WHOLE_BP, Hold, Step
from rollout.domain.records import BASELINE_SERVED
from rollout.envoy.bootstrap import Address
from rollout.fleet.fleet import Fleet
from rollout.fleet.snapshot import Snapshot
from rollout.intake.evidence import RecordedEvidence
from rollout.lake.accounts.books import Books
from rollout.lake.segments import Kind
from rollout.policyfile.digest import digest
from rollout.policyfile.reading import read_bytes
from rollout.render.pages import page
from rollout.store.counts import Counts, Told
from rollout.store.database import Database
from rollout.store.ledger import SqlLedger
from rollout.wiring.parts import run, serve

TOKEN: Final = "a token of a benchmark only"  # noqa: S105 (no secret: the house is gone with the run)
NODE: Final = "node"
LONG_S: Final = 48 * 3_600.0
ENDS_WITHIN_S: Final = 15.0
Made = TypeVar("Made")
_LOG: Final = "0123456789abcdef" * 2


@dataclass(frozen=True, slots=True)
class Seen:
    """One tick: whose, when it ended, and how long it took."""

    uid: str
    ended_s: float
    took_s: float


@dataclass(slots=True)
class Looks:
    """Every tick that was carried out, and whether what is measured still goes on."""

    ledger: SqlLedger
    ticks: list[Seen] = field(default_factory=list)
    told_s: list[tuple[float, float]] = field(default_factory=list)
    """When evidence against a candidate was seen to its end, and how long after it was counted."""
    making_s: float = 0.0
    """Processor time that went into making the traffic, which is the benchmark's own."""
    _against: dict[str, float] = field(default_factory=dict)
    """Since when there is some that no look has begun to see, by experiment."""

    def counted(self, against: Collection[str]) -> None:
        """Note whose candidates' requests have just failed."""
        now_s = time.monotonic()
        for name in against:
            self._against.setdefault(name, now_s)

    def made(self, traffic: Iterator[Made]) -> Iterator[Made]:
        """Yield the traffic, and note what making it takes."""
        while True:
            began_s = time.thread_time()
            one = next(traffic, None)
            self.making_s += time.thread_time() - began_s
            if one is None:
                return
            yield one

    def under_way(self) -> int:
        """Return how many runs are not over."""
        return sum(one.experiment.phase not in ENDED for one in self.ledger.runs())

    def around(self, tick: Callable[[str, int], Tick | None]) -> Callable[[str, int], Tick | None]:
        """Return the tick, timed."""
        names = {one.experiment.uid: one.experiment.policy.name for one in self.ledger.runs()}

        def timed(uid: str, now_us: int) -> Tick | None:
            began_s = time.monotonic()
            counted_s = self._against.pop(names[uid], None)
            try:
                return tick(uid, now_us)
            finally:
                ended_s = time.monotonic()
                self.ticks.append(Seen(uid, ended_s, ended_s - began_s))
                if counted_s is not None:
                    self.told_s.append((ended_s, ended_s - counted_s))

        return timed


@contextmanager
def running(world: World, port: int) -> Iterator[Looks]:
    """Run the world's control plane until the block ends."""
    with TemporaryDirectory(prefix="rollout-", ignore_cleanup_errors=True) as made, ExitStack() as held:
        folder = Path(made)
        database = Database.writer(folder / "control.db")
        held.callback(database.close)
        began_s = time.monotonic()

        def now_us() -> int:
            return BEGIN_US + round((time.monotonic() - began_s) * SECOND_US)

        ledger = SqlLedger(database, new_uid=lambda: secrets.token_hex(4), digest=digest)
        counts = Counts(database)
        thresholds = [_begun(world, number, ledger, counts) for number in range(world.experiments)]
        fleet = Fleet(marked=lambda: (mark.node for mark in counts.nodes()), now_us=now_us)
        books = Books(folder / "lake", cursors=counts.cursors)
        evidence = RecordedEvidence(counts, books)
        held.callback(evidence.finish, ENDS_WITHIN_S)
        jobs, sights = LocalCommands(folder / "jobs", working_folder=folder), Sights()
        reconciler = Reconciler(Reached(ledger, evidence, fleet, jobs), sights=sights)
        looks = Looks(ledger)
        loop = Loop(ledger, looks.around(reconciler.tick), clock=Clock(now_us=now_us))
        tools = Tools(
            read=read_bytes,
            refuse_impossible=lambda _placements: None,
            render=page,
            is_live=fleet.serves,
            recorded=loop.wake,
            now_us=now_us,
            sight=sights.of,
        )
        application = create_app([experiments_router(Desk(ledger, tools), bearer([TOKEN]))])
        serve(held, Address(port), application, option="--port")
        ending = threading.Event()
        run(held, "node", partial(_confirm, fleet, ending), ending.set)
        traffic = Traffic(world, counts, thresholds, looks, loop)
        run(held, "traffic", partial(_feed, traffic, now_us, ending), ending.set)
        held.callback(fleet.close)
        run(held, "controller", loop.run, loop.stop)
        yield looks


def _begun(world: World, number: int, ledger: SqlLedger, counts: Counts) -> int:
    """Start one experiment that nothing decides while it is measured, and return its limit's identity.

    Two of a hundred requests are slow or failed, in all arms alike: the limit allows ten. No window closes,
    as no unit is in the lake, and the step is long.
    """
    policy = world.policy(number)
    metrics = tuple(
        replace(one, window_s=LONG_S, quantile=0.9 if one.type is MetricType.LATENCY else None)
        for one in policy.metrics
    )
    steps = (Step(round(SHARES[1] * WHOLE_BP), Hold(for_s=LONG_S)),)
    policy = replace(
        policy,
        metrics=metrics,
        steps=steps,
        resilience=replace(policy.resilience, falls_back=False),
        # It began an hour ago, and is first looked at now.
        decide=replace(policy.decide, no_data_hold_s=LONG_S),
    )
    ledger.start(policy, BEGIN_US - HOUR_S * SECOND_US)
    metric = next(one for one in metrics if one.type is MetricType.LATENCY)
    share = 1.0 - (metric.quantile or 0.0)
    return counts.register(world.run(number), metric.name, limit_us=metric.max_us or 0, share=share).identity


def _confirm(fleet: Fleet, ending: threading.Event) -> None:
    """Be a node that serves whatever is wanted, as soon as it is wanted, and says so every second."""
    version, content = "", b""
    while not ending.wait(0.05):
        snapshot = fleet.wanted
        if snapshot is None:
            continue
        if snapshot.version != version:
            version, content = snapshot.version, _told(snapshot)
        # Read as the API reads it: what a node does to say it costs the control plane nothing.
        fleet.told(NODE, NodeState.model_validate_json(content))
        ending.wait(1.0)


def _told(snapshot: Snapshot) -> bytes:
    live = tuple(
        LiveState(
            experiment=one.placement.policy.name,
            revision=one.placement.revision,
            split=SplitState(steps_on=one.placement.split.steps_on),
            placement=one.version,
        )
        for one in snapshot.wanted
    )
    return NodeState(live=live, snapshot=snapshot.version).model_dump_json().encode()


@dataclass(frozen=True, slots=True)
class Traffic:
    """What is counted, and who hears of it."""

    world: World
    counts: Counts
    thresholds: list[int]
    looks: Looks
    loop: Loop


def _feed(traffic: Traffic, now_us: Callable[[], int], ending: threading.Event) -> None:
    """Count a second's traffic every second, and hurry those against whom something came."""
    segments = traffic.looks.made(traffic.world.segments(traffic.thresholds, 0, 3_600, 1))
    for end_us, counted in segments:
        if ending.wait(max((end_us - now_us()) / SECOND_US, 0.0)):
            return
        # No bytes: the files of the lake are not what is measured here.
        told = Told(Kind.EXPOSURES, NODE, _LOG, 0, 0, end_us, 0)
        traffic.counts.add(told, counted, end_us)
        against = {error.run.experiment for error in counted.errors if error.arm not in BASELINE_SERVED}
        traffic.looks.counted(against)
        traffic.loop.hurry(against)
