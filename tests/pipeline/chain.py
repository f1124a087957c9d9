"""Everything between a request's line and a decision, as the product wires it; only Envoy is played."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Final

import httpx

from rollout.agent import converters, uplink
from rollout.agent.applier import Applier
from rollout.agent.journal import Journal, SplitHistory
from rollout.agent.log import Log
from rollout.agent.recorder import Recorder, Stream
from rollout.agent.spool import Spool
from rollout.agent.traffic import Stamps
from rollout.agent.uplink import Uplink
from rollout.api.access import application_of, bearer
from rollout.api.allowance import Allowance
from rollout.api.app import create_app
from rollout.api.applications import Applications
from rollout.api.intake import intake_router
from rollout.api.outcomes import LARGEST_BATCH, Door, outcomes_router
from rollout.api.told import Remembered, wanted
from rollout.controller.reconcile import Reconciler, World
from rollout.domain.assignment import Placement
from rollout.domain.policy import Policy
from rollout.envoy.publication import Acknowledged, Live
from rollout.fleet.fleet import Fleet
from rollout.fleet.snapshot import read_snapshot
from rollout.intake.evidence import RecordedEvidence
from rollout.intake.intake import Intake
from rollout.lake.accounts.books import Books
from rollout.lake.segments import Kind
from rollout.policyfile.digest import digest
from rollout.ports import Published
from rollout.store.counts import Counts
from rollout.store.database import Database
from rollout.store.ledger import SqlLedger
from tests.api.serving import TOKEN, serving
from tests.lake.histories import HASHING
from tests.pipeline.readings import Readings
from tests.simulation.fakes import Inline, MemoryJobs

NODE: Final = "node-1"
EXPOSURE_LAG_US: Final = 4_000_000
OUTCOME_LAG_US: Final = 1_000_000
TIMEOUT_S: Final = 300.0
LINES: Final = {"Content-Type": "application/x-ndjson"}


@dataclass
class Clock:
    """The time, which passes when it is set."""

    now_us: int

    def now(self) -> int:
        """Return the time."""
        return self.now_us


@dataclass
class Proxy:
    """Follows every publication at once, as Envoy does within milliseconds."""

    stamps: Stamps
    placed: dict[str, Placement] = field(default_factory=dict)
    starts: int = 1
    has_failed: bool = False

    @property
    def standing(self) -> tuple[Placement, ...]:
        """All that is served."""
        return tuple(self.placed.values())

    @property
    def live(self) -> Live:
        """What an Envoy would say."""
        splits = {(one.policy.name, one.revision): one.split for one in self.standing}
        return Live("", "", str(splits), splits)

    def served(self, placements: Sequence[Placement]) -> tuple[Placement, ...]:
        """Return which of these are served."""
        return tuple(one for one in placements if self.placed.get(one.policy.name) == one)

    def publish(
        self,
        placements: Sequence[Placement],
        *,
        newest: Callable[[], Sequence[Placement]],
        kept: Collection[str],
    ) -> Acknowledged:
        """Serve these placements from now on."""
        assert newest() is placements
        assert not kept
        self.placed = {placement.policy.name: placement for placement in placements}
        self.stamps.writing(self.live)
        self.stamps.acknowledged(self.live)
        return Acknowledged(self.live)


@dataclass(frozen=True)
class Straight:
    """The way from the controller to a node and back, without a network."""

    fleet: Fleet
    applier: Applier

    def publish(self, placements: tuple[Placement, ...], *, kept: frozenset[str] = frozenset()) -> Published:
        """Want these placements, have the node follow, and hear how it stands."""
        self.fleet.publish(placements, kept=kept)
        wanted = self.fleet.wanted
        assert wanted is not None
        if self.applier.newest is None or wanted.version != self.applier.newest.version:
            self.applier.take(read_snapshot(wanted.text()))
            self.applier.step()
        self.fleet.told(NODE, self.applier.state())
        return self.fleet.publish(placements, kept=kept)


@dataclass(frozen=True)
class Chain:
    """One node and one control plane over a folder."""

    clock: Clock
    proxy: Proxy
    ledger: SqlLedger
    counts: Counts
    reconciler: Reconciler
    readings: Readings
    lake: Path
    access_log: Path
    recorders: tuple[Recorder, Recorder]
    client: httpx.Client

    def write(self, lines: bytes) -> None:
        """Append to the access log, as Envoy does."""
        with self.access_log.open("ab") as stream:
            stream.write(lines)

    def tell(self, outcomes: Sequence[bytes]) -> None:
        """Report outcomes, as an application does."""
        for first in range(0, len(outcomes), LARGEST_BATCH):
            body = b"\n".join(outcomes[first : first + LARGEST_BATCH])
            answer = self.client.post("/v1/outcomes", content=body, headers=LINES)
            assert answer.json()["refused"] == 0, answer.text

    def record(self) -> None:
        """Have the node hand in all that it has."""
        assert all(recorder.step() for recorder in self.recorders)


@contextmanager
def built(folder: Path, policies: Sequence[Policy], *, begin_us: int) -> Iterator[Chain]:
    """Yield a chain in which a run of every policy has been started."""
    clock, numbers = Clock(begin_us), count(1)
    journal, lake = folder / "node" / "splits.journal", folder / "lake"
    spooled, access = folder / "spool" / "outcomes.log", folder / "envoy" / "access.log"
    with ExitStack() as held:
        database = Database.writer(folder / "control.db")
        held.callback(database.close)
        counts = Counts(database)
        ledger = SqlLedger(database, new_uid=lambda: f"{next(numbers):08d}", digest=digest)
        spool = Spool(spooled)
        held.callback(spool.close)
        goals = wanted(policy.metrics[0] for policy in policies)
        allowance = Allowance(1e9, 1e9, now_s=lambda: 0.0)
        door = Door(HASHING, spool, Remembered(lambda: goals, now_s=lambda: 0.0), clock.now, allowance)
        named = application_of([TOKEN], Applications())
        intake = Intake(lake, counts, now_us=clock.now)
        allowed = bearer([TOKEN])
        app = create_app([intake_router(intake, allowed), outcomes_router(door, named)])
        client = held.enter_context(
            uplink.connect(held.enter_context(serving(app)), TOKEN, timeout_s=TIMEOUT_S)
        )
        streams = (
            Stream(
                *(Kind.EXPOSURES, NODE, Log(access, reopen=lambda: None)),
                *(
                    converters.exposures(HASHING, SplitHistory(journal)),
                    lambda: EXPOSURE_LAG_US,
                    journal.parent,
                ),
            ),
            Stream(
                *(Kind.OUTCOMES, NODE, Log(spooled, reopen=spool.reopen)),
                *(converters.outcomes(), lambda: OUTCOME_LAG_US, journal.parent),
            ),
        )
        recorders = tuple(Recorder(stream, Uplink(client), now_us=clock.now) for stream in streams)
        books = Books(lake, cursors=counts.cursors, threads=1)
        readings = Readings(RecordedEvidence(counts, books, workers=Inline()))
        stamps = Stamps(Journal(journal), now_us=clock.now)
        proxy = Proxy(stamps)
        fleet = Fleet(
            marked=lambda: (), now_us=clock.now, steady_s=lambda: clock.now() / 1e6, confirmed_within_s=0.0
        )
        traffic = Straight(fleet, Applier(proxy, stamps, folder / "node" / "snapshot.json"))
        access.touch()
        for policy in policies:
            ledger.start(policy, begin_us)
        yield Chain(
            clock,
            proxy,
            ledger,
            counts,
            Reconciler(World(ledger, readings, traffic, MemoryJobs())),
            readings,
            lake,
            access,
            (recorders[0], recorders[1]),
            client,
        )
