"""Whom a control plane told of what, over HTTP: in pages, by experiment, and without a secret."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rollout.api.access import bearer
from rollout.api.app import create_app
from rollout.api.notifications import notifications_router
from rollout.client.connection import Connection
from rollout.client.control_plane import ControlPlane
from rollout.domain.decision import Reason
from rollout.errors import RequestRefused
from rollout.store.database import Database
from rollout.store.deliveries import Deliveries
from rollout.store.outbox import SqlOutbox
from tests.api.serving import TOKEN, serving
from tests.contracts.outbox import FAILED, TAKEN, TOLD, Tale
from tests.domain.scenes import NOW_US, SECOND_US
from tests.store.test_ledger import ledger_of


def test_messages_are_read_by_experiment_and_in_pages(tmp_path: Path) -> None:
    database = Database.writer(tmp_path / "control.db")
    ledger = ledger_of(database)
    outbox, tale = SqlOutbox(database), Tale(ledger)
    Tale(ledger, replace(TOLD, name="ranker-v8", salt="ranker"))
    for seconds, delivered in enumerate((TAKEN, FAILED)):
        parcel = outbox.claim("one", NOW_US + seconds * SECOND_US)
        assert parcel is not None
        outbox.settle(parcel, delivered, NOW_US + seconds * SECOND_US, chance=1.0)
        tale.decide(Reason.METRIC_HARMED, NOW_US + SECOND_US)
    app = create_app([notifications_router(Deliveries(database), bearer([TOKEN]))])
    with serving(app) as url, ControlPlane(Connection(url, token=TOKEN)) as control:
        everything = list(control.notifications(page_size=2))
        own = list(control.notifications("churn-v2"))
        with pytest.raises(RequestRefused):
            list(control.notifications(page_size=0))
    database.close()
    assert [one.number for one in everything] == sorted((one.number for one in everything), reverse=True)
    assert {one.experiment for one in everything} == {"churn-v2", "ranker-v8"}
    assert own == [one for one in everything if one.experiment == "churn-v2"]
    first = own[-1]
    assert (first.title, first.state, first.receiver, first.decision) == (
        "churn-v2: started",
        "sent",
        "ml",
        None,
    )
    failed = [one for one in everything if one.problem is not None]
    assert {(one.state, one.tries, one.problem) for one in failed} == {("pending", 1, "it answered 500")}
    assert all(one.next_at is not None for one in failed)
