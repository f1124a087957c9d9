"""What every ledger keeps to, the real one and the fake alike."""

from __future__ import annotations

import math
from dataclasses import fields, replace
from typing import Protocol

import pytest

from rollout.domain.buckets import Range
from rollout.domain.decision import Action, Decision, Reason
from rollout.domain.experiment import Experiment, Phase
from rollout.domain.history import Entry
from rollout.domain.policy import Policy
from rollout.domain.revise import revise
from rollout.domain.verdict import Finding, MirrorVerdict, Verdict
from rollout.domain.wish import Approval, Asked, Wish
from rollout.errors import RequestRefused
from rollout.ports import Ledger, Standing
from tests.domain.examples import POLICY
from tests.domain.scenes import EXPERIMENT, NOW_US, judgement


class StartingLedger(Ledger, Protocol):
    """The ledger, where runs also begin, and where people look things up."""

    def runs(self) -> tuple[Standing, ...]:
        """Return every run that can be read."""

    def history(self, uid: str) -> tuple[Entry, ...]:
        """Return a run's entries, the oldest first."""

    def start(self, policy: Policy, now_us: int) -> Standing:
        """Record a new run."""

    def revise(self, seen: Standing, experiment: Experiment, now_us: int) -> bool:
        """Record a run under a changed policy, if it still stands as seen; return whether."""


def entry(number: int, reason: Reason = Reason.STEP_UNFINISHED, *, phase: Phase = Phase.RUNNING) -> Entry:
    """Return a recorded look."""
    return Entry(number, NOW_US + number, Decision(reason), phase, 0, judgement(), NOW_US, 1, POLICY)


def resting_on(experiment: Experiment, look: Entry) -> Entry:
    """Return a look at a run under its present policy."""
    return replace(look, revision=experiment.revision, policy=experiment.policy)


def moved(experiment: Experiment) -> Experiment:
    """Return the run after something happened."""
    return replace(experiment, latches={**experiment.latches, "converted": 3.5})


def full(experiment: Experiment) -> Experiment:
    """Return the run with every field unlike that of a new one."""
    return replace(
        experiment,
        phase=Phase.ACTION_FAILED,
        step=1,
        started_us=NOW_US - 9,
        step_entered_us=NOW_US - 8,
        fresh_us=NOW_US - 7,
        rollback_failed=True,
        was_late=True,
        rollback_wish=Wish("ann", "the model card is wrong", NOW_US),
        latches={"converted": 3.5, "p99@2": math.inf},
        stopped={1: NOW_US - 6, 3: NOW_US - 5},
        winner=2,
        watch_from_us=NOW_US - 4,
        wish=Wish("ben", "it is proven", NOW_US, Asked.PROMOTE, "leads", 2, revision=1, step=2),
        approvals=(Approval("leads", "ann", "fine", NOW_US), Approval("legal", "ben", "fine", NOW_US, 2)),
        proposed=2,
        paused_us=NOW_US - 3,
        is_paused_by_person=True,
        idle_us=2,
        excused_us=1,
        balanced_us=NOW_US - 2,
        promote_attempt=2,
        rollback_attempt=3,
        action_from_us=NOW_US - 1,
        layer_range=Range(1_000, 5_000),
    )


def full_entry(number: int) -> Entry:
    """Return a recorded look of which every field says something."""
    decision = Decision(Reason.PERSON_PROMOTES, "converted", 2, full(EXPERIMENT).wish)
    seen = replace(
        judgement(p99=Finding.MISSING),
        split_holds=False,
        traffic_is_live=False,
        window_is_open=False,
        latches={"converted@2": 3.5},
        observed=(Verdict("ctr", Finding.UNCLEAR, 2, interval=(-math.inf, 0.5), bound=-0.5),),
        mirrors=(MirrorVerdict(1, 90, 3, 0.5, 8.0),),
    )
    return Entry(number, NOW_US + number, decision, Phase.PROMOTING, 1, seen, None, 1, POLICY)


class LedgerContract:
    """Subclasses give a new ledger to each test."""

    @pytest.fixture
    def ledger(self) -> StartingLedger:
        raise NotImplementedError

    def test_a_run_begins_at_the_first_step_and_has_a_uid_of_its_own(self, ledger: StartingLedger) -> None:
        first = ledger.start(POLICY, NOW_US)
        second = ledger.start(replace(POLICY, name="other"), NOW_US + 1)
        assert ledger.served() == ledger.runs() == (first, second)
        assert ledger.run(second.experiment.uid) == second
        assert ledger.run("zzzzzzzz") is None
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

    def test_every_field_comes_back(self, ledger: StartingLedger) -> None:
        seen = ledger.start(POLICY, NOW_US)
        run = full(seen.experiment)
        own = {"uid", "policy", "revision"}
        names = {field.name for field in fields(Experiment)} - own
        assert {name for name in names if getattr(run, name) == getattr(seen.experiment, name)} == set()
        assert ledger.record(seen, run, full_entry(1))
        (now,) = ledger.runs()
        assert now == Standing(run, seen.version + 1, full_entry(1))
        assert ledger.history(run.uid) == (full_entry(1),)

    def test_a_changed_policy_takes_effect_and_keeps_the_run(self, ledger: StartingLedger) -> None:
        seen = ledger.start(POLICY, NOW_US)
        assert ledger.record(seen, moved(seen.experiment), entry(1))
        (seen,) = ledger.runs()
        for owner in ("others", "yet others"):
            amended = replace(seen.experiment, policy=replace(POLICY, owner=owner))
            assert ledger.revise(seen, amended, NOW_US + 1)
            (now,) = ledger.runs()
            assert now == Standing(amended, seen.version + 1, entry(1))
            seen = now

    def test_a_new_revision_keeps_the_uid_and_the_history(self, ledger: StartingLedger) -> None:
        seen = ledger.start(POLICY, NOW_US)
        assert ledger.record(seen, moved(seen.experiment), entry(1))
        (before,) = ledger.runs()
        revised = revise(before.experiment, replace(POLICY, holdout_bp=200), NOW_US + 2)
        assert isinstance(revised, Experiment)
        assert not ledger.revise(seen, revised, NOW_US + 2), "it does not stand as seen any more"
        assert ledger.revise(before, revised, NOW_US + 2)
        (now,) = ledger.runs()
        assert now == Standing(revised, before.version + 1, entry(1))
        assert (now.experiment.revision, now.experiment.latches) == (2, {})
        second = resting_on(revised, entry(2))
        assert ledger.record(now, moved(now.experiment), second)
        assert ledger.history(now.experiment.uid) == (entry(1), second)
        ended = replace(now.experiment, phase=Phase.STOPPED)
        last = resting_on(ended, entry(3, Reason.PERSON_STOPS, phase=Phase.STOPPED))
        assert ledger.record(ledger.runs()[0], ended, last)
        assert ledger.start(POLICY, NOW_US + 3).experiment.revision == 3

    def test_a_look_rests_on_the_policy_as_it_was_then(self, ledger: StartingLedger) -> None:
        seen = ledger.start(POLICY, NOW_US)
        looks = []
        for number, owner in enumerate(("ann", "ben", "ann"), start=1):
            amended = replace(seen.experiment, policy=replace(POLICY, owner=owner))
            assert ledger.revise(seen, amended, NOW_US + number)
            (seen,) = ledger.runs()
            looks.append(resting_on(amended, entry(number)))
            assert ledger.record(seen, amended, looks[-1])
            (seen,) = ledger.runs()
        assert ledger.history(seen.experiment.uid) == tuple(looks)
        with pytest.raises(ValueError, match="rests on another policy"):
            ledger.record(seen, seen.experiment, entry(4))

    def test_a_policy_is_not_changed_for_another_run(self, ledger: StartingLedger) -> None:
        seen = ledger.start(POLICY, NOW_US)
        for wrong in ({"uid": "zzzzzzzz"}, {"revision": 3}):
            with pytest.raises(ValueError, match="does not follow"):
                ledger.revise(seen, replace(seen.experiment, **wrong), NOW_US)

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
        (seen,) = ledger.runs()
        wish = Wish("ann", "away with it", NOW_US, Asked.RETIRE)
        assert ledger.record(seen, replace(ended, wish=wish), None)
        with pytest.raises(RequestRefused, match="retire"):
            ledger.start(POLICY, NOW_US + 2)
        (seen,) = ledger.runs()
        assert ledger.record(seen, ended, None)
        (seen,) = ledger.runs()
        again = ledger.start(POLICY, NOW_US + 2)
        assert ledger.runs() == (again,)
        assert ledger.run(seen.experiment.uid) is None, "its route is another's now"
        asked = replace(ended, wish=Wish("ann", "away with it", NOW_US, Asked.RETIRE))
        assert not ledger.record(seen, asked, None), "nobody would answer that wish"
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
