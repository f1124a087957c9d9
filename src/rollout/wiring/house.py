"""A whole house in one process, on one machine: control plane, controller and one node."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from rollout.agent.names import Names
from rollout.agent.spool import Spool
from rollout.agent.terms import Terms
from rollout.agent.uplink import connect
from rollout.api.access import application_of, bearer
from rollout.api.accounts import accounts_router
from rollout.api.allowance import Allowance
from rollout.api.app import create_app
from rollout.api.applications import Applications
from rollout.api.desk import Desk, Tools
from rollout.api.experiments import experiments_router, readiness_router
from rollout.api.intake import intake_router
from rollout.api.nodes import nodes_router
from rollout.api.outcomes import Door, outcomes_router
from rollout.api.told import Remembered, Wanted, wanted
from rollout.client.nodes import LossState
from rollout.client.plane import Plane
from rollout.commands.jobs import LocalCommands
from rollout.controller.loop import Loop
from rollout.controller.reconcile import Passing, Reconciler, World, pass_by
from rollout.controller.sights import Sight, Sights
from rollout.controller.sources import BothSources
from rollout.domain.assignment import Placement
from rollout.domain.experiment import ENDED, Experiment
from rollout.domain.judge import Patience, judge
from rollout.domain.records import Run
from rollout.envoy.bootstrap import Address
from rollout.envoy.translate import refuse_impossible
from rollout.envoy.upstreams import unknown_names
from rollout.errors import Problem, ProxyFailed, WrongTraffic
from rollout.fleet.fleet import Fleet
from rollout.intake.evidence import RecordedEvidence
from rollout.intake.intake import Intake
from rollout.intake.polled import PolledEvidence
from rollout.intake.rebuilding import Rebuilding
from rollout.intake.retiring import Retiring
from rollout.lake.accounts.books import Books
from rollout.lake.compact import Compactor
from rollout.lake.expiry import Retention, oldest_needed_us
from rollout.lake.units import UnitHash
from rollout.policyfile.digest import digest
from rollout.policyfile.reading import read_bytes
from rollout.ports import EvidenceSource, Ledger, Unread
from rollout.prometheus.client import Prometheus
from rollout.prometheus.server import Server, unset_address
from rollout.render.pages import page
from rollout.store.counts import Counts
from rollout.store.database import Database
from rollout.store.ledger import SqlLedger
from rollout.store.losses import Lost
from rollout.wiring.node import NodePlace, joined, open_node
from rollout.wiring.parts import STOPS_WITHIN_S, keep_private, now_us, run, secret, serve

NODE: Final = "local"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a house keeps its state, and where it listens: on this machine only."""

    folder: Path
    proxy: Address
    control: Address
    patience: Patience

    @property
    def control_url(self) -> str:
        """The address of the control plane."""
        return f"http://{self.control.host}:{self.control.port}"

    @property
    def token_file(self) -> Path:
        """The file with the token that every caller shows."""
        return self.folder / "token"


@contextmanager
def open_house(  # noqa: PLR0913 (each is one thing that a house is given)
    folder: Path,
    *,
    proxy_port: int,
    control_port: int,
    patience: Patience,
    passing: Passing = pass_by,
    terms: Terms | None = None,
) -> Iterator[None]:
    """Run proxy, recorders, intake, API and controller in this process until the block ends."""
    terms = terms or Terms()
    applications = Applications(terms.reporting.tokens_file)
    place = Place(folder, Address(proxy_port), Address(control_port), patience)
    keep_private(folder)
    token, unit_key = secret(place.token_file), secret(folder / "unit.key")
    hashing = UnitHash(bytes.fromhex(unit_key))
    node_place = NodePlace(NODE, folder, place.proxy)
    names = Names(terms.named, node_place.envoy)
    with ExitStack() as held:
        database = Database.writer(folder / "control.db")
        held.callback(database.close)
        counts, ledger = (
            Counts(database, rows=terms.keeping.counted_rows),
            SqlLedger(database, new_uid=_uid, digest=digest),
        )
        fleet = Fleet(marked=lambda: (mark.node for mark in counts.nodes()), now_us=now_us)
        spool = Spool(node_place.outcomes_file)
        held.callback(spool.close)
        memory = terms.keeping.accounts_memory
        books = Books(_lake_folder(place), cursors=counts.cursors, memory=memory)
        recorded = RecordedEvidence(counts, books, patience=patience)
        held.callback(recorded.finish, STOPS_WITHIN_S)
        polled = PolledEvidence(None if terms.metrics is None else Prometheus(terms.metrics))
        held.callback(polled.finish, STOPS_WITHIN_S)
        evidence, sights = BothSources(recorded, polled), Sights()
        loop = _loop(place, ledger, evidence, fleet, passing=passing, sights=sights)
        allowance = Allowance(terms.reporting.per_s, terms.reporting.burst, now_s=time.monotonic)
        asked = Remembered(partial(_wanted, ledger), now_s=time.monotonic)
        door = Door(hashing, spool, asked, now_us, allowance)
        intake = Intake(_lake_folder(place), counts, now_us=now_us, failing=loop.hurry)
        allowed = bearer([token])
        refuse = partial(refuse_unservable, names, terms.metrics)
        desk = _desk(ledger, loop, fleet, refuse, partial(_sight, sights, evidence, patience))
        application = create_app(
            [
                experiments_router(desk, allowed),
                nodes_router(fleet, unit_key, allowed, lost=partial(_note_losses, counts)),
                intake_router(intake, allowed, forget=fleet.forget),
                outcomes_router(door, application_of([token], applications)),
                accounts_router(Rebuilding(books, now_us), allowed),
                readiness_router(partial(_check, ledger, fleet)),
            ]
        )
        serve(held, place.control, application, option="--control-port")
        held.callback(fleet.close)
        client = held.enter_context(connect(place.control_url, token))
        plane = Plane(place.control_url, token, node=NODE)
        node = held.enter_context(
            open_node(
                node_place,
                hashing=UnitHash(plane.unit_key()),
                spool=spool,
                intake=client,
                signs_off=False,
                keeping=terms.keeping,
                names=names,
            )
        )
        held.enter_context(joined(node, plane))
        retention = Retention(
            terms.keeping, lambda: oldest_needed_us(ledger.served()), partial(_sum_up, ledger, recorded)
        )
        compactor = Compactor(_lake_folder(place), counts.cursors, now_s=time.time, retention=retention)
        ending = threading.Event()
        run(held, "compactor", partial(compactor.run, ending), ending.set)
        retiring = Retiring(counts, ledger.served, now_us=now_us)
        run(held, "retiring", partial(retiring.run, ending), ending.set)
        run(held, "controller", loop.run, loop.stop)
        yield


def _loop(  # noqa: PLR0913 (each is one part of the house)
    place: Place, ledger: Ledger, evidence: EvidenceSource, fleet: Fleet, *, passing: Passing, sights: Sights
) -> Loop:
    jobs = LocalCommands(place.folder / "jobs", working_folder=Path.cwd())
    world = World(ledger, evidence, fleet, jobs)
    reconciler = Reconciler(world, patience=place.patience, passing=passing, sights=sights)
    return Loop(ledger, reconciler.tick)


def _sight(sights: Sights, evidence: EvidenceSource, patience: Patience, experiment: Experiment) -> Sight:
    """Return the loop's newest look at a run; of one that it looks at no more, what is known now."""
    known = sights.of(experiment)
    if known is not None:
        return known
    at_us = now_us()
    observed = evidence.observe(experiment, at_us).evidence
    return Sight(at_us, experiment, observed, judge(experiment, observed, at_us, patience))


def _desk(
    ledger: SqlLedger,
    loop: Loop,
    fleet: Fleet,
    refuse: Callable[[Sequence[Placement]], None],
    sight: Callable[[Experiment], Sight],
) -> Desk:
    tools = Tools(
        read=read_bytes,
        refuse_impossible=refuse,
        render=page,
        is_live=fleet.serves,
        recorded=loop.wake,
        now_us=now_us,
        degraded=fleet.degraded,
        sight=sight,
    )
    return Desk(ledger, tools)


def refuse_unservable(names: Names, metrics: Server | None, placements: Sequence[Placement]) -> None:
    """Raise for what no proxy can do, and for a new policy that needs what this machine does not know."""
    refuse_impossible(placements)
    policy = placements[-1].policy
    unknown = (*unknown_names(policy, names.upstreams), *unset_address(policy, metrics))
    if unknown:
        raise WrongTraffic(*unknown)


def _check(ledger: Ledger, fleet: Fleet) -> Sequence[Problem]:
    """Return which runs cannot be read; raise when none can, or when this machine's Envoy stays down."""
    unread = [one.problem for one in ledger.served() if isinstance(one, Unread)]
    own = next((seen.state for seen, _, _ in fleet.nodes() if seen.name == NODE), None)
    if own is None or own.envoy_has_failed:
        raise ProxyFailed(Problem("Envoy", "it does not stay up", "see envoy.log in the proxy's folder"))
    return unread


def _note_losses(counts: Counts, node: str, losses: tuple[LossState, ...]) -> None:
    """Keep what a node said that it lost: nothing may be proven by the rest."""
    found = (
        Lost(
            None if one.experiment is None else Run(one.experiment, one.revision or 0),
            *(one.kind, one.rows, one.to_us),
        )
        for one in losses
    )
    counts.note_losses(node, found, now_us())


def _sum_up(ledger: Ledger, evidence: RecordedEvidence, horizon_us: int) -> bool:
    """Have no running experiment need requests before a horizon; false while one cannot be read."""
    running = []
    for one in ledger.served():
        if isinstance(one, Unread):
            return False
        if one.experiment.phase not in ENDED:
            running.append(one.experiment)
    return evidence.sum_up(running, horizon_us, now_us())


def _wanted(ledger: SqlLedger) -> Wanted:
    """Return the outcomes that some run's policy asks for."""
    return wanted(metric for run in ledger.runs() for metric in run.experiment.policy.metrics)


def _uid() -> str:
    return secrets.token_hex(4)


def _lake_folder(place: Place) -> Path:
    return place.folder / "lake"
