"""The ladder: one row for each reason, stated as the one change from "all well"."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.domain.decide import decide
from rollout.domain.decision import Action, Reason
from rollout.domain.evolve import evolve
from rollout.domain.experiment import Experiment, JobState, Phase, Wish, split_of
from rollout.domain.policy import Choice, Decide
from rollout.domain.verdict import Finding, Judgement
from tests.domain.scenes import EXPERIMENT, HOUR_US, NOW_US, SECOND_US, judgement, spoiled

ROLLS_BACK = replace(
    EXPERIMENT,
    policy=replace(
        EXPERIMENT.policy,
        decide=Decide(
            inconclusive=Choice.ROLL_BACK, mismatch=Choice.ROLL_BACK, no_data_then=Choice.ROLL_BACK
        ),
    ),
)
UNPROVEN = {"converted": Finding.UNCLEAR}
STALE = replace(judgement(), evidence_is_fresh=False)
WISH = Wish(who="ann", why="the model card is wrong", at_us=NOW_US - SECOND_US)
MISMATCH = replace(judgement(), split_holds=False)


def old(experiment: Experiment) -> Experiment:
    return replace(experiment, step_entered_us=NOW_US - 15 * 24 * HOUR_US)


def silent(experiment: Experiment) -> Experiment:
    return replace(experiment, fresh_us=NOW_US - HOUR_US)


def phase(wanted: Phase) -> Experiment:
    return replace(EXPERIMENT, phase=wanted)


ROWS: list[tuple[Experiment, Judgement, JobState | None, Reason]] = [
    (EXPERIMENT, judgement(), None, Reason.GOAL_PROVEN),
    (replace(EXPERIMENT, step=1), judgement(), None, Reason.STEP_PASSED),
    (EXPERIMENT, judgement(errors=Finding.HARMED), None, Reason.METRIC_HARMED),
    (EXPERIMENT, judgement(p99=Finding.HARMED), None, Reason.LIMIT_VIOLATED),
    (replace(EXPERIMENT, rollback_wish=WISH), judgement(), None, Reason.PERSON_ROLLS_BACK),
    (EXPERIMENT, MISMATCH, None, Reason.MISMATCH_PAUSES),
    (ROLLS_BACK, MISMATCH, None, Reason.MISMATCH_ROLLS_BACK),
    (EXPERIMENT, STALE, None, Reason.EVIDENCE_STALE),
    (EXPERIMENT, judgement(converted=Finding.MISSING), None, Reason.EVIDENCE_MISSING),
    (silent(EXPERIMENT), STALE, None, Reason.NO_DATA_PAUSES),
    (silent(ROLLS_BACK), STALE, None, Reason.NO_DATA_ROLLS_BACK),
    (EXPERIMENT, spoiled(judgement(), "p99", is_outage=True), None, Reason.SHARED_OUTAGE),
    (
        replace(EXPERIMENT, step=1, step_entered_us=NOW_US - HOUR_US),
        judgement(),
        None,
        Reason.STEP_UNFINISHED,
    ),
    (replace(EXPERIMENT, step=0), replace(judgement(), units_in_step=(499, 900)), None, Reason.UNITS_TOO_FEW),
    (EXPERIMENT, judgement(**UNPROVEN), None, Reason.GOAL_UNPROVEN),
    (EXPERIMENT, spoiled(judgement(), "converted", is_immature=True), None, Reason.WINDOW_OPEN),
    (EXPERIMENT, judgement(errors=Finding.UNCLEAR), None, Reason.GUARDRAIL_UNPROVEN),
    (EXPERIMENT, judgement(p99=Finding.UNCLEAR), None, Reason.LIMIT_UNPROVEN),
    (EXPERIMENT, judgement(fallback=Finding.UNCLEAR), None, Reason.FALLBACK_UNPROVEN),
    (old(EXPERIMENT), judgement(**UNPROVEN), None, Reason.INCONCLUSIVE_PAUSES),
    (old(ROLLS_BACK), judgement(**UNPROVEN), None, Reason.INCONCLUSIVE_ROLLS_BACK),
    (phase(Phase.PAUSED), judgement(), None, Reason.PAUSED),
    (phase(Phase.PROMOTING), judgement(), JobState.RUNNING, Reason.PROMOTION_RUNNING),
    (phase(Phase.PROMOTING), judgement(), None, Reason.PROMOTION_DONE),
    (phase(Phase.PROMOTING), judgement(), JobState.FAILED, Reason.PROMOTION_FAILED),
    (phase(Phase.ROLLING_BACK), judgement(), JobState.RUNNING, Reason.ROLLBACK_RUNNING),
    (phase(Phase.ROLLING_BACK), judgement(), JobState.SUCCEEDED, Reason.ROLLBACK_DONE),
    (phase(Phase.ROLLING_BACK), judgement(), JobState.FAILED, Reason.ROLLBACK_FAILED),
]


@pytest.mark.parametrize(
    ("experiment", "judged", "job", "reason"), [pytest.param(*row, id=row[3].name.lower()) for row in ROWS]
)
def test_each_reason_is_one_change_from_all_well(
    experiment: Experiment, judged: Judgement, job: JobState | None, reason: Reason
) -> None:
    assert decide(experiment, judged, job, NOW_US).reason is reason


def test_every_reason_has_a_row() -> None:
    assert {row[3] for row in ROWS} == set(Reason)


def test_a_reason_names_its_metric() -> None:
    assert decide(EXPERIMENT, judgement(errors=Finding.HARMED), None, NOW_US).metric == "errors"


findings = st.sampled_from(Finding)
experiments = st.builds(
    lambda step, wanted, entered, fresh: replace(
        EXPERIMENT, step=step, phase=wanted, step_entered_us=NOW_US - entered, fresh_us=NOW_US - fresh
    ),
    st.integers(0, 2),
    st.sampled_from([Phase.RUNNING, Phase.PAUSED, Phase.PROMOTING, Phase.ROLLING_BACK, Phase.ACTION_FAILED]),
    st.integers(-HOUR_US, 20 * 24 * HOUR_US),
    st.integers(-HOUR_US, 2 * HOUR_US),
)
looks = st.builds(
    lambda names, holds, fresh, units: replace(
        judgement(**names), split_holds=holds, evidence_is_fresh=fresh, units_in_step=units
    ),
    st.fixed_dictionaries(dict.fromkeys(["converted", "errors", "p99", "fallback"], findings)),
    st.booleans(),
    st.booleans(),
    st.tuples(st.integers(0, 1000), st.integers(0, 1000)),
)
jobs = st.sampled_from([None, *JobState])


@given(experiments, looks, jobs)
def test_traffic_grows_only_on_fresh_complete_evidence_and_promotes_only_on_proof(
    experiment: Experiment, judged: Judgement, job: JobState | None
) -> None:
    action = decide(experiment, judged, job, NOW_US).action
    seen = {verdict.finding for verdict in judged.verdicts}
    if action in {Action.ADVANCE, Action.PROMOTE}:
        assert experiment.phase is Phase.RUNNING
        assert judged.split_holds
        assert judged.evidence_is_fresh
        assert not seen & {Finding.MISSING, Finding.HARMED}
    if action is Action.PROMOTE:
        assert experiment.is_last_step
        assert seen <= {Finding.BETTER, Finding.SAFE}


@given(experiments, looks, jobs)
def test_harm_always_takes_the_candidates_traffic_away(
    experiment: Experiment, judged: Judgement, job: JobState | None
) -> None:
    decision = decide(experiment, judged, job, NOW_US)
    after = evolve(experiment, judged, decision, NOW_US)
    if judged.first(Finding.HARMED):
        assert split_of(after).steps_on == 0
        assert not split_of(after).is_promoted


@given(experiments, looks, jobs)
def test_a_step_back_in_time_never_moves_traffic_up(
    experiment: Experiment, judged: Judgement, job: JobState | None
) -> None:
    before = decide(experiment, judged, job, NOW_US)
    earlier = decide(experiment, judged, job, NOW_US - HOUR_US)
    if earlier.action in {Action.ADVANCE, Action.PROMOTE}:
        # Only a deadline that has passed since may have taken the way up away.
        assert before.action in {earlier.action, Action.PAUSE, Action.ROLL_BACK}


def test_a_promotion_settles_only_when_its_action_is_done() -> None:
    promoting = evolve(EXPERIMENT, judgement(), decide(EXPERIMENT, judgement(), None, NOW_US), NOW_US)
    assert promoting.phase is Phase.PROMOTING
    assert split_of(promoting).steps_on == 3
    done = evolve(promoting, judgement(), decide(promoting, judgement(), JobState.SUCCEEDED, NOW_US), NOW_US)
    assert split_of(done).is_promoted
    failed = evolve(promoting, judgement(), decide(promoting, judgement(), JobState.FAILED, NOW_US), NOW_US)
    assert failed.phase is Phase.ACTION_FAILED
    assert split_of(failed).steps_on == 3


def test_a_failed_rollback_keeps_traffic_at_zero_for_good() -> None:
    rolling = phase(Phase.ROLLING_BACK)
    failed = evolve(rolling, judgement(), decide(rolling, judgement(), JobState.FAILED, NOW_US), NOW_US)
    again = decide(failed, judgement(errors=Finding.HARMED), JobState.FAILED, NOW_US + SECOND_US)
    assert again.reason is Reason.ROLLBACK_FAILED
    assert split_of(failed).steps_on == 0


def test_an_advance_enters_the_next_step_now() -> None:
    first = replace(EXPERIMENT, step=0)
    after = evolve(first, judgement(), decide(first, judgement(), None, NOW_US), NOW_US)
    assert (after.step, after.step_entered_us, after.fresh_us) == (1, NOW_US, NOW_US)
