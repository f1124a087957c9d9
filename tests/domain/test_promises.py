"""What holds of every decision, whatever the state: drawn at random over phases, arms, wishes and looks."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st

from rollout.domain.decide import MOVES_UP, decide
from rollout.domain.decision import Action, Reason
from rollout.domain.evolve import evolve
from rollout.domain.experiment import ENDED, GAP_US, Experiment, JobState, Phase, split_of
from rollout.domain.policy import Choice, Decide, Hold, MirrorStep, Policy, Version
from rollout.domain.verdict import Finding, Judgement, MirrorVerdict, Verdict
from rollout.domain.wish import Approval, Asked, Wish
from tests.domain.scenes import EXPERIMENT, FINDINGS, HOUR_US, NOW_US, SECOND_US, judgement

OVERRULED: Final = frozenset({Reason.PERSON_ADVANCES, Reason.PERSON_PROMOTES})
PERSONS_BACK: Final = frozenset({Reason.PERSON_STOPS, Reason.PERSON_RETIRES})
AWAY: Final = {Phase.ROLLING_BACK, Phase.ROLLED_BACK, Phase.STOPPED, Phase.RETIRED}
PROVEN: Final = {Finding.BETTER, Finding.SAFE}
MIRROR: Final = MirrorStep(1_000, Hold(for_s=1_800.0))
VERSIONS: Final = tuple(Version(f"{arm}.0", f"http://127.0.0.1:800{arm}") for arm in range(2, 5))

choices = st.sampled_from(Choice)
policies = st.builds(
    lambda candidates, mirrors, wanted, approvers, watch_s: replace(
        EXPERIMENT.policy,
        candidates=VERSIONS[:candidates],
        mirror_steps=(MIRROR,) * mirrors,
        decide=wanted,
        approvers=approvers,
        watch_s=watch_s,
    ),
    st.integers(1, 3),
    st.integers(0, 2),
    st.builds(Decide, inconclusive=choices, mismatch=choices, no_data_then=choices, mirror=choices),
    st.sampled_from([(), ("leads",), ("leads", "legal")]),
    st.sampled_from([0.0, 1_800.0]),
)
wishes = st.none() | st.builds(
    Wish,
    who=st.just("ann"),
    why=st.just("because"),
    at_us=st.just(NOW_US),
    kind=st.sampled_from(Asked),
    group=st.sampled_from([None, "leads", "legal", "somebody"]),
    arm=st.sampled_from([None, 1, 2, 3]),
)
ages = st.integers(-HOUR_US, 20 * 24 * HOUR_US)


@st.composite
def experiments(draw: st.DrawFn) -> Experiment:
    """Return a run anywhere in its life."""
    policy: Policy = draw(policies)
    arms = range(1, policy.arms)
    now_in = draw(st.sampled_from(Phase))
    chosen = now_in in {Phase.PROMOTING, Phase.WATCHING, Phase.PROMOTED}
    paused = NOW_US - draw(ages) if now_in is Phase.PAUSED else None
    return replace(
        EXPERIMENT,
        policy=policy,
        phase=now_in,
        step=draw(st.integers(0, len(policy.stages) - 1)),
        step_entered_us=NOW_US - draw(ages),
        fresh_us=NOW_US - draw(st.integers(-HOUR_US, 2 * HOUR_US)),
        rollback_failed=now_in is Phase.ACTION_FAILED and draw(st.booleans()),
        rollback_wish=draw(st.sampled_from([None, None, None, Wish("ann", "why", NOW_US)])),
        wish=draw(wishes),
        stopped=draw(st.dictionaries(st.sampled_from(arms), st.just(NOW_US - HOUR_US), max_size=2)),
        winner=draw(st.sampled_from(arms)) if chosen else None,
        watch_from_us=NOW_US - draw(ages) if now_in is Phase.WATCHING else None,
        paused_us=paused,
        is_paused_by_person=paused is not None and draw(st.booleans()),
        idle_us=draw(st.integers(0, HOUR_US)),
        approvals=tuple(
            Approval(group, "ann", "fine", NOW_US)
            for group in draw(st.sampled_from([(), ("leads",), ("leads", "legal")]))
        ),
    )


verdicts = st.builds(
    lambda found, arm, needs, immature, outage: [
        Verdict(name, finding, arm, needs_proof=needs, is_immature=immature, is_outage=outage)
        for name, finding in found.items()
    ],
    st.fixed_dictionaries({}, optional=dict.fromkeys(FINDINGS, st.sampled_from(Finding)))
    | st.fixed_dictionaries(dict.fromkeys(FINDINGS, st.sampled_from([Finding.SAFE, Finding.BETTER]))),
    st.integers(1, 3),
    st.sampled_from([True, True, False]),
    st.sampled_from([False, False, True]),
    st.sampled_from([False, False, True]),
)
shadows = st.builds(
    MirrorVerdict,
    arm=st.integers(1, 3),
    copies=st.integers(0, 3),
    failures=st.just(0),
    log_e_failing=st.sampled_from([0.0, 9.0]),
    bar=st.just(8.0),
)
often = st.sampled_from([True, True, True, False])
looks = st.builds(
    lambda found, holds, fresh, live, opened, units, copies: replace(
        judgement(),
        verdicts=tuple(verdict for group in found for verdict in group),
        split_holds=holds,
        evidence_is_fresh=fresh,
        traffic_is_live=live,
        window_is_open=opened,
        units_in_step=units,
        mirrors=tuple(copies),
    ),
    st.lists(verdicts, max_size=4),
    often,
    often,
    often,
    often,
    st.sampled_from([(), (900, 900), (900, 900, 900, 900), (900, 0, 900, 900)]),
    st.lists(shadows, max_size=3),
)
jobs = st.sampled_from([None, *JobState])
many = settings(max_examples=400)


def share(experiment: Experiment) -> tuple[int, int]:
    """Return how much of the traffic candidates get, as what only grows when they get more."""
    split = split_of(experiment)
    return (2 if split.is_released else int(split.is_promoted), split.steps_on)


@many
@given(experiments(), looks, jobs)
def test_it_always_decides_and_its_state_follows(
    experiment: Experiment, judged: Judgement, job: JobState | None
) -> None:
    decision = decide(experiment, judged, job, NOW_US)
    after = evolve(experiment, judged, decision, NOW_US)
    assert 0 <= after.step < len(after.policy.stages)
    # What begins now begins at the latest moment that anybody has seen: the clock may have been set back.
    is_watch_new = after.watch_from_us == max(NOW_US, after.fresh_us)
    assert after.idle_us >= experiment.idle_us or after.step > experiment.step or is_watch_new
    assert after.fresh_us >= experiment.fresh_us
    if experiment.wish is not None and after.wish is None:
        assert decision.wish == experiment.wish
    if experiment.phase in ENDED:
        assert after.phase in {experiment.phase, Phase.RETIRED}


@many
@given(experiments(), looks, jobs)
def test_traffic_grows_only_when_everything_allows_it(
    experiment: Experiment, judged: Judgement, job: JobState | None
) -> None:
    decision = decide(experiment, judged, job, NOW_US)
    after = evolve(experiment, judged, decision, NOW_US)
    if decision.reason in MOVES_UP:
        assert judged.traffic_is_live
        assert judged.window_is_open
        assert not any(
            one.finding is Finding.HARMED for one in judged.verdicts if one.arm in after.active_arms
        )
    if share(after) > share(experiment) and experiment.phase is not Phase.ACTION_FAILED:
        assert decision.reason in MOVES_UP
        assert experiment.phase in {Phase.RUNNING, Phase.PROMOTING, Phase.WATCHING}
    if decision.reason in {Reason.STEP_PASSED, Reason.GOAL_PROVEN, Reason.WATCH_PASSED}:
        assert judged.evidence_is_fresh
    if decision.reason in {Reason.STEP_PASSED, Reason.GOAL_PROVEN}:
        assert judged.split_holds
        assert experiment.phase in {Phase.RUNNING, Phase.AWAITING_APPROVAL}


@many
@given(experiments(), looks, jobs)
def test_only_complete_proof_promotes_or_a_person_by_name(
    experiment: Experiment, judged: Judgement, job: JobState | None
) -> None:
    decision = decide(experiment, judged, job, NOW_US)
    after = evolve(experiment, judged, decision, NOW_US)
    if decision.reason is Reason.GOAL_PROVEN:
        own = {one.metric: one for one in judged.verdicts if one.arm == decision.arm}
        assert set(own) == set(FINDINGS)
        assert all(one.finding in PROVEN or not one.needs_proof for one in own.values())
        assert {one.group for one in experiment.approvals} >= set(experiment.policy.approvers)
        assert after.winner == decision.arm
    elif after.phase is Phase.PROMOTING and experiment.phase is not Phase.PROMOTING:
        assert decision.reason in {Reason.PERSON_PROMOTES, Reason.PERSON_RETRIES}
        assert decision.wish is not None
    if decision.reason in OVERRULED:
        assert decision.wish == experiment.wish
        assert after.wish is None


@many
@given(experiments(), looks, jobs)
def test_a_metric_that_is_missing_moves_nothing_up(
    experiment: Experiment, judged: Judgement, job: JobState | None
) -> None:
    gone = tuple(one for one in judged.verdicts if one.metric != "errors")
    reason = decide(experiment, replace(judged, verdicts=gone), job, NOW_US).reason
    is_mirrored = experiment.step < len(experiment.policy.mirror_steps)
    if not is_mirrored:
        assert reason not in {Reason.STEP_PASSED, Reason.GOAL_PROVEN, Reason.APPROVAL_NEEDED}


def is_gone(experiment: Experiment) -> bool:
    """Return whether no candidate has traffic, or will have any again."""
    return experiment.phase in AWAY or experiment.rollback_failed


@many
@given(experiments(), looks, jobs)
def test_harm_always_stops_the_candidate(
    experiment: Experiment, judged: Judgement, job: JobState | None
) -> None:
    harmed = [
        one.arm
        for one in judged.verdicts
        if one.finding is Finding.HARMED and one.arm in experiment.active_arms
    ]
    if not harmed or experiment.phase in ENDED or experiment.rollback_failed:
        return
    # Each look stops one candidate; a few later all that harm are gone.
    for _ in range(3):
        decision = decide(experiment, judged, job, NOW_US)
        assert decision.action in {Action.ROLL_BACK, Action.STOP_ARM} or experiment.phase in AWAY
        experiment = evolve(experiment, judged, decision, NOW_US)
        if not set(harmed) & set(experiment.active_arms) or is_gone(experiment):
            break
    split = split_of(experiment)
    assert not split.is_promoted
    assert (is_gone(experiment) and split.steps_on == 0) or set(harmed) <= split.stopped


@many
@given(experiments(), looks, jobs, st.integers(1, 48 * HOUR_US))
def test_a_step_back_in_time_never_moves_traffic_up(
    experiment: Experiment, judged: Judgement, job: JobState | None, back_us: int
) -> None:
    before = decide(experiment, judged, job, NOW_US)
    earlier = decide(experiment, judged, job, NOW_US - back_us)
    rises = {Reason.STEP_PASSED, Reason.GOAL_PROVEN, Reason.WATCH_PASSED}
    if earlier.reason in rises:
        # Only time that has passed since may have taken the way up away: a deadline, or a gap.
        assert before.reason in {earlier.reason, Reason.STEP_UNFINISHED, Reason.WATCH_RUNNING} or (
            before.action in {Action.PAUSE, Action.ROLL_BACK}
        )


@many
@given(experiments(), looks, st.integers(1, 48 * HOUR_US))
def test_a_look_back_in_time_makes_no_step_older(
    experiment: Experiment, judged: Judgement, back_us: int
) -> None:
    decision = decide(experiment, judged, None, NOW_US - back_us)
    after = evolve(experiment, judged, decision, NOW_US - back_us)
    if decision.action is Action.HOLD:
        # What lags by less than a gap, before and after the look, is not left out.
        assert after.dwelt_us(NOW_US) <= experiment.dwelt_us(NOW_US) + 2 * GAP_US
    assert after.excused_us >= experiment.excused_us or after.step > experiment.step


@many
@given(experiments(), looks, st.lists(st.integers(-HOUR_US, HOUR_US), min_size=2, max_size=6))
def test_a_clock_that_jumps_never_shortens_a_dwell(
    experiment: Experiment, judged: Judgement, jumps: list[int]
) -> None:
    run = replace(experiment, phase=Phase.RUNNING, paused_us=None, wish=None, rollback_wish=None)
    entered_us, now_us = run.step_entered_us, NOW_US
    for jump in jumps:
        now_us += jump
        decision = decide(run, judged, None, now_us)
        if decision.reason is Reason.STEP_PASSED and run.step_entered_us == entered_us:
            assert now_us - entered_us >= run.current_step.hold.for_s * SECOND_US
        run = evolve(run, judged, decision, now_us)
