"""The real outbox keeps its contract, and says what became of each message."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollout.domain.decision import Decision, Reason
from rollout.domain.experiment import Phase
from rollout.domain.history import Entry
from rollout.ports import Outbox
from rollout.store.database import Database
from rollout.store.deliveries import Deliveries
from rollout.store.outbox import SqlOutbox, pause_after
from tests.contracts.outbox import (
    FAILED,
    HOUR_US,
    MINUTE_US,
    TAKEN,
    TOLD,
    OutboxContract,
    Tale,
    TellingLedger,
    send_all,
)
from tests.domain.scenes import NOW_US, SECOND_US, judgement
from tests.store.test_ledger import ledger_of


@pytest.fixture
def ledger(database: Database) -> TellingLedger:
    return ledger_of(database)


@pytest.fixture
def outbox(database: Database) -> Outbox:
    return SqlOutbox(database)


class TestSqlOutbox(OutboxContract):
    @pytest.fixture
    def ledger(self, database: Database) -> TellingLedger:
        return ledger_of(database)

    @pytest.fixture
    def outbox(self, database: Database) -> Outbox:
        return SqlOutbox(database)


def test_a_pause_grows_to_ten_minutes_and_is_never_the_same_for_two() -> None:
    assert [pause_after(failures, 1.0) for failures in (1, 2, 3, 10, 1_000)] == [2.0, 4.0, 8.0, 600.0, 600.0]
    assert pause_after(3, 0.0) == 4.0


def test_deliveries_say_what_waits_what_was_sent_and_why_not(
    database: Database, ledger: TellingLedger, outbox: Outbox
) -> None:
    deliveries, tale = Deliveries(database), Tale(ledger)
    send_all(outbox, NOW_US)
    tale.decide(Reason.METRIC_HARMED, NOW_US, phase=Phase.ROLLING_BACK)
    first = outbox.claim("one", NOW_US + SECOND_US)
    assert first is not None
    outbox.settle(first, FAILED, NOW_US + SECOND_US, chance=1.0)
    second = outbox.claim("one", NOW_US + SECOND_US)
    assert second is not None
    outbox.settle(second, TAKEN, NOW_US + SECOND_US, chance=1.0)
    found = {one.receiver: one for one in deliveries.of("churn-v2", limit=2)}
    failed, sent = found[first.receiver], found[second.receiver]
    assert (failed.state, failed.tries, failed.problem) == ("pending", 1, "it answered 500")
    assert failed.next_us == NOW_US + 3 * SECOND_US
    assert (sent.state, sent.ended_us, sent.problem) == ("sent", NOW_US + SECOND_US, None)
    figures = {one.receiver: one for one in deliveries.figures(NOW_US + MINUTE_US)}
    assert (figures[first.receiver].waiting, figures[first.receiver].failures) == (1, 1)
    assert figures[second.receiver].oldest_us is None


def test_deliveries_come_in_pages_and_by_policy(database: Database, ledger: TellingLedger) -> None:
    Tale(ledger)
    Tale(ledger, replace(TOLD, name="ranker-v8", salt="ranker"))
    deliveries = Deliveries(database)
    assert [one.news.policy for one in deliveries.of()] == ["ranker-v8", "churn-v2"]
    assert [one.news.policy for one in deliveries.of("churn-v2")] == ["churn-v2"]
    (newest,) = deliveries.of(limit=1)
    assert [one.news.policy for one in deliveries.of(before=newest.number)] == ["churn-v2"]
    assert deliveries.of("nobody") == ()


def test_a_withdrawn_trouble_is_shown_as_that(database: Database, ledger: TellingLedger) -> None:
    tale = Tale(ledger)
    tale.decide(Reason.SHARED_OUTAGE, NOW_US, "p99")
    tale.decide(Reason.STEP_UNFINISHED, NOW_US + SECOND_US)
    assert [one.state for one in Deliveries(database).of()] == ["withdrawn", "pending"]


def test_two_weeks_are_kept(database: Database, ledger: TellingLedger, outbox: Outbox) -> None:
    Tale(ledger)
    send_all(outbox, NOW_US)
    outbox.tidy(NOW_US + 13 * 24 * HOUR_US)
    assert len(Deliveries(database).of()) == 1
    outbox.tidy(NOW_US + 15 * 24 * HOUR_US)
    assert Deliveries(database).of() == ()


def test_no_more_wait_than_there_is_room_for(database: Database, ledger: TellingLedger) -> None:
    tale = Tale(ledger)
    for number in range(6):
        tale.decide(Reason.STEP_PASSED, NOW_US + number)
    SqlOutbox(database, most_waiting=5).tidy(NOW_US + SECOND_US)
    assert [one.state for one in Deliveries(database).of()] == [*["pending"] * 5, *["gave-up"] * 2]


def test_a_decision_is_recorded_even_where_nobody_can_be_told_of_it(
    database: Database, ledger: TellingLedger
) -> None:
    tale = Tale(ledger)
    seen, run = tale.standing, tale.standing.experiment
    unheard_of = Decision(Reason.METRIC_HARMED, "errors", 9)
    look = Entry(1, NOW_US, unheard_of, run.phase, 0, judgement(), NOW_US, 1, run.policy)
    assert ledger.record(seen, run, look)
    assert [one.news.occasion.value for one in Deliveries(database).of()] == ["started"]
