"""What a report says of metrics that are no shares: lifts of latency, polled values."""

from __future__ import annotations

from dataclasses import replace

from rollout.domain.decision import Decision, Reason
from rollout.domain.experiment import Phase
from rollout.domain.history import Entry
from rollout.domain.metric import MetricType, Role, Source
from rollout.domain.report import MetricLine, report
from rollout.domain.verdict import Finding, Verdict
from tests.domain.scenes import EXPERIMENT, NOW_US, judgement

P99 = EXPERIMENT.policy.metrics[2]
SLOWER = replace(P99, name="p95", role=Role.GUARDRAIL, quantile=0.95, max_us=None, margin=0.1)
GPU = replace(
    P99,
    name="gpu",
    source=Source.PROMETHEUS,
    type=MetricType.THRESHOLD,
    max_us=None,
    quantile=None,
    maximum=0.9,
)


def lines() -> dict[str, MetricLine]:
    run = replace(
        EXPERIMENT, policy=replace(EXPERIMENT.policy, metrics=(*EXPERIMENT.policy.metrics, SLOWER, GPU))
    )
    found = (
        Verdict("p95", Finding.SAFE, estimate=0.02, interval=(-0.03, 0.07)),
        Verdict("gpu", Finding.SAFE, estimate=0.83),
    )
    judged = replace(judgement(), verdicts=(*judgement().verdicts, *found))
    entry = Entry(
        1, NOW_US, Decision(Reason.STEP_UNFINISHED), run.phase, run.step, judged, NOW_US, 1, run.policy
    )
    return {line.name: line for line in report(run, (entry,)).metrics}


def test_a_latency_beside_the_control_s_is_a_lift() -> None:
    line = lines()["p95"]
    assert (line.is_share, line.aim) == (False, 0.1)
    assert line.question == "Is p95 no more than 10 % worse?"
    assert "about +2.0 %" in line.sentence


def test_a_polled_value_is_no_percentage() -> None:
    line = lines()["gpu"]
    assert (line.question, line.sentence) == ("Does gpu keep its bound, poll after poll?", "Proven safe.")
    assert (line.points, line.last) == ((), None)
    assert lines()["p99"].question == "Do 99 % of requests answer within 250 ms?"


def test_a_new_revision_is_an_event_and_shows_its_own_looks_alone() -> None:
    long, shorter = EXPERIMENT.policy, replace(EXPERIMENT.policy, steps=EXPERIMENT.policy.steps[1:])
    last = len(long.steps) - 1
    told = (
        # number, reason, step, revision, policy
        (1, Reason.STEP_PASSED, last, 1, long),
        (2, Reason.GOAL_UNPROVEN, last, 1, long),
        (3, Reason.STEP_UNFINISHED, 0, 2, shorter),
    )
    looks = [
        Entry(
            number, NOW_US + number, Decision(reason), Phase.RUNNING, step, judgement(), NOW_US, own, policy
        )
        for number, reason, step, own, policy in told
    ]
    page = report(replace(EXPERIMENT, policy=shorter, revision=2, step=0), looks)
    assert [event.what for event in page.events] == [
        "Advanced to 50 % of the units",
        "Held",
        "Revision 2 begun: the policy was changed",
        "Held",
    ]
    assert page.metrics
    assert all(len(line.points) <= 1 for line in page.metrics)


def test_before_a_new_revision_has_been_looked_at_nothing_is_known() -> None:
    decision, policy = Decision(Reason.GOAL_UNPROVEN), EXPERIMENT.policy
    look = Entry(1, NOW_US, decision, Phase.RUNNING, 0, judgement(), NOW_US, 1, policy)
    page = report(replace(EXPERIMENT, revision=2, step=0), (look,))
    assert page.metrics == ()
    assert "nothing has been looked at yet" in page.answer
