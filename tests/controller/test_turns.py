"""The later turns of a run: its watch and release, stopped candidates, failed actions, revisions, hours."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rollout.domain.assignment import Split
from rollout.domain.experiment import Experiment, JobState, Phase
from rollout.domain.policy import Actions, LocalCommand, Opening
from rollout.domain.revise import revise
from rollout.domain.wish import Asked, Wish
from tests.controller.worlds import BOTH, Scene, outage
from tests.domain.examples import POLICY
from tests.domain.lives import TWO
from tests.domain.scenes import NOW_US, evidence

BROKEN = evidence(errors=0.2)
RETRY = Wish("ann", "the disk is larger now", NOW_US, Asked.RETRY)
WATCHED = replace(POLICY, watch_s=60.0)


def test_a_promotion_is_watched_with_the_hold_back_and_then_released() -> None:
    scene = Scene(actions=Actions(), policy=WATCHED)
    for _ in range(2):
        scene.tick()
    assert (scene.phase, scene.split) == (Phase.WATCHING, Split(is_promoted=True))
    for _ in range(11):
        scene.tick(after_s=5)
    assert scene.phase is Phase.WATCHING
    scene.tick(after_s=5)
    assert (scene.phase, scene.split) == (Phase.PROMOTED, Split(is_promoted=True, is_released=True))
    assert [one for one in scene.reasons if one != "WATCH_RUNNING"] == [
        "GOAL_PROVEN",
        "PROMOTION_DONE",
        "WATCH_PASSED",
    ]


def test_a_watch_without_evidence_is_not_over() -> None:
    scene = Scene(actions=Actions(), policy=WATCHED)
    for _ in range(2):
        scene.tick()
    scene.readings.reading = outage()
    for _ in range(20):
        scene.tick(after_s=5)
    assert (scene.phase, scene.reasons[-1]) == (Phase.WATCHING, "EVIDENCE_STALE")
    scene.readings.reading = evidence()
    scene.tick(after_s=5)
    assert scene.phase is Phase.WATCHING
    assert not scene.split.is_released


def test_a_limit_violated_in_the_watch_takes_everybody_back_and_errors_alone_do_not() -> None:
    scene = Scene(policy=WATCHED)
    scene.tick()
    scene.jobs.end(scene.promote_job, JobState.SUCCEEDED)
    scene.tick()
    scene.readings.reading = BROKEN
    scene.tick()
    assert scene.phase is Phase.WATCHING
    scene.readings.reading = evidence(exceeding=0.1)
    scene.tick()
    assert (scene.phase, scene.split) == (Phase.ROLLING_BACK, Split())
    assert scene.jobs.begun == [scene.promote_job, scene.rollback_job]
    scene.tick()
    assert [one for one in scene.reasons if not one.endswith("_RUNNING")] == [
        "GOAL_PROVEN",
        "PROMOTION_DONE",
        "WATCH_VIOLATED",
        "ROLLBACK_DONE",
    ]


def test_harm_of_one_of_two_candidates_takes_its_traffic_alone() -> None:
    scene = Scene(policy=TWO.policy)
    good, bad = evidence().arms[0], BROKEN.arms[0]
    scene.readings.reading = replace(
        evidence(converted=0.12),
        enrolled=np.array([[40_000, 40_000, 40_000]]),
        units_in_step=np.array([20_000, 20_000, 20_000]),
        arms=(good, bad),
    )
    scene.tick()
    assert (scene.phase, scene.split.stopped, scene.split.steps_on) == (Phase.RUNNING, frozenset({2}), 3)
    assert scene.jobs.begun == []
    scene.tick()
    assert (scene.phase, scene.split.stopped) == (Phase.PROMOTING, frozenset({2}))
    assert scene.reasons == ["ARM_HARMED", "GOAL_PROVEN"]


def test_a_failed_action_is_begun_again_under_a_new_name() -> None:
    scene = Scene()
    scene.tick()
    first = scene.promote_job
    scene.jobs.end(first, JobState.FAILED)
    scene.tick()
    scene.change(wish=RETRY)
    scene.tick()
    assert (scene.phase, scene.jobs.begun) == (Phase.PROMOTING, [first, scene.promote_job])
    assert scene.promote_job == first.removesuffix("-1") + "-2"
    scene.jobs.end(scene.promote_job, JobState.SUCCEEDED)
    scene.tick()
    assert (scene.phase, scene.split.is_promoted) == (Phase.PROMOTED, True)
    assert scene.ledger.history(scene.uid)[2].decision.wish == RETRY


def test_a_failed_rollback_is_begun_again_and_traffic_stays_at_zero() -> None:
    scene = Scene(actions=replace(BOTH, rollback=LocalCommand(("false",))))
    scene.readings.reading = BROKEN
    for _ in range(2):
        scene.tick()
    assert (scene.phase, scene.split) == (Phase.ACTION_FAILED, Split())
    scene.change(wish=RETRY)
    for _ in range(2):
        scene.tick()
    assert scene.split == Split()
    assert [name[-1] for name in scene.jobs.begun] == ["1", "2"]


def test_a_new_revision_is_published_from_its_first_step() -> None:
    scene = Scene()
    scene.readings.reading = evidence(converted=0.12)
    scene.tick()
    (seen,) = scene.ledger.runs()
    revised = revise(seen.experiment, replace(seen.experiment.policy, holdout_bp=200), scene.now_us)
    assert isinstance(revised, Experiment)
    assert scene.ledger.revise(seen, revised, scene.now_us)
    scene.tick()
    (live,) = scene.traffic.live
    assert (live.revision, live.split.steps_on, live.policy.holdout_bp) == (2, 1, 200)
    assert scene.reasons[-1] == "STEP_UNFINISHED"


def test_a_new_process_asks_the_proxies_before_it_says_that_they_do_not_follow() -> None:
    scene = Scene()
    scene.traffic.refusal = "not acknowledged"
    for _ in range(2):
        scene.tick()
    assert (scene.phase, scene.reasons) == (Phase.RUNNING, ["TRAFFIC_NOT_LIVE"])
    scene.traffic.refusal = None
    for _ in range(2):
        scene.tick()
    assert scene.phase is Phase.PROMOTING


def test_outside_its_hours_and_in_a_zone_that_nobody_knows_nothing_moves_up() -> None:
    never = Opening((), 0, 24 * 60, "UTC")
    for opening, problem in ((never, None), (replace(never, zone="Sea/Atlantis"), "Sea/Atlantis")):
        scene = Scene(policy=replace(POLICY, advance=opening))
        tick = scene.tick()
        assert (scene.phase, scene.reasons) == (Phase.RUNNING, ["OUTSIDE_HOURS"])
        assert ("".join(map(str, tick.problems)) == "") == (problem is None)
        assert problem is None or problem in str(tick.problems[0])
        scene.readings.reading = BROKEN
        scene.tick()
        assert scene.phase is Phase.ROLLING_BACK
