"""What a report says of metrics that are no shares: lifts of latency, polled values."""

from __future__ import annotations

from dataclasses import replace

from rollout.domain.decision import Decision, Reason
from rollout.domain.history import Entry
from rollout.domain.policy import MetricType, Role, Source
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
