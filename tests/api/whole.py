"""Every route of a control plane over real parts, and a token of each role."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from fastapi import APIRouter, FastAPI

from rollout.agent.spool import Spool
from rollout.api.access import LOCAL
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
from rollout.api.readiness import readiness_router
from rollout.api.repeats import Repeats
from rollout.api.tokens import Tokens, digest_of, draw_secret, own_token, tokens_router
from rollout.api.told import Remembered
from rollout.domain.access import Role, Token
from rollout.domain.audit import Act
from rollout.envoy.translate import refuse_impossible
from rollout.errors import Problem
from rollout.fleet.fleet import Fleet
from rollout.intake.intake import Intake
from rollout.intake.rebuilding import Rebuilding
from rollout.lake.accounts.books import Books
from rollout.policyfile.digest import digest
from rollout.policyfile.reading import read_bytes
from rollout.store.access import SqlTokens
from rollout.store.counts import Counts
from rollout.store.database import Database
from rollout.store.deliveries import Deliveries
from rollout.store.kept_answers import SqlKeptAnswers
from rollout.store.ledger import SqlLedger
from rollout.wiring.figures import sources_of
from tests.api.control import Clock, begin, render
from tests.api.doomed import METRICS
from tests.api.serving import serving
from tests.lake.histories import HASHING

UNIT_KEY: Final = secrets.token_hex(32)
GROUPS: Final = frozenset({"growth-leads"})


@dataclass(frozen=True)
class Whole:
    """A served control plane, what stands behind it, and the secret of a token of each kind."""

    url: str
    app: FastAPI
    folder: Path
    database: Database
    ledger: SqlLedger
    tokens: SqlTokens
    gate: Gate
    clock: Clock
    secrets: Mapping[str, str] = field(repr=False)
    """By role, and those that open nothing: expired, revoked, malformed."""


@contextmanager
def whole(
    folder: Path, *, more: Sequence[APIRouter] = (), database: Database | None = None
) -> Iterator[Whole]:
    """Serve all that a house serves, over a folder; a run of the example policy has begun."""
    with ExitStack() as held:
        database = database or Database.writer(folder / "control.db")
        held.callback(database.close)
        clock, counts = Clock(), Counts(database)
        ledger = SqlLedger(database, new_uid=lambda: secrets.token_hex(4), digest=digest)
        tokens = SqlTokens(database)
        drawn = _drawn(tokens, clock())
        fleet = Fleet(marked=lambda: (), now_us=clock, confirmed_within_s=0.0)
        held.callback(fleet.close)
        gate, metrics = Gate(tokens, now_us=clock), Metrics()
        metrics.look_up(sources_of(database, ledger, fleet, counts))
        spool = Spool(folder / "outcomes.jsonl")
        held.callback(spool.close)
        door = Door(
            *(HASHING, spool, Remembered(lambda: METRICS, now_s=lambda: 0.0)),
            *(clock, Allowance(1e9, 1e9, now_s=lambda: 0.0)),
            told=metrics.told,
        )
        intake = Intake(folder / "lake", counts, now_us=clock)
        tools = Tools(
            *(read_bytes, refuse_impossible, render, lambda _: True, lambda: None, clock),
        )
        routers = [
            experiments_router(Desk(ledger, tools), gate),
            nodes_router(fleet, UNIT_KEY, gate, lost=lambda _node, _lost: None),
            intake_router(intake, gate, forget=fleet.forget),
            outcomes_router(door, gate.application),
            accounts_router(Rebuilding(Books(folder / "lake", cursors=counts.cursors), clock), gate),
            readiness_router(lambda: [Problem("house", "a part is away", "wait")], gate),
            audit_router(ledger, gate),
            policies_router(gate),
            metrics_router(metrics, gate),
            notifications_router(Deliveries(database), gate),
            tokens_router(Tokens(tokens, changed=gate.refresh, now_us=clock), gate),
            *more,
        ]
        app = create_app(routers, repeats=Repeats(SqlKeptAnswers(database), clock), metrics=metrics)
        begin(ledger)
        url = held.enter_context(serving(app))
        yield Whole(url, app, folder, database, ledger, tokens, gate, clock, drawn)


def act(now_us: int) -> Act:
    """Return what somebody did about a token."""
    return Act(now_us, "tests", None, None, "token", "one")


def _drawn(tokens: SqlTokens, now_us: int) -> dict[str, str]:
    """Make a token of every role, and those that open nothing any more; return their secrets."""
    drawn = {
        name: draw_secret() for name in (*(role.value for role in Role), "expired", "revoked", "malformed")
    }
    tokens.keep(own_token(LOCAL, drawn["admin"], Role.ADMIN, now_us))
    for role in Role:
        if role is not Role.ADMIN:
            groups = GROUPS if role is Role.APPROVER else frozenset[str]()
            made = Token(f"a-{role.value}", digest_of(drawn[role.value]), role, now_us, groups, "tests")
            assert tokens.create(made, act(now_us))
    ended = Token("expired", digest_of(drawn["expired"]), Role.ADMIN, now_us, expires_us=now_us)
    assert tokens.create(ended, act(now_us))
    assert tokens.create(Token("revoked", digest_of(drawn["revoked"]), Role.ADMIN, now_us), act(now_us))
    assert tokens.revoke("revoked", act(now_us)) is not None
    return drawn
