"""One tick: what is recorded, in which order the world follows, and what still works when a part does not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollout.controller.acting import GRACE_US
from rollout.controller.naming import Purpose, job_name, order_for, variables
from rollout.domain.buckets import Range
from rollout.domain.experiment import JobState, Phase
from rollout.domain.job import JobReport, Order
from rollout.domain.policy import Actions
from rollout.domain.wish import Asked, Wish
from rollout.errors import Problem, Retry, Stop
from rollout.ports import Unread
from tests.controller.worlds import BOTH, Scene, outage
from tests.domain.scenes import EXPERIMENT, HOUR_US, NOW_US, SECOND_US, changed, evidence
from tests.replaying import assert_all_agree
from tests.simulation.fakes import MemoryJobs, MemoryLedger

BROKEN = evidence(errors=0.2)
WISH = Wish("ann", "the model card is wrong", NOW_US)


def test_promotion_runs_its_action_first_and_moves_traffic_after_its_success() -> None:
    scene = Scene()
    scene.tick()
    assert (scene.phase, scene.split.steps_on, scene.split.is_promoted) == (Phase.PROMOTING, 3, False)
    assert scene.jobs.begun == [scene.promote_job]
    scene.tick(after_s=60)
    assert not scene.split.is_promoted
    scene.jobs.end(scene.promote_job, JobState.SUCCEEDED)
    scene.tick()
    assert (scene.phase, scene.split.is_promoted) == (Phase.PROMOTED, True)
    assert scene.reasons == ["GOAL_PROVEN", "PROMOTION_RUNNING", "PROMOTION_DONE"]


def test_without_an_action_a_promotion_is_done_at_the_next_look() -> None:
    scene = Scene(actions=Actions())
    scene.tick()
    assert not scene.split.is_promoted
    scene.tick()
    assert scene.split.is_promoted


def test_a_failed_promotion_keeps_the_last_step_and_says_so_once() -> None:
    scene = Scene()
    scene.tick()
    scene.jobs.end(scene.promote_job, JobState.FAILED)
    for _ in range(20):
        scene.tick()
    assert (scene.phase, scene.split.steps_on) == (Phase.ACTION_FAILED, 3)
    assert scene.reasons == ["GOAL_PROVEN", "PROMOTION_FAILED"]


def test_harm_takes_traffic_away_in_the_same_tick_and_then_acts() -> None:
    scene = Scene()
    scene.readings.reading = BROKEN
    scene.tick()
    assert (scene.phase, scene.split.steps_on) == (Phase.ROLLING_BACK, 0)
    assert scene.jobs.begun == [scene.rollback_job]
    scene.tick()
    assert scene.phase is Phase.ROLLED_BACK
    assert scene.reasons == ["METRIC_HARMED", "ROLLBACK_DONE"]


def test_a_rollback_s_action_waits_for_traffic_at_zero() -> None:
    scene = Scene()
    scene.tick(after_s=0)
    scene.jobs.end(scene.promote_job, JobState.SUCCEEDED)
    scene.readings.reading = BROKEN
    scene.traffic.refusal = "not acknowledged"
    for _ in range(10):
        tick = scene.tick()
        assert scene.jobs.begun == [scene.promote_job]
        assert "not acknowledged" in str(tick.problems[0])
    scene.traffic.refusal = None
    scene.tick()
    assert scene.split.steps_on == 0
    assert scene.jobs.begun == [scene.promote_job, scene.rollback_job]


def test_a_rollback_s_action_waits_ten_seconds_at_most_and_says_so() -> None:
    scene = Scene()
    scene.traffic.refusal = "not acknowledged"
    scene.readings.reading = BROKEN
    for _ in range(10):
        scene.tick()
    assert scene.jobs.begun == []
    tick = scene.tick()
    assert scene.jobs.begun == [scene.rollback_job]
    assert "no confirmation that traffic is at zero within 10 s" in "\n".join(map(str, tick.problems))
    scene.tick()
    assert scene.phase is Phase.ROLLED_BACK
    scene.traffic.refusal = None
    scene.tick()
    assert scene.split.steps_on == 0, "it is published until it is live"


def test_without_an_action_too_a_rollback_is_done_only_at_zero() -> None:
    scene = Scene(actions=Actions())
    scene.traffic.refusal = "not acknowledged"
    scene.readings.reading = BROKEN
    for _ in range(8):
        scene.tick()
    assert scene.phase is Phase.ROLLING_BACK
    scene.traffic.refusal = None
    for _ in range(2):
        scene.tick()
    assert scene.ledger.runs()[0].experiment.phase is Phase.ROLLED_BACK


def test_harm_while_promoting_ends_the_promote_action_before_the_rollback_s_begins() -> None:
    scene = Scene()
    scene.tick()
    scene.readings.reading = BROKEN
    scene.tick()
    assert scene.split.steps_on == 0
    assert scene.jobs.state(scene.promote_job) is JobState.FAILED
    assert scene.jobs.begun == [scene.promote_job, scene.rollback_job]


def test_a_rollback_without_an_action_waits_for_the_end_of_the_promote_action() -> None:
    scene = Scene(actions=replace(BOTH, rollback=None))
    scene.tick()
    scene.jobs.outlives_stops = True
    scene.readings.reading = BROKEN
    for _ in range(3):
        scene.tick()
    assert (scene.split.steps_on, scene.phase) == (0, Phase.ROLLING_BACK)
    scene.jobs.outlives_stops = False
    for _ in range(2):
        scene.tick()
    assert (scene.jobs.state(scene.promote_job), scene.phase) == (JobState.FAILED, Phase.ROLLED_BACK)


class Illegible(MemoryJobs):
    """Actions of which one's state cannot be read."""

    illegible = ""

    def report(self, order: Order) -> JobReport | None:
        if order.name == self.illegible:
            raise Stop(Problem(order.name, "not what was written there", "look"))
        return super().report(order)


@pytest.mark.parametrize("is_silent", [True, False])
def test_a_rollback_waits_a_minute_for_the_end_of_a_promote_action(*, is_silent: bool) -> None:
    scene = Scene(jobs=Illegible())
    scene.tick()
    assert isinstance(scene.jobs, Illegible)
    scene.jobs.outlives_stops = True
    scene.jobs.illegible = scene.promote_job if is_silent else ""
    scene.readings.reading = BROKEN
    scene.tick()
    for _ in range(5):
        scene.tick(after_s=10)
        assert (scene.phase, scene.split.steps_on) == (Phase.ROLLING_BACK, 0)
        assert scene.jobs.begun == [scene.promote_job]
    problems = scene.tick(after_s=10).problems
    assert "no word of its promote action's end within 60 s" in "".join(map(str, problems))
    scene.tick()
    assert scene.jobs.begun == [scene.promote_job, scene.rollback_job]
    scene.tick()
    assert scene.phase is Phase.ROLLED_BACK


@pytest.mark.parametrize("is_new_process", [False, True])
def test_a_run_that_cannot_be_read_keeps_its_route_and_hides_no_harm_of_another(
    *, is_new_process: bool
) -> None:
    scene = Scene()
    other = scene.ledger.start(replace(EXPERIMENT.policy, name="other", path="/other"), NOW_US).experiment
    scene.readings.reading = evidence(converted=0.12)
    scene.tick()
    (_, before) = scene.traffic.live
    problem = Problem(f"ledger: {other.uid}", "not what is written there", "start a newer one")
    assert isinstance(scene.ledger, MemoryLedger)
    scene.ledger.unread[other.uid] = Unread(other.uid, "other", problem)
    if is_new_process:
        scene.restart()
    told = scene.tick().problems
    assert (scene.split.steps_on, scene.traffic.live[1]) == (3, before)
    assert problem.what in "".join(map(str, told))
    scene.readings.reading = BROKEN
    scene.tick()
    assert (scene.phase, scene.split.steps_on, scene.traffic.live[1]) == (Phase.ROLLING_BACK, 0, before)


def test_a_person_s_wish_is_answered_at_the_next_look_whatever_is_measured() -> None:
    for reading in (evidence(), outage(), ZeroDivisionError("a defect")):
        scene = Scene()
        scene.readings.reading = reading
        scene.change(rollback_wish=WISH)
        scene.tick()
        assert scene.phase is Phase.ROLLING_BACK
        assert scene.reasons == ["PERSON_ROLLS_BACK"]


def test_an_outage_of_evidence_holds_and_then_does_as_the_policy_says() -> None:
    scene = Scene()
    scene.readings.reading = outage()
    tick = scene.tick()
    assert tick.problems == (scene.readings.reading,)
    for _ in range(3):
        scene.tick()
    assert scene.reasons == ["EVIDENCE_STALE"]
    assert scene.split.steps_on == 3
    scene.tick(after_s=1_800)
    assert scene.phase is Phase.PAUSED
    assert scene.reasons == ["EVIDENCE_STALE", "NO_DATA_PAUSES"]


def test_harm_that_the_proxy_sees_rolls_back_while_outcomes_stay_away() -> None:
    scene = Scene()
    scene.readings.reading = replace(changed(BROKEN, binary={}), watermark_us=None)
    scene.readings.problems = (outage(),)
    tick = scene.tick()
    assert scene.reasons == ["METRIC_HARMED"]
    assert tick.problems == scene.readings.problems, "what kept the outcomes away is said all the same"


def test_evidence_that_is_late_at_some_looks_is_not_waited_for_as_if_it_were_gone() -> None:
    scene = Scene(actions=Actions())
    scene.readings.reading = there = evidence(converted=0.12)
    scene.change(step=0, started_us=NOW_US, step_entered_us=NOW_US, fresh_us=NOW_US)
    for number in range(95):
        scene.readings.reading = replace(there, watermark_us=None) if number % 2 else there
        scene.tick(after_s=20.0)
    assert "STEP_PASSED" in scene.reasons
    assert not any(one.startswith("NO_DATA") for one in scene.reasons)


def test_freshness_is_recorded_often_enough_that_a_restart_does_not_forget_it() -> None:
    scene = Scene(actions=Actions())
    scene.readings.reading = evidence(converted=0.12)
    scene.change(step_entered_us=NOW_US - HOUR_US, started_us=NOW_US - HOUR_US)
    for _ in range(60):
        scene.tick(after_s=30)
    scene.restart()
    scene.readings.reading = outage()
    scene.tick(after_s=1_700)
    assert scene.reasons[-1] == "EVIDENCE_STALE"


def test_a_tick_that_is_overtaken_records_nothing() -> None:
    scene = Scene()
    scene.readings.meanwhile = lambda: scene.change(rollback_wish=WISH)
    tick = scene.tick()
    assert tick.was_overtaken
    assert scene.reasons == []
    scene.readings.meanwhile = None
    scene.tick()
    assert scene.reasons == ["PERSON_ROLLS_BACK"]


def test_the_same_reason_is_recorded_once_and_a_look_now_and_then() -> None:
    scene = Scene()
    scene.readings.reading = evidence(converted=0.12)
    scene.change(started_us=NOW_US, step_entered_us=NOW_US)
    for _ in range(60):
        scene.tick()
    assert set(scene.reasons) <= {"GOAL_UNPROVEN", "WINDOW_OPEN"}
    assert 25 <= len(scene.reasons) <= 31, "every two seconds while a run is young"


def test_what_has_ended_is_only_kept_as_it_is() -> None:
    scene = Scene()
    scene.change(phase=Phase.PROMOTED)
    asked = scene.readings.asked
    tick = scene.tick()
    assert (tick.decision, scene.readings.asked) == (None, asked)
    assert scene.split.is_promoted
    assert scene.reasons == []


def test_a_run_that_is_no_longer_served_is_nobody_s() -> None:
    assert Scene().reconciler.tick("zzzzzzzz", NOW_US) is None


def test_every_publication_holds_every_served_run() -> None:
    scene = Scene()
    other = scene.ledger.start(replace(EXPERIMENT.policy, name="other", path="/other"), NOW_US)
    scene.tick()
    assert [(one.policy.name, one.revision) for one in scene.traffic.live] == [
        ("churn-v2", 1),
        (other.experiment.policy.name, 1),
    ]


def test_a_run_is_published_with_its_range_of_its_layer() -> None:
    scene = Scene()
    scene.change(layer_range=Range(1_000, 5_000))
    scene.tick()
    assert scene.traffic.live[0].layer_range == Range(1_000, 5_000)


def test_an_action_whose_start_is_not_answered_is_started_again_later() -> None:
    scene = Scene()
    scene.jobs.failure = Retry(Problem("jobs", "no answer", "ask again"))
    assert scene.tick().problems == (scene.jobs.failure,)
    scene.tick()
    assert scene.phase is Phase.PROMOTING
    assert scene.jobs.begun == []
    scene.jobs.failure = None
    scene.tick()
    assert scene.jobs.begun == [scene.promote_job]


@pytest.mark.parametrize("purpose", Purpose)
@pytest.mark.parametrize("policy", ["a", "churn-v2", "x" * 30, "y" * 200])
def test_a_job_s_name_is_a_label_of_kubernetes(policy: str, purpose: Purpose) -> None:
    run = replace(EXPERIMENT, policy=replace(EXPERIMENT.policy, name=policy))
    name = job_name(run, purpose)
    assert len(name) <= 63
    assert name == f"ro-{policy[: 30 if purpose is Purpose.PROMOTE else 29]}-a1b2c3d4-candidate1-{purpose}-1"


def test_an_action_is_told_what_it_is_for() -> None:
    scene = Scene(actions=BOTH)
    scene.tick()
    told = scene.jobs.told[scene.promote_job]
    assert told == variables(scene.ledger.runs()[0].experiment, Purpose.PROMOTE)
    assert (told["ROLLOUT_POLICY"], told["ROLLOUT_VERSION"]) == ("churn-v2", "2.0.0")
    assert told["ROLLOUT_UID"] == scene.uid


def test_a_promote_action_that_was_given_up_before_it_began_never_begins() -> None:
    scene = Scene()
    scene.change(phase=Phase.PROMOTING, winner=1)
    late = order_for(scene.ledger.runs()[0].experiment, Purpose.PROMOTE)
    scene.change(phase=Phase.ROLLING_BACK)
    for _ in range(2):
        scene.tick()
    assert scene.phase is Phase.ROLLED_BACK
    assert late is not None
    scene.jobs.start(late)
    assert scene.jobs.begun == [scene.rollback_job], (
        "whoever decided to promote was held up, and comes too late"
    )


def test_a_promote_action_is_stopped_before_the_proxies_have_confirmed_anything() -> None:
    scene = Scene()
    scene.tick()
    scene.traffic.refusal = "not acknowledged"
    scene.readings.reading = evidence(errors=0.2)
    scene.tick()
    assert scene.phase is Phase.ROLLING_BACK
    assert scene.jobs.state(scene.promote_job) is JobState.FAILED
    assert scene.jobs.begun == [scene.promote_job]


def test_an_action_that_waits_for_a_person_is_said_and_waited_for() -> None:
    scene = Scene()
    scene.tick()
    scene.jobs.end(scene.promote_job, JobState.WAITING)
    scene.tick(after_s=40)
    assert (scene.phase, scene.reasons[-1]) == (Phase.PROMOTING, "PROMOTION_WAITS")
    scene.jobs.end(scene.promote_job, JobState.SUCCEEDED)
    scene.tick()
    assert scene.phase is Phase.PROMOTED


DEADLINE_S = 1_800.0 + GRACE_US / SECOND_US
"""After so long the controller ends an action itself."""


@pytest.mark.parametrize("is_restarted", [False, True])
def test_an_action_past_its_deadline_is_stopped_and_has_failed(*, is_restarted: bool) -> None:
    scene = Scene()
    scene.tick()
    scene.tick(after_s=DEADLINE_S - 10)
    assert scene.jobs.state(scene.promote_job) is JobState.RUNNING
    if is_restarted:
        scene.restart()
    scene.tick(after_s=20)
    assert scene.jobs.state(scene.promote_job) is JobState.FAILED
    scene.tick()
    assert (scene.phase, scene.split.steps_on) == (Phase.ACTION_FAILED, 3)
    assert scene.reasons[-1] == "PROMOTION_LATE"
    assert "its deadline of 1800 s is over" in last_report(scene).message
    assert_all_agree(scene.ledger, scene.uid)


def test_an_action_that_does_not_stop_is_not_waited_for_for_ever() -> None:
    scene = Scene()
    scene.tick()
    scene.jobs.outlives_stops = True
    scene.tick(after_s=DEADLINE_S)
    for _ in range(5):
        scene.tick(after_s=10)
        assert scene.phase is Phase.PROMOTING
    scene.tick(after_s=10)
    assert (scene.phase, scene.reasons[-1]) == (Phase.ACTION_FAILED, "PROMOTION_LATE")
    assert "it did not stop" in last_report(scene).message


@pytest.mark.parametrize("actions", [BOTH, replace(BOTH, promote=None)])
def test_a_rollback_whose_action_nobody_knows_ends_and_can_be_tried_again(actions: Actions) -> None:
    scene = Scene(actions=actions, jobs=Illegible())
    assert isinstance(scene.jobs, Illegible)
    scene.jobs.illegible = scene.rollback_job
    scene.readings.reading = BROKEN
    scene.tick()
    for _ in range(40):
        scene.tick(after_s=60)
    assert (scene.phase, scene.reasons[-1]) == (Phase.ACTION_FAILED, "ROLLBACK_LATE")
    assert "not what was written there" in last_report(scene).message
    scene.change(wish=replace(WISH, kind=Asked.RETRY))
    for _ in range(3):
        scene.tick()
    assert scene.rollback_job.endswith("-2")
    assert scene.phase is Phase.ROLLED_BACK


def test_another_action_of_the_name_is_never_taken_for_ours() -> None:
    scene = Scene()
    run = scene.ledger.runs()[0].experiment
    work = order_for(replace(run, phase=Phase.PROMOTING, winner=1), Purpose.PROMOTE)
    assert work is not None
    scene.jobs.start(replace(work, variables={"ROLLOUT_VERSION": "9.9.9"}))
    scene.jobs.end(work.name, JobState.SUCCEEDED)
    scene.tick()
    tick = scene.tick()
    assert (scene.phase, scene.split.is_promoted) == (Phase.PROMOTING, False)
    assert "another order" in "".join(map(str, tick.problems))


@pytest.mark.parametrize("jump_s", [-3_600, 0, 3_600])
def test_ten_seconds_for_zero_are_seconds_whatever_the_time_of_day_says(jump_s: int) -> None:
    scene = Scene()
    scene.traffic.refusal = "not acknowledged"
    scene.readings.reading = BROKEN
    scene.tick()
    scene.now_us += jump_s * SECOND_US
    for _ in range(9):
        scene.tick()
        assert scene.jobs.begun == []
    scene.tick()
    assert scene.jobs.begun == [scene.rollback_job]


def test_a_controller_that_has_just_begun_lets_proxies_find_it_before_it_acts() -> None:
    scene = Scene()
    scene.traffic.refusal = "not acknowledged"
    scene.readings.reading = BROKEN
    scene.tick()
    scene.restart()
    scene.tick(after_s=300)
    for _ in range(9):
        scene.tick()
        assert scene.jobs.begun == []
    scene.tick()
    assert scene.jobs.begun == [scene.rollback_job]


@pytest.mark.parametrize("jump_s", [-3_600, 0, 3_600])
@pytest.mark.parametrize("is_restarted", [False, True])
def test_a_promote_action_has_a_minute_to_end_whatever_the_time_of_day_says(
    *, is_restarted: bool, jump_s: int
) -> None:
    scene = Scene()
    scene.tick()
    scene.jobs.outlives_stops = True
    scene.readings.reading = BROKEN
    scene.tick()
    if is_restarted:
        scene.restart()
        scene.tick()
    scene.now_us += jump_s * SECOND_US
    for _ in range(5):
        scene.tick(after_s=10)
        assert scene.jobs.begun == [scene.promote_job]
    scene.tick(after_s=10)
    assert scene.jobs.begun == [scene.promote_job, scene.rollback_job]


def test_after_a_long_absence_a_promote_action_is_told_to_stop_before_the_rollback_s_begins() -> None:
    scene = Scene()
    scene.tick()
    scene.readings.reading = BROKEN
    scene.change(phase=Phase.ROLLING_BACK, action_from_us=scene.now_us)
    scene.restart()
    scene.tick(after_s=3_600)
    assert scene.jobs.state(scene.promote_job) is JobState.FAILED
    assert scene.jobs.begun == [scene.promote_job, scene.rollback_job]


def last_report(scene: Scene) -> JobReport:
    """Return what the newest entry says of the action."""
    basis = scene.ledger.basis(scene.uid, len(scene.reasons))
    assert basis is not None
    assert basis.job is not None
    return basis.job
