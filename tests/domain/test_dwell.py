"""What time counts: a dwell leaves out pauses and gaps in evidence, a deadline a person's pauses alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollout.domain.decide import decide
from rollout.domain.decision import Decision, Reason
from rollout.domain.evolve import evolve
from rollout.domain.experiment import GAP_US, Experiment, Phase
from rollout.domain.verdict import Finding, Judgement
from rollout.domain.wish import Asked
from tests.domain.lives import MISMATCH, STALE, wishing
from tests.domain.scenes import EXPERIMENT, HOUR_US, NOW_US, SECOND_US, judgement

MINUTE_US = 60 * SECOND_US
BEGUN = replace(EXPERIMENT, step=0, step_entered_us=NOW_US, fresh_us=NOW_US)
"""Its first step asks for half an hour."""
LAST = replace(EXPERIMENT, step_entered_us=NOW_US, fresh_us=NOW_US)
"""Its last step has two weeks."""
WELL = judgement()
OPEN = judgement(converted=Finding.UNCLEAR)


def lived(run: Experiment, judged: Judgement, minutes: range) -> tuple[Experiment, Decision]:
    """Return the run after looks at these minutes, and the last decision."""
    decision = Decision(Reason.STEP_UNFINISHED)
    for minute in minutes:
        for second in range(0, 60, 5):
            now_us = NOW_US + minute * MINUTE_US + second * SECOND_US
            decision = decide(run, judged, None, now_us)
            run = evolve(run, judged, decision, now_us)
            if run.step not in {BEGUN.step, LAST.step}:
                return run, decision
    return run, decision


def ask(run: Experiment, kind: Asked, minute: int, judged: Judgement = WELL) -> Experiment:
    """Return the run after a person's wish was answered."""
    now_us = NOW_US + minute * MINUTE_US
    asked = wishing(run, kind)
    return evolve(asked, judged, decide(asked, judged, None, now_us), now_us)


def test_a_step_lasts_as_long_as_it_asks() -> None:
    run, decision = lived(BEGUN, WELL, range(30))
    assert (run.step, decision.reason) == (0, Reason.STEP_UNFINISHED)
    assert lived(run, WELL, range(30, 31))[0].step == 1


def test_evidence_that_was_away_does_not_count() -> None:
    run, _ = lived(BEGUN, WELL, range(10))
    run, decision = lived(run, STALE, range(10, 20))
    assert decision.reason is Reason.EVIDENCE_STALE
    run, _ = lived(run, WELL, range(20, 40))
    assert (run.step, run.idle_us // MINUTE_US) == (0, 10)
    assert lived(run, WELL, range(40, 41))[0].step == 1


def test_a_controller_that_was_away_is_a_gap_too() -> None:
    run, _ = lived(BEGUN, WELL, range(10))
    assert decide(run, WELL, None, NOW_US + 60 * MINUTE_US).reason is Reason.STEP_UNFINISHED
    assert lived(run, WELL, range(60, 70))[0].step == 0
    assert lived(run, WELL, range(60, 81))[0].step == 1


def test_looks_that_lag_a_little_are_no_gap() -> None:
    assert BEGUN.gap_us(NOW_US + GAP_US) == 0
    assert BEGUN.gap_us(NOW_US + GAP_US + 1) == GAP_US + 1
    assert BEGUN.gap_us(NOW_US - HOUR_US) == 0


def test_a_clock_that_was_set_back_gives_what_begins_no_past() -> None:
    ahead = replace(BEGUN, fresh_us=NOW_US + HOUR_US)
    advanced = evolve(ahead, WELL, Decision(Reason.STEP_PASSED), NOW_US)
    assert advanced.dwelt_us(NOW_US + HOUR_US) <= 0
    watching = evolve(
        replace(ahead, phase=Phase.PROMOTING, winner=1), WELL, Decision(Reason.PROMOTION_DONE), NOW_US
    )
    assert watching.phase is Phase.WATCHING
    assert watching.dwelt_us(NOW_US + HOUR_US) <= 0


def test_a_pause_does_not_count_whoever_paused() -> None:
    run, _ = lived(BEGUN, WELL, range(10))
    run = ask(run, Asked.PAUSE, 10)
    assert (run.phase, run.is_paused_by_person) == (Phase.PAUSED, True)
    run, decision = lived(run, WELL, range(10, 100))
    assert decision.reason is Reason.PAUSED
    run = ask(run, Asked.RESUME, 100)
    assert (run.phase, run.idle_us, run.excused_us) == (Phase.RUNNING, 90 * MINUTE_US, 90 * MINUTE_US)
    run, _ = lived(run, WELL, range(100, 120))
    assert run.step == 0
    assert lived(run, WELL, range(120, 121))[0].step == 1


def test_a_gap_before_and_after_a_pause_counts_once() -> None:
    run, _ = lived(BEGUN, WELL, range(10))
    run, _ = lived(run, STALE, range(10, 15))
    run = ask(run, Asked.PAUSE, 15, STALE)
    run = ask(run, Asked.RESUME, 20, STALE)
    run, _ = lived(run, STALE, range(20, 25))
    run, _ = lived(run, WELL, range(25, 26))
    assert run.idle_us == pytest.approx(15 * MINUTE_US, abs=6 * SECOND_US)


def test_a_person_s_pause_stops_the_deadline_and_the_policy_s_does_not() -> None:
    weeks_us = 14 * 24 * HOUR_US
    by_person = replace(LAST, phase=Phase.PAUSED, paused_us=NOW_US + HOUR_US, is_paused_by_person=True)
    by_policy = replace(by_person, is_paused_by_person=False)
    late_us = NOW_US + weeks_us + HOUR_US
    for run, reason in ((by_person, Reason.PERSON_RESUMES), (by_policy, Reason.PERSON_EXTENDS)):
        asked = wishing(run, Asked.RESUME)
        resumed = decide(asked, OPEN, None, late_us)
        assert resumed.reason is reason
        after = evolve(asked, OPEN, resumed, late_us)
        assert decide(after, OPEN, None, late_us + SECOND_US).reason is Reason.GOAL_UNPROVEN
        assert after.is_overdue(late_us + weeks_us)


def test_what_a_person_gives_anew_is_as_much_as_before() -> None:
    weeks_us = 14 * 24 * HOUR_US
    paused = evolve(LAST, OPEN, decide(LAST, OPEN, None, NOW_US + weeks_us), NOW_US + weeks_us)
    assert (paused.phase, paused.is_paused_by_person) == (Phase.PAUSED, False)
    asked, at_us = wishing(paused, Asked.RESUME), NOW_US + weeks_us + HOUR_US
    given = evolve(asked, OPEN, decide(asked, OPEN, None, at_us), at_us)
    assert not given.is_overdue(at_us + weeks_us - 1)
    assert given.is_overdue(at_us + weeks_us)


def test_a_mismatch_stays_paused_until_a_person_clears_it() -> None:
    paused = evolve(LAST, MISMATCH, decide(LAST, MISMATCH, None, NOW_US), NOW_US)
    assert paused.phase is Phase.PAUSED
    assert decide(paused, WELL, None, NOW_US + HOUR_US).reason is Reason.PAUSED
    asked = wishing(paused, Asked.RESUME)
    cleared = evolve(asked, MISMATCH, decide(asked, MISMATCH, None, NOW_US), NOW_US)
    assert (cleared.phase, cleared.balanced_us) == (Phase.RUNNING, NOW_US)


def test_a_resume_gives_absent_evidence_the_policy_s_patience_anew() -> None:
    silent = replace(LAST, fresh_us=NOW_US - HOUR_US)
    paused = evolve(silent, STALE, decide(silent, STALE, None, NOW_US), NOW_US)
    assert paused.phase is Phase.PAUSED
    run = ask(paused, Asked.RESUME, 60, STALE)
    assert decide(run, STALE, None, NOW_US + 61 * MINUTE_US).reason is Reason.EVIDENCE_STALE
    assert decide(run, STALE, None, NOW_US + 90 * MINUTE_US).reason is Reason.NO_DATA_PAUSES


def test_nothing_is_written_while_nothing_changes() -> None:
    run, _ = lived(LAST, OPEN, range(5))
    later_us = NOW_US + 5 * MINUTE_US
    after = evolve(run, OPEN, decide(run, OPEN, None, later_us), later_us)
    assert replace(after, fresh_us=run.fresh_us) == run
