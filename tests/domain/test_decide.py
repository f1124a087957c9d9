"""The ladder: one row for each reason, stated as the one change from "all well"."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollout.domain.decide import decide
from rollout.domain.decision import Action, Decision, Reason
from rollout.domain.experiment import Experiment, JobState, Phase
from rollout.domain.verdict import Finding, Judgement
from rollout.domain.wish import Asked
from tests.domain.lives import (
    ANN,
    GATED,
    MIRRORING,
    MISMATCH,
    NOT_LIVE,
    ONLY_MIRRORS,
    PROMOTING,
    ROLLS_BACK,
    SHUT,
    STALE,
    TWO,
    WATCHING,
    copies,
    mirrors,
    old,
    overdue,
    paused,
    phase,
    silent,
    two,
    wishing,
)
from tests.domain.scenes import EXPERIMENT, HOUR_US, NOW_US, judgement, spoiled

UNPROVEN = {"converted": Finding.UNCLEAR}
FAILED = phase(Phase.ACTION_FAILED)
ENDED = phase(Phase.PROMOTED)
AWAITING = replace(GATED, phase=Phase.AWAITING_APPROVAL)
EARLY = replace(EXPERIMENT, step=1, step_entered_us=NOW_US - HOUR_US)
FEW = replace(judgement(), units_in_step=(499, 900))

Row = tuple[Experiment, Judgement, JobState | None, Reason]
ROWS: list[Row] = [
    (EXPERIMENT, judgement(), None, Reason.GOAL_PROVEN),
    (replace(EXPERIMENT, step=1), judgement(), None, Reason.STEP_PASSED),
    (EXPERIMENT, judgement(errors=Finding.HARMED), None, Reason.METRIC_HARMED),
    (EXPERIMENT, judgement(p99=Finding.HARMED), None, Reason.LIMIT_VIOLATED),
    (TWO, two({"errors": Finding.HARMED}), None, Reason.ARM_HARMED),
    (TWO, two({"p99": Finding.HARMED}), None, Reason.ARM_VIOLATES_LIMIT),
    (replace(EXPERIMENT, rollback_wish=ANN), judgement(), None, Reason.PERSON_ROLLS_BACK),
    (EXPERIMENT, MISMATCH, None, Reason.MISMATCH_PAUSES),
    (ROLLS_BACK, MISMATCH, None, Reason.MISMATCH_ROLLS_BACK),
    (EXPERIMENT, STALE, None, Reason.EVIDENCE_STALE),
    (EXPERIMENT, judgement(converted=Finding.MISSING), None, Reason.EVIDENCE_MISSING),
    (silent(EXPERIMENT), STALE, None, Reason.NO_DATA_PAUSES),
    (silent(ROLLS_BACK), STALE, None, Reason.NO_DATA_ROLLS_BACK),
    (EXPERIMENT, spoiled(judgement(), "p99", is_outage=True), None, Reason.SHARED_OUTAGE),
    (EARLY, judgement(), None, Reason.STEP_UNFINISHED),
    (replace(EXPERIMENT, step=0), FEW, None, Reason.UNITS_TOO_FEW),
    (EXPERIMENT, NOT_LIVE, None, Reason.TRAFFIC_NOT_LIVE),
    (EXPERIMENT, SHUT, None, Reason.OUTSIDE_HOURS),
    (EXPERIMENT, judgement(**UNPROVEN), None, Reason.GOAL_UNPROVEN),
    (EXPERIMENT, spoiled(judgement(), "converted", is_immature=True), None, Reason.WINDOW_OPEN),
    (EXPERIMENT, judgement(errors=Finding.UNCLEAR), None, Reason.GUARDRAIL_UNPROVEN),
    (EXPERIMENT, judgement(p99=Finding.UNCLEAR), None, Reason.LIMIT_UNPROVEN),
    (EXPERIMENT, judgement(fallback=Finding.UNCLEAR), None, Reason.FALLBACK_UNPROVEN),
    (old(EXPERIMENT), judgement(**UNPROVEN), None, Reason.INCONCLUSIVE_PAUSES),
    (old(ROLLS_BACK), judgement(**UNPROVEN), None, Reason.INCONCLUSIVE_ROLLS_BACK),
    (MIRRORING, mirrors(copies(0)), None, Reason.MIRROR_SILENT),
    (MIRRORING, mirrors(copies(90, is_failing=True)), None, Reason.MIRROR_FAILS),
    (
        replace(MIRRORING, policy=replace(MIRRORING.policy, decide=ROLLS_BACK.policy.decide)),
        mirrors(copies(90, is_failing=True)),
        None,
        Reason.MIRROR_ROLLS_BACK,
    ),
    (replace(ONLY_MIRRORS, step=1), mirrors(copies(90)), None, Reason.MIRROR_PASSED),
    (GATED, judgement(), None, Reason.APPROVAL_NEEDED),
    (AWAITING, judgement(**UNPROVEN), None, Reason.PROOF_FADED),
    (phase(Phase.PAUSED), judgement(), None, Reason.PAUSED),
    (PROMOTING, judgement(), JobState.RUNNING, Reason.PROMOTION_RUNNING),
    (PROMOTING, judgement(), None, Reason.PROMOTION_DONE),
    (PROMOTING, STALE, JobState.SUCCEEDED, Reason.EVIDENCE_STALE),
    (PROMOTING, judgement(p99=Finding.MISSING), None, Reason.EVIDENCE_MISSING),
    (PROMOTING, judgement(), JobState.FAILED, Reason.PROMOTION_FAILED),
    (PROMOTING, judgement(), JobState.WAITING, Reason.PROMOTION_WAITS),
    (PROMOTING, judgement(), JobState.LATE, Reason.PROMOTION_LATE),
    (WATCHING, judgement(), None, Reason.WATCH_RUNNING),
    (replace(WATCHING, watch_from_us=NOW_US - HOUR_US), judgement(), None, Reason.WATCH_PASSED),
    (WATCHING, judgement(p99=Finding.HARMED), None, Reason.WATCH_VIOLATED),
    (phase(Phase.ROLLING_BACK), judgement(), JobState.RUNNING, Reason.ROLLBACK_RUNNING),
    (phase(Phase.ROLLING_BACK), judgement(), JobState.SUCCEEDED, Reason.ROLLBACK_DONE),
    (phase(Phase.ROLLING_BACK), judgement(), JobState.FAILED, Reason.ROLLBACK_FAILED),
    (phase(Phase.ROLLING_BACK), judgement(), JobState.WAITING, Reason.ROLLBACK_WAITS),
    (phase(Phase.ROLLING_BACK), judgement(), JobState.LATE, Reason.ROLLBACK_LATE),
    (ENDED, judgement(), None, Reason.ENDED),
    (wishing(EXPERIMENT, Asked.PAUSE), judgement(), None, Reason.PERSON_PAUSES),
    (wishing(paused(), Asked.RESUME), judgement(), None, Reason.PERSON_RESUMES),
    (wishing(paused(), Asked.RESUME), MISMATCH, None, Reason.PERSON_CLEARS_MISMATCH),
    (wishing(overdue(), Asked.RESUME), judgement(**UNPROVEN), None, Reason.PERSON_EXTENDS),
    (wishing(EARLY, Asked.ADVANCE), judgement(), None, Reason.PERSON_ADVANCES),
    (wishing(EXPERIMENT, Asked.PROMOTE), judgement(**UNPROVEN), None, Reason.PERSON_PROMOTES),
    (wishing(AWAITING, Asked.APPROVE, group="leads"), judgement(), None, Reason.PERSON_APPROVES),
    (wishing(FAILED, Asked.RETRY), judgement(), None, Reason.PERSON_RETRIES),
    (wishing(EXPERIMENT, Asked.STOP), judgement(), None, Reason.PERSON_STOPS),
    (wishing(ENDED, Asked.RETIRE), judgement(), None, Reason.PERSON_RETIRES),
    (wishing(EXPERIMENT, Asked.RESUME), judgement(), None, Reason.WISH_UNFIT),
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
    assert {reason.action for reason in Reason} == set(Action)


def test_every_wish_has_a_phase_that_it_fits_and_one_that_it_does_not() -> None:
    answered = {row[0].wish.kind for row in ROWS if row[0].wish is not None} | {Asked.ROLLBACK}
    assert answered == set(Asked)
    for kind in Asked:
        found = {
            decide(wishing(phase(one), kind, group="leads"), judgement(), None, NOW_US).reason
            for one in Phase
        }
        assert Reason.WISH_UNFIT in found


def test_a_reason_names_its_metric_its_candidate_and_its_person() -> None:
    assert decide(EXPERIMENT, judgement(errors=Finding.HARMED), None, NOW_US).metric == "errors"
    harmed = decide(TWO, two({}, {"errors": Finding.HARMED}), None, NOW_US)
    assert harmed == Decision(Reason.ARM_HARMED, "errors", 2)
    asked = wishing(EXPERIMENT, Asked.STOP)
    assert decide(asked, judgement(), None, NOW_US).wish == asked.wish
