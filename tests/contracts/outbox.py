"""What every outbox keeps to: each message once to each receiver, whoever sends, whatever breaks."""

from __future__ import annotations

from dataclasses import replace
from typing import Final, Protocol

import pytest

from rollout.domain.decision import Decision, Reason
from rollout.domain.experiment import Experiment, Phase
from rollout.domain.history import Entry
from rollout.domain.policy import Event, Notice, Policy
from rollout.ports import Delivered, Ledger, Outbox, Parcel, Standing
from tests.domain.examples import POLICY
from tests.domain.scenes import NOW_US, SECOND_US, judgement

MINUTE_US: Final = 60 * SECOND_US
HOUR_US: Final = 60 * MINUTE_US
TOLD: Final = replace(
    POLICY, notify=(Notice("ml", (Event.DECISION,)), Notice("ops", (Event.ROLLBACK, Event.PAUSED)))
)
TAKEN: Final = Delivered(is_taken=True)
FAILED: Final = Delivered(is_taken=False, why="it answered 500")


class TellingLedger(Ledger, Protocol):
    """The ledger whose decisions are told."""

    def start(self, policy: Policy, now_us: int) -> Standing:
        """Record a new run."""

    def revise(self, seen: Standing, experiment: Experiment, now_us: int) -> bool:
        """Record a run under a changed policy."""


class Tale:
    """A run whose decisions are recorded one after another."""

    def __init__(self, ledger: TellingLedger, policy: Policy = TOLD, at_us: int = NOW_US) -> None:
        self.ledger = ledger
        self.standing = ledger.start(policy, at_us)

    def decide(self, reason: Reason, at_us: int, metric: str | None = None, **changes: object) -> None:
        """Record a decision."""
        seen = self.standing
        after: Experiment = replace(seen.experiment, fresh_us=at_us, **changes)  # type: ignore[arg-type]
        number = 1 if seen.last is None else seen.last.number + 1
        decision = Decision(reason, metric)
        look = Entry(
            number, at_us, decision, after.phase, 0, judgement(), at_us, after.revision, after.policy
        )
        assert self.ledger.record(seen, after, look)
        self.standing = Standing(after, seen.version + 1, look)


def send_all(outbox: Outbox, at_us: int, *, holder: str = "one") -> list[Parcel]:
    """Send whatever is due, and return it."""
    sent = []
    while (parcel := outbox.claim(holder, at_us)) is not None:
        outbox.settle(parcel, TAKEN, at_us, chance=0.5)
        sent.append(parcel)
    return sent


def told(parcels: list[Parcel], receiver: str) -> list[Reason | str]:
    """Return what a receiver was told, in order."""
    return [
        news.occasion.value if news.reason is None else news.reason
        for parcel in parcels
        if parcel.receiver == receiver
        for news in parcel.letter.news
    ]


class OutboxContract:
    """Subclasses give a ledger and its outbox to each test."""

    @pytest.fixture
    def ledger(self) -> TellingLedger:
        raise NotImplementedError

    @pytest.fixture
    def outbox(self) -> Outbox:
        raise NotImplementedError

    def test_nothing_happened_so_nothing_is_due(self, outbox: Outbox) -> None:
        assert outbox.claim("one", NOW_US) is None

    def test_a_policy_that_names_nobody_tells_nobody(self, ledger: TellingLedger, outbox: Outbox) -> None:
        Tale(ledger, POLICY).decide(Reason.METRIC_HARMED, NOW_US, phase=Phase.ROLLING_BACK)
        assert outbox.claim("one", NOW_US) is None

    def test_each_receiver_is_told_what_it_asked_for_once(
        self, ledger: TellingLedger, outbox: Outbox
    ) -> None:
        tale = Tale(ledger)
        tale.decide(Reason.STEP_PASSED, NOW_US + 1)
        tale.decide(Reason.METRIC_HARMED, NOW_US + 2, phase=Phase.ROLLING_BACK)
        sent = send_all(outbox, NOW_US + SECOND_US)
        assert told(sent, "ml") == ["started", Reason.STEP_PASSED, Reason.METRIC_HARMED]
        assert told(sent, "ops") == [Reason.METRIC_HARMED]
        assert send_all(outbox, NOW_US + HOUR_US) == []

    def test_what_a_run_waits_for_as_planned_is_told_to_nobody(
        self, ledger: TellingLedger, outbox: Outbox
    ) -> None:
        tale = Tale(ledger)
        send_all(outbox, NOW_US)
        for number, reason in enumerate((Reason.STEP_UNFINISHED, Reason.GOAL_UNPROVEN, Reason.PAUSED)):
            tale.decide(reason, NOW_US + number)
        assert send_all(outbox, NOW_US + HOUR_US) == []

    def test_a_burst_is_one_letter(self, ledger: TellingLedger, outbox: Outbox) -> None:
        tale = Tale(ledger)
        for number in range(7):
            tale.decide(Reason.STEP_PASSED, NOW_US + number)
        (letter,) = [parcel.letter for parcel in send_all(outbox, NOW_US + SECOND_US)]
        assert len(letter.news) == 8
        assert letter.id == f"{tale.standing.experiment.uid}.1.ml"

    def test_nobody_else_sends_what_is_being_sent(self, ledger: TellingLedger, outbox: Outbox) -> None:
        Tale(ledger)
        assert outbox.claim("one", NOW_US) is not None
        assert outbox.claim("two", NOW_US) is None
        assert outbox.claim("one", NOW_US) is None

    def test_after_a_crash_the_same_letter_goes_out_and_later_news_in_another(
        self, ledger: TellingLedger, outbox: Outbox
    ) -> None:
        tale = Tale(ledger)
        lost = outbox.claim("one", NOW_US)
        tale.decide(Reason.STEP_PASSED, NOW_US + 1)
        assert outbox.claim("two", NOW_US + SECOND_US) is None
        sent = send_all(outbox, NOW_US + 10 * MINUTE_US, holder="two")
        assert lost is not None
        assert next(parcel.letter for parcel in sent) == lost.letter
        assert told(sent, "ml") == ["started", Reason.STEP_PASSED]

    def test_what_failed_is_tried_again_later_and_later(self, ledger: TellingLedger, outbox: Outbox) -> None:
        Tale(ledger)
        at_us, pauses = NOW_US, []
        for tries in range(5):
            parcel = outbox.claim("one", at_us)
            assert parcel is not None
            assert parcel.tries == tries
            outbox.settle(parcel, FAILED, at_us, chance=1.0)
            begun_us = at_us
            while outbox.claim("probe", at_us) is None and at_us < begun_us + HOUR_US:
                at_us += SECOND_US
            pauses.append((at_us - begun_us) // SECOND_US)
            at_us += 2 * MINUTE_US  # what the probe claimed is free again
        assert pauses == [2, 4, 8, 16, 32]

    def test_a_receiver_that_asks_for_a_pause_gets_it(self, ledger: TellingLedger, outbox: Outbox) -> None:
        Tale(ledger)
        parcel = outbox.claim("one", NOW_US)
        assert parcel is not None
        outbox.settle(parcel, replace(FAILED, retry_after_s=120.0), NOW_US, chance=0.0)
        assert outbox.claim("one", NOW_US + 2 * MINUTE_US - 1) is None
        assert outbox.claim("one", NOW_US + 2 * MINUTE_US) is not None

    def test_a_letter_that_is_never_taken_is_given_up_and_holds_up_no_other(
        self, ledger: TellingLedger, outbox: Outbox
    ) -> None:
        tale = Tale(ledger)
        at_us, tries = NOW_US, 0
        poisoned = f"{tale.standing.experiment.uid}.1.ml"
        while (parcel := outbox.claim("one", at_us)) is not None:
            assert parcel.letter.id == poisoned
            outbox.settle(parcel, FAILED, at_us, chance=1.0)
            at_us, tries = at_us + 20 * MINUTE_US, tries + 1
            if tries == 2:
                tale.decide(Reason.STEP_PASSED, at_us)
                sent = outbox.claim("one", at_us)
                assert sent is not None
                assert told([sent], "ml") == [Reason.STEP_PASSED]
                outbox.settle(sent, TAKEN, at_us, chance=1.0)
                at_us += MINUTE_US
        assert tries == 20

    def test_what_a_day_could_not_be_told_is_given_up(self, ledger: TellingLedger, outbox: Outbox) -> None:
        Tale(ledger)
        outbox.tidy(NOW_US + 25 * HOUR_US)
        assert outbox.claim("one", NOW_US + 25 * HOUR_US) is None

    def test_a_receiver_is_sent_to_at_its_pace(self, ledger: TellingLedger, outbox: Outbox) -> None:
        tale, letters = Tale(ledger), 0
        for second in range(120):
            tale.decide(Reason.STEP_PASSED, NOW_US + second * SECOND_US)
            letters += len(send_all(outbox, NOW_US + second * SECOND_US))
        # Two at once, then one in six seconds: ten a minute.
        assert 20 <= letters <= 23

    def test_a_trouble_that_passes_at_once_is_told_to_nobody(
        self, ledger: TellingLedger, outbox: Outbox
    ) -> None:
        tale = Tale(ledger)
        send_all(outbox, NOW_US)
        tale.decide(Reason.EVIDENCE_MISSING, NOW_US, "converted")
        assert send_all(outbox, NOW_US + 59 * SECOND_US) == []
        tale.decide(Reason.STEP_UNFINISHED, NOW_US + 59 * SECOND_US)
        assert send_all(outbox, NOW_US + HOUR_US) == []

    def test_a_trouble_is_told_once_however_often_it_is_recorded(
        self, ledger: TellingLedger, outbox: Outbox
    ) -> None:
        tale = Tale(ledger)
        send_all(outbox, NOW_US)
        for minute in range(30):
            tale.decide(Reason.EVIDENCE_MISSING, NOW_US + minute * MINUTE_US, "converted")
        sent = send_all(outbox, NOW_US + HOUR_US)
        assert told(sent, "ml") == [Reason.EVIDENCE_MISSING]

    def test_a_trouble_that_comes_and_goes_is_one_and_after_a_recovery_it_is_told_again(
        self, ledger: TellingLedger, outbox: Outbox
    ) -> None:
        tale, at_us = Tale(ledger), NOW_US
        found: list[Parcel] = []
        for _ in range(10):
            tale.decide(Reason.EVIDENCE_MISSING, at_us, "converted")
            found += send_all(outbox, at_us + 5 * MINUTE_US)
            tale.decide(Reason.STEP_UNFINISHED, at_us + 5 * MINUTE_US)
            at_us += 10 * MINUTE_US
        assert told(found, "ml") == ["started", Reason.EVIDENCE_MISSING]
        tale.decide(Reason.EVIDENCE_MISSING, at_us + 20 * MINUTE_US, "converted")
        assert told(send_all(outbox, at_us + 22 * MINUTE_US), "ml") == [Reason.EVIDENCE_MISSING]

    def test_two_troubles_are_two(self, ledger: TellingLedger, outbox: Outbox) -> None:
        tale = Tale(ledger)
        tale.decide(Reason.EVIDENCE_MISSING, NOW_US, "converted")
        send_all(outbox, NOW_US + 2 * MINUTE_US)
        tale.decide(Reason.EVIDENCE_MISSING, NOW_US + 3 * MINUTE_US, "errors")
        assert told(send_all(outbox, NOW_US + 5 * MINUTE_US), "ml") == [Reason.EVIDENCE_MISSING]

    def test_a_clock_that_was_set_back_keeps_nobody_waiting(
        self, ledger: TellingLedger, outbox: Outbox
    ) -> None:
        tale = Tale(ledger, at_us=NOW_US + 9_000 * HOUR_US)
        send_all(outbox, NOW_US + 9_000 * HOUR_US)
        assert outbox.claim("one", NOW_US) is None
        tale.decide(Reason.METRIC_HARMED, NOW_US, phase=Phase.ROLLING_BACK)
        assert told(send_all(outbox, NOW_US), "ops") == [Reason.METRIC_HARMED]
        assert outbox.claim("one", NOW_US) is None

    def test_what_was_not_recorded_is_told_to_nobody(self, ledger: TellingLedger, outbox: Outbox) -> None:
        tale = Tale(ledger)
        stale = tale.standing
        tale.decide(Reason.STEP_PASSED, NOW_US)
        send_all(outbox, NOW_US)
        look = Entry(1, NOW_US, Decision(Reason.METRIC_HARMED), Phase.RUNNING, 0, judgement(), None, 1, TOLD)
        assert not ledger.record(stale, stale.experiment, look)
        assert send_all(outbox, NOW_US + HOUR_US) == []
