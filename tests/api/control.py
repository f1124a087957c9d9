"""A control plane without a loop: the real routes over the real ledger, and a hand that moves runs."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from fastapi import APIRouter, FastAPI

from rollout.api.access import bearer
from rollout.api.app import create_app
from rollout.api.desk import Desk, Tools
from rollout.api.experiments import experiments_router
from rollout.api.nodes import nodes_router
from rollout.api.notifications import notifications_router
from rollout.api.readiness import readiness_router
from rollout.api.starting import StartingLedger
from rollout.client.answers import ReportFormat
from rollout.controller.sights import Sight
from rollout.domain.assignment import Placement
from rollout.domain.decision import Decision, Reason
from rollout.domain.evidence import Evidence
from rollout.domain.evolve import evolve
from rollout.domain.experiment import Experiment
from rollout.domain.history import Entry
from rollout.domain.judge import Patience, judge
from rollout.envoy.translate import refuse_impossible
from rollout.errors import Problem
from rollout.fleet.degradation import Degraded
from rollout.fleet.fleet import Fleet
from rollout.policyfile.digest import digest
from rollout.policyfile.reading import parse, read_bytes
from rollout.ports import Unread
from rollout.store.database import Database
from rollout.store.deliveries import Deliveries
from rollout.store.ledger import SqlLedger
from tests.api.serving import serving
from tests.command import ROOT
from tests.domain.scenes import NOW_US, SECOND_US, evidence

TOKEN: Final = "a-token-of-the-tests"  # noqa: S105 (it opens nothing)
POLICY: Final = (ROOT / "policies" / "churn.yaml").read_text()
START_US: Final = NOW_US - 72 * 3600 * SECOND_US


def policy(**changes: str) -> str:
    """Return the example policy with some of its words replaced."""
    text = POLICY
    for old, new in changes.items():
        word = old.replace("_", "-")
        assert word in text, word
        text = text.replace(word, new)
    return text


def render(run: Experiment, entries: tuple[Entry, ...], form: ReportFormat, troubles: tuple[str, ...]) -> str:
    """Write hardly anything, in the format asked for."""
    said = "".join(f"; {trouble}" for trouble in troubles)
    return f"{form}: {run.policy.name} with {len(entries)} entries{said}"


class Clock:
    """Time that moves when it is told to."""

    def __init__(self) -> None:
        self.now_us = START_US

    def __call__(self) -> int:
        return self.now_us


@dataclass(frozen=True)
class House:
    """A served control plane, and what stands behind it."""

    url: str
    ledger: SqlLedger
    database: Database
    clock: Clock
    changes: list[int]
    """When a person changed the ledger."""
    fleet: Fleet


@contextmanager
def house(
    folder: Path,
    *,
    is_live: Callable[[Placement], bool] = lambda _: True,
    degraded: Callable[[str, int], Sequence[Degraded]] = lambda _experiment, _revision: (),
    sight: Callable[[Experiment], Sight | None] = lambda _experiment: None,
) -> Iterator[House]:
    """Serve a control plane whose ledger is in this folder."""
    database = Database.writer(folder / "control.db")
    ledger = SqlLedger(database, new_uid=lambda: secrets.token_hex(4), digest=digest)
    clock, changes = Clock(), list[int]()
    fleet = Fleet(marked=lambda: (), now_us=clock, steady_s=lambda: clock() / 1e6, confirmed_within_s=0.0)
    try:
        told = notifications_router(Deliveries(database), bearer([TOKEN]))
        application = control(
            *(ledger, clock, changes, fleet), is_live=is_live, degraded=degraded, sight=sight, more=[told]
        )
        with serving(application) as url:
            yield House(url, ledger, database, clock, changes, fleet)
    finally:
        fleet.close()
        database.close()


def control(  # noqa: PLR0913 (each is one thing behind the doors)
    ledger: StartingLedger,
    clock: Clock,
    changes: list[int],
    fleet: Fleet,
    *,
    is_live: Callable[[Placement], bool],
    degraded: Callable[[str, int], Sequence[Degraded]] = lambda _experiment, _revision: (),
    sight: Callable[[Experiment], Sight | None] = lambda _experiment: None,
    more: Sequence[APIRouter] = (),
) -> FastAPI:
    """Return the application over a ledger; it notes the changes that people make."""
    tools = Tools(
        read=read_bytes,
        refuse_impossible=refuse_impossible,
        render=render,
        is_live=is_live,
        recorded=lambda: changes.append(clock()),
        now_us=clock,
        degraded=degraded,
        sight=sight,
    )
    allowed = bearer([TOKEN])

    def check() -> list[Problem]:
        return [one.problem for one in ledger.served() if isinstance(one, Unread)]

    routers = [
        experiments_router(Desk(ledger, tools), allowed),
        nodes_router(fleet, "ab" * 32, allowed, lost=lambda _node, _lost: None),
        readiness_router(check),
        *more,
    ]
    return create_app(routers)


def begin(ledger: StartingLedger) -> None:
    """Record a run of the example policy, as a start does."""
    ledger.start(parse(POLICY, "churn.yaml"), START_US, text=POLICY)


def look(
    ledger: StartingLedger, name: str, reason: Reason, seen: Evidence | None = None, metric: str | None = None
) -> None:
    """Record a look at real evidence and the decision that a loop would have taken from it."""
    run = next(run for run in ledger.runs() if run.experiment.policy.name == name)
    found = replace(seen or evidence(), watermark_us=NOW_US, fast_watermark_us=NOW_US)
    judgement = judge(run.experiment, found, NOW_US, Patience())
    decision = Decision(reason, metric)
    after = evolve(run.experiment, judgement, decision, NOW_US)
    number = 1 if run.last is None else run.last.number + 1
    at_us = START_US + number * SECOND_US
    entry = Entry(
        number,
        at_us,
        decision,
        after.phase,
        after.step,
        judgement,
        found.watermark_us,
        after.revision,
        after.policy,
    )
    assert ledger.record(run, after, entry)
