"""A control plane: everything that decides and writes, as long as this process leads."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from pathlib import Path

from fastapi import APIRouter, FastAPI

from rollout.agent.spool import Spool
from rollout.agent.terms import Terms
from rollout.api.accounts import accounts_router
from rollout.api.allowance import Allowance
from rollout.api.app import create_app
from rollout.api.audit import audit_router
from rollout.api.desk import Desk, Tools
from rollout.api.experiments import experiments_router
from rollout.api.gate import Gate
from rollout.api.intake import intake_router
from rollout.api.metrics import Metrics, metrics_router
from rollout.api.nodes import nodes_router
from rollout.api.notifications import notifications_router
from rollout.api.outcomes import Door, outcomes_router
from rollout.api.policies import policies_router
from rollout.api.problems import Refusal
from rollout.api.readiness import readiness_router
from rollout.api.repeats import Repeats
from rollout.api.tls import Tls
from rollout.api.tokens import Tokens, tokens_router
from rollout.api.told import Remembered
from rollout.client.addresses import Addresses, Trust
from rollout.client.nodes import LossState
from rollout.commands.jobs import LocalCommands
from rollout.controller.loop import Loop
from rollout.controller.reconcile import Passing, Reconciler, World
from rollout.controller.sights import Sight, Sights
from rollout.domain.assignment import Placement
from rollout.domain.experiment import Experiment
from rollout.domain.judge import Patience
from rollout.domain.records import Run
from rollout.envoy.bootstrap import Address
from rollout.errors import Problem, ProxyFailed
from rollout.fleet.fleet import Fleet
from rollout.intake.intake import Intake
from rollout.intake.rebuilding import Rebuilding
from rollout.lake.accounts.books import Books
from rollout.lake.units import UnitHash
from rollout.notify.receivers import Receivers
from rollout.policyfile.digest import digest
from rollout.policyfile.reading import read_bytes
from rollout.ports import Ledger, Unread
from rollout.render.pages import page
from rollout.store.access import SqlTokens
from rollout.store.counts import Counts
from rollout.store.deliveries import Deliveries
from rollout.store.kept_answers import SqlKeptAnswers
from rollout.store.ledger import SqlLedger
from rollout.store.losses import Lost
from rollout.wiring.caretakers import run_caretakers
from rollout.wiring.figures import sources_of
from rollout.wiring.front import Front
from rollout.wiring.gate import Secrets, open_gate
from rollout.wiring.leading import Candidate, Leading, Mandate
from rollout.wiring.parts import now_us, run, secret, serve, token_in
from rollout.wiring.post import open_post
from rollout.wiring.sources import open_sources, sight_of, wanted_by

Refuse = Callable[[Sequence[Placement]], None]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a control plane keeps its state, and where it listens.

    All that share a database share these folders: the lake, the actions under way, the token, the key.
    """

    folder: Path
    lake: Path
    listen: Address
    told: str | None = None
    """The address that others are told, where it is not the one that is listened on."""

    tls: Tls | None = None

    @property
    def url(self) -> str:
        """The address of the control plane."""
        scheme = "http" if self.tls is None else "https"
        return self.told or f"{scheme}://{self.listen.host}:{self.listen.port}"

    @property
    def own_addresses(self) -> Addresses:
        """The same for the node in the same process: the certificate that is served is known to it."""
        trust = None if self.tls is None else Trust(self.tls.certificate_file, is_own=True)
        return Addresses([self.url], trust)

    @property
    def token_file(self) -> Path:
        """The file with the token that every caller shows."""
        return self.folder / "token"


@dataclass(frozen=True, slots=True)
class Own:
    """The node in the same process: its name, and where it keeps outcomes."""

    name: str
    spool: Spool


@dataclass(frozen=True, slots=True)
class Given:
    """What a control plane is told from outside."""

    patience: Patience
    terms: Terms
    passing: Passing
    refuse: Refuse
    """Raises for placements that cannot be served, the last one being new."""
    own: Own | None = None


@dataclass(frozen=True, slots=True)
class Control:
    """A control plane that runs, whether it leads or not."""

    node_token: str
    """What the node in the same process shows; it stands in no file."""
    leads: bool
    """Whether it leads from the beginning."""


@contextmanager
def open_control(place: Place, candidate: Candidate, given: Given, *, option: str) -> Iterator[Control]:
    """Run a control plane until the block ends; `option` is what chooses its port."""
    own = Secrets(token_in(place.token_file), secret(place.folder / "unit.key"))
    front = Front(place.url, candidate.leader)
    receivers = Receivers(given.terms.post.receivers_file)  # a file that cannot be understood is refused now
    parts = partial(_parts, place, given, own, receivers)
    leading = Leading(candidate, parts, front)
    with ExitStack() as held:
        serve(held, place.listen, front, option=option, tls=place.tls)
        leads = leading.begin()
        run(held, "leadership", leading.run, leading.stop)
        yield Control(own.node_token, leads)


@contextmanager
def _parts(
    place: Place, given: Given, own: Secrets, receivers: Receivers, mandate: Mandate
) -> Iterator[FastAPI]:
    """Run all that writes, as it stands in database and lake, and yield what answers for it."""
    terms, database, lake = given.terms, mandate.database, place.lake
    with ExitStack() as held:
        counts = Counts(database, rows=terms.keeping.counted_rows)
        ledger = SqlLedger(database, new_uid=new_uid, digest=digest)
        fleet = Fleet(marked=lambda: (mark.node for mark in counts.nodes()), now_us=now_us, term=mandate.term)
        held.callback(fleet.close)
        books = Books(lake, cursors=counts.cursors, memory=terms.keeping.accounts_memory)
        sources, sights = open_sources(held, terms, counts, books, given.patience), Sights()
        jobs = LocalCommands(place.folder / "jobs", working_folder=Path.cwd())
        world = World(ledger, sources.all, fleet, jobs)
        reconciler = Reconciler(world, patience=given.patience, passing=given.passing, sights=sights)
        spool = None if given.own is None else given.own.spool
        metrics = Metrics()
        loop = Loop(ledger, metrics.noting(reconciler.tick))
        intake = Intake(lake, counts, now_us=now_us, failing=loop.hurry, term=mandate.term)
        metrics.look_up(
            sources_of(database, ledger, fleet, counts, loop=loop.figures, intake=intake.figures, spool=spool)
        )
        sight = partial(sight_of, sights, sources.all, given.patience)
        refuse = open_post(held, receivers, terms.post.public_url, database, given.refuse)
        desk = _desk(ledger, loop, fleet, refuse, sight)
        tokens = SqlTokens(database)
        allowed = open_gate(held, tokens, own, terms.reporting.tokens_file, open_metrics=terms.open_metrics)
        application = create_app(
            [
                experiments_router(desk, allowed),
                nodes_router(fleet, own.unit_key, allowed, lost=partial(_note_losses, counts)),
                intake_router(intake, allowed, forget=fleet.forget),
                *_doors(given, allowed, own.unit_key, ledger, metrics),
                accounts_router(Rebuilding(books, now_us), allowed),
                audit_router(ledger, allowed),
                policies_router(allowed),
                metrics_router(metrics, allowed),
                notifications_router(Deliveries(database), allowed),
                readiness_router(partial(_check, ledger, fleet, given.own), allowed),
                tokens_router(Tokens(tokens, changed=allowed.refresh, now_us=now_us), allowed),
            ],
            repeats=Repeats(SqlKeptAnswers(database), now_us),
            metrics=metrics,
        )
        run_caretakers(held, lake, terms.keeping, counts, ledger, sources.recorded, mandate)
        run(held, "controller", loop.run, loop.stop)
        yield application


def _doors(given: Given, gate: Gate, unit_key: str, ledger: SqlLedger, metrics: Metrics) -> list[APIRouter]:
    """Return the door for outcomes, where there is a node that keeps them."""
    if given.own is None:
        return [_elsewhere()]
    reporting = given.terms.reporting
    allowance = Allowance(reporting.per_s, reporting.burst, now_s=time.monotonic)
    asked = Remembered(partial(wanted_by, ledger), now_s=time.monotonic)
    hashing = UnitHash(bytes.fromhex(unit_key))
    door = Door(hashing, given.own.spool, asked, now_us, allowance, told=metrics.told)
    return [outcomes_router(door, gate.application)]


def _elsewhere() -> APIRouter:
    """Return what says where outcomes are told, where no node keeps them."""
    router = APIRouter()

    @router.post("/v1/outcomes", include_in_schema=False)
    async def refuse() -> None:
        what, remedy = "a control plane keeps no outcomes", "tell them to a proxy, at its --agent-port"
        raise Refusal(HTTPStatus.NOT_FOUND, Problem("/v1/outcomes", what, remedy))

    return router


def _desk(
    ledger: SqlLedger, loop: Loop, fleet: Fleet, refuse: Refuse, sight: Callable[[Experiment], Sight]
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


def _check(ledger: Ledger, fleet: Fleet, own: Own | None) -> Sequence[Problem]:
    """Return which runs cannot be read; raise when none can, or when the own Envoy stays down."""
    unread = [one.problem for one in ledger.served() if isinstance(one, Unread)]
    if own is not None:
        state = next((seen.state for seen, _, _ in fleet.nodes() if seen.name == own.name), None)
        if state is None or state.envoy_has_failed:
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


def new_uid() -> str:
    """Draw what tells a run from every other one."""
    return secrets.token_hex(4)
