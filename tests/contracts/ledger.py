"""What every ledger keeps to, the real one and the fake alike."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import pytest

from rollout.domain.decision import Action, Decision, Reason
from rollout.domain.experiment import Experiment, Phase, Wish
from rollout.domain.history import Entry
from rollout.domain.policy import Policy
from rollout.errors import RequestRefused
from rollout.ports import Ledger, Standing
from tests.domain.examples import POLICY
from tests.domain.scenes import NOW_US, judgement


class StartingLedger(Ledger, Protocol):
    """The ledger, where runs also begin."""

    def start(self, policy: Policy, now_us: int) -> Standing:
        """Record a new run."""


def entry(number: int, reason: Reason = Reason.STEP_UNFINISHED, *, phase: Phase = Phase.RUNNING) -> Entry:
    """Return a recorded look."""
    return Entry(number, NOW_US + number, Decision(reason), phase, 0, judgement(), NOW_US)


def moved(experiment: Experiment) -> Experiment:
    """Return the run after something happened."""
    return replace(experiment, latches={**experiment.latches, "converted": 3.5})


class LedgerContract:
    """Subclasses give a new ledger to each test."""

    @pytest.fixture
    def ledger(self) -> StartingLedger:
        raise NotImplementedError

    def test_a_run_begins_at_the_first_step_and_has_a_uid_of_its_own(self, ledger: StartingLedger) -> None:
        first = ledger.start(POLICY, NOW_US)
        second = ledger.start(replace(POLICY, name="other"), NOW_US + 1)
        assert ledger.runs() == (first, second)
        run = first.experiment
        assert (run.policy, run.phase, run.step, run.revision) == (POLICY, Phase.RUNNING, 0, 1)
        assert (run.started_us, run.step_entered_us, run.fresh_us) == (NOW_US, NOW_US, NOW_US)
        assert first.last is None
        assert len({run.uid, second.experiment.uid}) == 2
        assert all(len(one.experiment.uid) == 8 for one in (first, second))
        assert ledger.history(run.uid) == ()

    def test_state_and_entry_are_recorded_together(self, ledger: StartingLedger) -> None:
        seen = ledger.start(POLICY, NOW_US)
        assert ledger.record(seen, moved(seen.experiment), entry(1))
        (now,) = ledger.runs()
        assert now == Standing(moved(seen.experiment), seen.version + 1, entry(1))
        assert ledger.record(now, now.experiment, entry(2, Reason.STEP_PASSED))
        assert ledger.history(seen.experiment.uid) == (entry(1), entry(2, Reason.STEP_PASSED))

    def test_state_alone_keeps_the_newest_entry(self, ledger: StartingLedger) -> None:
        seen = ledger.start(POLICY, NOW_US)
        assert ledger.record(seen, seen.experiment, entry(1))
        (seen,) = ledger.runs()
        wish = Wish("ann", "the model card is wrong", NOW_US)
        assert ledger.record(seen, replace(seen.experiment, rollback_wish=wish), None)
        (now,) = ledger.runs()
        assert now.experiment.rollback_wish == wish
        assert now.last == entry(1)
        assert now.version == seen.version + 1
        assert ledger.history(seen.experiment.uid) == (entry(1),)

    def test_of_two_that_saw_the_same_only_the_first_records(self, ledger: StartingLedger) -> None:
        seen = ledger.start(POLICY, NOW_US)
        assert ledger.record(seen, moved(seen.experiment), None)
        assert not ledger.record(seen, seen.experiment, entry(1))
        (now,) = ledger.runs()
        assert now.experiment == moved(seen.experiment)
        assert ledger.history(seen.experiment.uid) == ()

    def test_history_has_no_gaps(self, ledger: StartingLedger) -> None:
        seen = ledger.start(POLICY, NOW_US)
        with pytest.raises(ValueError, match="does not follow"):
            ledger.record(seen, seen.experiment, entry(2))

    def test_one_run_is_not_recorded_as_another(self, ledger: StartingLedger) -> None:
        seen = ledger.start(POLICY, NOW_US)
        with pytest.raises(ValueError, match="is not what was seen"):
            ledger.record(seen, replace(seen.experiment, uid="zzzzzzzz"), None)

    def test_a_name_starts_again_only_after_its_end(self, ledger: StartingLedger) -> None:
        seen = ledger.start(POLICY, NOW_US)
        with pytest.raises(RequestRefused, match="running"):
            ledger.start(POLICY, NOW_US + 1)
        ended = replace(seen.experiment, phase=Phase.ROLLED_BACK)
        assert ledger.record(seen, ended, entry(1, Reason.ROLLBACK_DONE, phase=Phase.ROLLED_BACK))
        again = ledger.start(POLICY, NOW_US + 2)
        assert ledger.runs() == (again,)
        assert again.experiment.uid != seen.experiment.uid
        assert again.experiment.revision == 2, "records of two runs of one name are never mixed"
        assert ledger.history(again.experiment.uid) == ()
        (kept,) = ledger.history(seen.experiment.uid)
        assert kept.decision.action is Action.SETTLE

    def test_what_is_handed_out_does_not_change_later(self, ledger: StartingLedger) -> None:
        seen = ledger.start(POLICY, NOW_US)
        before = ledger.runs()
        assert ledger.record(seen, moved(seen.experiment), entry(1))
        assert before == (seen,)
