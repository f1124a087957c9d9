"""What follows from decisions: a run is led from turn to turn, and at each the traffic is what it must be."""

from __future__ import annotations

from dataclasses import replace

from rollout.domain.decide import decide
from rollout.domain.decision import OVERRIDES, Decision, Reason
from rollout.domain.evolve import evolve
from rollout.domain.experiment import Experiment, JobState, Phase, split_of
from rollout.domain.metric import Metric, MetricType, Role
from rollout.domain.question import questions
from rollout.domain.verdict import Finding, Judgement, Verdict
from rollout.domain.wish import Approval, Asked, Wish
from tests.domain.lives import (
    ANN,
    APPROVED,
    GATED,
    MIRRORING,
    NOT_LIVE,
    ONLY_MIRRORS,
    PROMOTING,
    SHUT,
    STALE,
    TWO,
    WATCHING,
    copies,
    mirrors,
    phase,
    two,
    wishing,
)
from tests.domain.scenes import EXPERIMENT, HOUR_US, NOW_US, SECOND_US, judgement, spoiled

UNPROVEN = {"converted": Finding.UNCLEAR}
FAILED = phase(Phase.ACTION_FAILED)
EARLY = replace(EXPERIMENT, step=1, step_entered_us=NOW_US - HOUR_US)


def after(experiment: Experiment, judged: Judgement, now_us: int = NOW_US) -> Experiment:
    """Return the run after one look."""
    return evolve(experiment, judged, decide(experiment, judged, None, now_us), now_us)


def test_harm_stops_one_candidate_and_then_the_last_one_ends_the_run() -> None:
    stopped = after(TWO, two({"errors": Finding.HARMED}))
    assert (stopped.phase, stopped.stopped, stopped.active_arms) == (Phase.RUNNING, {1: NOW_US}, (2,))
    assert split_of(stopped).stopped == {1}
    again = after(stopped, two({"errors": Finding.HARMED}, {"errors": Finding.HARMED}))
    assert again.phase is Phase.ROLLING_BACK
    at_once = after(TWO, two({"errors": Finding.HARMED}, {"p99": Finding.HARMED}))
    assert at_once.phase is Phase.ROLLING_BACK


def test_of_several_proven_candidates_the_surely_best_one_wins_and_the_others_lose_their_traffic() -> None:
    assert decide(TWO, two({}, {}, bounds=(0.01, 0.02)), None, NOW_US).arm == 2
    assert decide(TWO, two({}, {}, bounds=(0.02, 0.01)), None, NOW_US).arm == 1
    assert decide(TWO, two({}, UNPROVEN, bounds=(0.01, 0.02)), None, NOW_US).arm == 1
    promoting = after(TWO, two({}, {}, bounds=(0.01, 0.02)))
    assert (promoting.winner, split_of(promoting).stopped) == (2, frozenset({1}))
    done = evolve(promoting, judgement(), Decision(Reason.PROMOTION_DONE), NOW_US)
    assert (split_of(done).winner, split_of(done).is_promoted) == (2, True)
    assert done.settled_version == TWO.policy.candidates[1]


def test_one_candidate_that_lacks_units_holds_the_step() -> None:
    early = replace(TWO, step=0)
    assert (
        decide(early, replace(two(), units_in_step=(900, 900)), None, NOW_US).reason is Reason.UNITS_TOO_FEW
    )
    assert (
        decide(early, replace(two(), units_in_step=(900, 900, 900)), None, NOW_US).reason
        is Reason.STEP_PASSED
    )
    stopped = replace(early, stopped={2: NOW_US})
    one_left = replace(two(), units_in_step=(900, 900, 0))
    assert decide(stopped, one_left, None, NOW_US).reason is Reason.STEP_PASSED


def test_a_metric_without_a_verdict_is_missing() -> None:
    judged = replace(judgement(), verdicts=judgement().verdicts[:-1])
    assert decide(EXPERIMENT, judged, None, NOW_US) == Decision(Reason.EVIDENCE_MISSING, "fallback")
    assert decide(TWO, judgement(), None, NOW_US).reason is Reason.EVIDENCE_MISSING


def test_what_is_only_observed_or_has_no_margin_is_in_nobody_s_way() -> None:
    ctr = Metric(
        "ctr", Role.OBSERVE, EXPERIMENT.policy.metrics[0].source, MetricType.MEAN,
        EXPERIMENT.policy.metrics[0].direction, 60.0,
    )  # fmt: skip
    revenue = replace(ctr, name="revenue", role=Role.GUARDRAIL)
    policy = replace(EXPERIMENT.policy, metrics=(*EXPERIMENT.policy.metrics, ctr, revenue))
    run = replace(EXPERIMENT, policy=policy)
    open_ = Verdict("revenue", Finding.UNCLEAR, needs_proof=False)
    judged = replace(judgement(), verdicts=(*judgement().verdicts, open_))
    assert decide(run, judged, None, NOW_US).reason is Reason.GOAL_PROVEN
    harmed = replace(judged, verdicts=(*judgement().verdicts, replace(open_, finding=Finding.HARMED)))
    assert decide(run, harmed, None, NOW_US).reason is Reason.METRIC_HARMED


def test_approval_belongs_to_one_step_and_needs_proof_that_holds_now() -> None:
    awaiting = after(GATED, judgement())
    assert (awaiting.phase, split_of(awaiting).steps_on) == (Phase.AWAITING_APPROVAL, 3)
    assert after(awaiting, judgement(errors=Finding.HARMED)).phase is Phase.ROLLING_BACK
    approved = after(wishing(awaiting, Asked.APPROVE, group="leads"), judgement())
    assert approved.approvals == (Approval("leads", "ann", "because", NOW_US - SECOND_US, 1),)
    assert approved.wish is None
    assert decide(approved, judgement(**UNPROVEN), None, NOW_US).reason is Reason.PROOF_FADED
    assert decide(approved, judgement(), None, NOW_US).reason is Reason.GOAL_PROVEN
    stranger = wishing(awaiting, Asked.APPROVE, group="somebody")
    assert decide(stranger, judgement(), None, NOW_US).reason is Reason.WISH_UNFIT
    earlier = replace(APPROVED, step=1)
    assert after(earlier, judgement()).approvals == ()


def test_two_groups_must_both_approve() -> None:
    run = replace(APPROVED, policy=replace(APPROVED.policy, approvers=("leads", "legal")))
    assert decide(run, judgement(), None, NOW_US).reason is Reason.APPROVAL_NEEDED


def test_a_promotion_runs_its_action_first_and_is_then_watched() -> None:
    promoting = after(EXPERIMENT, judgement())
    assert (promoting.phase, split_of(promoting).steps_on) == (Phase.PROMOTING, 3)
    held = decide(promoting, SHUT, JobState.SUCCEEDED, NOW_US)
    assert held.reason is Reason.OUTSIDE_HOURS
    failed = evolve(promoting, judgement(), decide(promoting, judgement(), JobState.FAILED, NOW_US), NOW_US)
    assert (failed.phase, split_of(failed).steps_on) == (Phase.ACTION_FAILED, 3)
    watching = evolve(promoting, judgement(), decide(promoting, judgement(), None, NOW_US), NOW_US)
    assert (watching.phase, watching.watch_from_us) == (Phase.WATCHING, NOW_US)
    assert (split_of(watching).is_promoted, split_of(watching).is_released) == (True, False)
    later_us = NOW_US + 31 * 60 * SECOND_US
    fresh = replace(watching, fresh_us=later_us - SECOND_US)
    promoted = after(fresh, judgement(), later_us)
    assert (promoted.phase, split_of(promoted).is_released) == (Phase.PROMOTED, True)


def test_a_watch_needs_fresh_evidence_and_can_be_left_out() -> None:
    over = replace(WATCHING, watch_from_us=NOW_US - HOUR_US)
    assert decide(over, STALE, None, NOW_US).reason is Reason.EVIDENCE_STALE
    away = replace(over, fresh_us=NOW_US - HOUR_US)
    assert decide(away, judgement(), None, NOW_US).reason is Reason.WATCH_RUNNING
    early = decide(over, spoiled(judgement(), "p99", is_immature=True), None, NOW_US)
    assert early == Decision(Reason.WATCH_RUNNING, "p99")
    unwatched = replace(PROMOTING, policy=replace(PROMOTING.policy, watch_s=0.0))
    assert after(unwatched, judgement()).phase is Phase.PROMOTED


def test_a_watch_is_over_only_while_traffic_may_move_up() -> None:
    over = replace(WATCHING, watch_from_us=NOW_US - HOUR_US)
    assert decide(over, SHUT, None, NOW_US).reason is Reason.OUTSIDE_HOURS
    assert decide(over, NOT_LIVE, None, NOW_US).reason is Reason.TRAFFIC_NOT_LIVE
    harmed = replace(SHUT, verdicts=judgement(p99=Finding.HARMED).verdicts)
    assert after(over, harmed).phase is Phase.ROLLING_BACK


def test_a_violation_since_the_promotion_takes_everybody_back() -> None:
    left = after(WATCHING, judgement(p99=Finding.HARMED))
    assert (left.phase, split_of(left).is_promoted, split_of(left).steps_on) == (Phase.ROLLING_BACK, False, 0)


def test_a_failed_action_is_tried_again_under_a_new_number() -> None:
    again = after(wishing(FAILED, Asked.RETRY), judgement())
    assert (again.phase, again.promote_attempt, again.rollback_attempt) == (Phase.PROMOTING, 2, 1)
    rolling = replace(FAILED, rollback_failed=True)
    assert split_of(rolling).steps_on == 0
    back = after(wishing(rolling, Asked.RETRY), judgement())
    assert (back.phase, back.promote_attempt, back.rollback_attempt) == (Phase.ROLLING_BACK, 1, 2)
    assert decide(rolling, judgement(errors=Finding.HARMED), None, NOW_US).reason is Reason.ROLLBACK_FAILED
    assert after(wishing(rolling, Asked.RETIRE), judgement()).phase is Phase.RETIRED


def test_copies_come_first_and_never_promote() -> None:
    assert (split_of(MIRRORING).steps_on, split_of(MIRRORING).mirror_on) == (0, 1)
    weighted = after(MIRRORING, mirrors(copies(90)))
    assert (weighted.step, split_of(weighted).steps_on, split_of(weighted).mirror_on) == (1, 1, 0)
    assert after(ONLY_MIRRORS, mirrors(copies(90))).step == 1
    done = after(replace(ONLY_MIRRORS, step=1), mirrors(copies(90)))
    assert (done.phase, split_of(done).mirror_on) == (Phase.STOPPED, 0)
    promote = wishing(ONLY_MIRRORS, Asked.PROMOTE)
    assert decide(promote, mirrors(copies(90)), None, NOW_US).reason is Reason.WISH_UNFIT


def test_a_person_s_move_up_waits_for_the_hours_and_never_keeps_the_policy_from_its_duty() -> None:
    asked = wishing(EARLY, Asked.ADVANCE)
    assert decide(asked, SHUT, None, NOW_US).reason is Reason.OUTSIDE_HOURS
    assert after(asked, SHUT).wish == asked.wish
    mismatched = replace(SHUT, split_holds=False)
    assert decide(asked, mismatched, None, NOW_US).reason is Reason.MISMATCH_PAUSES


def test_what_the_policy_does_by_itself_is_no_override() -> None:
    passed = decide(wishing(replace(EXPERIMENT, step=1), Asked.ADVANCE), judgement(), None, NOW_US)
    assert (passed.reason, passed.wish is None) == (Reason.STEP_PASSED, False)
    proven = decide(wishing(EXPERIMENT, Asked.PROMOTE), judgement(), None, NOW_US)
    assert (proven.reason, proven.wish is None) == (Reason.GOAL_PROVEN, False)
    assert not {passed.reason, proven.reason} & OVERRIDES
    assert after(wishing(EXPERIMENT, Asked.PROMOTE), judgement()).wish is None


def test_a_promotion_by_a_person_names_its_candidate_where_there_are_several() -> None:
    judged = two(UNPROVEN, UNPROVEN)
    assert decide(wishing(TWO, Asked.PROMOTE), judged, None, NOW_US).reason is Reason.WISH_UNFIT
    named = replace(TWO, wish=Wish("ann", "why", NOW_US, Asked.PROMOTE, arm=2))
    assert decide(named, judged, None, NOW_US).arm == 2
    gone = replace(named, stopped={2: NOW_US})
    assert decide(gone, judged, None, NOW_US).reason is Reason.WISH_UNFIT


def test_a_rollback_s_wish_stays_in_whichever_way_it_was_asked() -> None:
    for run in (replace(EXPERIMENT, rollback_wish=ANN), wishing(EXPERIMENT, Asked.ROLLBACK)):
        left = after(run, judgement())
        assert left.phase is Phase.ROLLING_BACK
        assert left.rollback_wish in {ANN, run.wish}
        assert left.rollback_wish is not None
        assert left.wish is None


def test_what_was_asked_before_a_rollback_is_answered_after_it() -> None:
    asked = wishing(EXPERIMENT, Asked.PAUSE)
    left = after(asked, judgement(errors=Finding.HARMED))
    assert (left.phase, left.wish) == (Phase.ROLLING_BACK, asked.wish)
    answered = decide(left, judgement(), JobState.RUNNING, NOW_US)
    assert answered == Decision(Reason.WISH_UNFIT, wish=asked.wish)
    assert evolve(left, judgement(), answered, NOW_US) == replace(left, wish=None, fresh_us=NOW_US)


def test_a_failed_rollback_keeps_traffic_at_zero_for_good() -> None:
    rolling = phase(Phase.ROLLING_BACK)
    failed = evolve(rolling, judgement(), decide(rolling, judgement(), JobState.FAILED, NOW_US), NOW_US)
    again = decide(failed, judgement(errors=Finding.HARMED), JobState.FAILED, NOW_US + SECOND_US)
    assert again.reason is Reason.ROLLBACK_FAILED
    assert split_of(failed).steps_on == 0


def test_an_advance_enters_the_next_step_now() -> None:
    first = replace(EXPERIMENT, step=0, idle_us=SECOND_US, excused_us=SECOND_US)
    moved = after(first, judgement())
    assert (moved.step, moved.step_entered_us, moved.fresh_us) == (1, NOW_US, NOW_US)
    assert (moved.idle_us, moved.excused_us) == (0, 0)


def test_a_look_must_know_what_is_asked_and_not_only_reported() -> None:
    observed = replace(EXPERIMENT.policy.metrics[0], name="ctr", role=Role.OBSERVE)
    run = replace(
        EXPERIMENT, policy=replace(EXPERIMENT.policy, metrics=(*EXPERIMENT.policy.metrics, observed))
    )
    for question in questions(run.policy):
        rest = tuple(one for one in judgement().verdicts if one.metric != question.name)
        missing = Reason.GOAL_PROVEN if question.is_observed else Reason.EVIDENCE_MISSING
        assert decide(run, replace(judgement(), verdicts=rest), None, NOW_US).reason is missing
        watched = replace(WATCHING, policy=run.policy)
        unwatched = Reason.EVIDENCE_MISSING if question.is_limit else Reason.WATCH_RUNNING
        assert decide(watched, replace(judgement(), verdicts=rest), None, NOW_US).reason is unwatched
