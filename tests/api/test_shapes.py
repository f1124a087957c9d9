"""Numbers of an answer say what they are counted in, and people read them so."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollout.api.shapes import experiment_answer, verdict_answer
from rollout.cli.board import headline
from rollout.cli.words import staleness, verdict_sentence
from rollout.client.answers import Scale
from rollout.domain.decision import Decision, Reason
from rollout.domain.history import Entry
from rollout.domain.verdict import Finding, Verdict
from rollout.ports import Standing
from tests.domain.scenes import EXPERIMENT, NOW_US, judgement
from tests.domain.test_report import GPU, SLOWER

POLICY = replace(EXPERIMENT.policy, metrics=(*EXPERIMENT.policy.metrics, SLOWER, GPU))


def test_a_limit_is_a_share_and_a_latency_beside_the_control_s_a_lift() -> None:
    found = [verdict_answer(POLICY, Verdict(name, Finding.SAFE, estimate=0.02)) for name in ("p99", "p95")]
    assert [(one.scale, one.limit) for one in found] == [(Scale.SHARE, 0.01), (Scale.LIFT, None)]


def test_a_polled_value_is_itself_beside_its_bound() -> None:
    found = verdict_answer(POLICY, Verdict("gpu", Finding.SAFE, estimate=0.83))
    assert (found.scale, found.limit, found.estimate) == (Scale.VALUE, 0.9, 0.83)
    assert (
        verdict_sentence(found)
        == "gpu is safe: 0.83 when last polled, with a bound of 0.9, its last polls all kept it"
    )


@pytest.mark.parametrize(
    ("verdict", "sentence"),
    [
        (
            Verdict("gpu", Finding.HARMED, estimate=0.95),
            "0.95 when last polled, with a bound of 0.9, its polls broke it",
        ),
        (Verdict("gpu", Finding.UNCLEAR, estimate=0.5), "with a bound of 0.9, its last polls do not agree"),
        (Verdict("gpu", Finding.MISSING), "gpu is missing: its last polls measured nothing"),
        (Verdict("gpu", Finding.UNCLEAR, is_immature=True), "gpu is unclear: nothing was measured yet"),
    ],
)
def test_what_the_last_polls_say_is_told(verdict: Verdict, sentence: str) -> None:
    assert sentence in verdict_sentence(verdict_answer(POLICY, verdict))


def test_a_doubt_and_who_holds_the_evidence_up_are_said_where_verdicts_are_shown() -> None:
    lost = "n1 lost records (outcomes: 3), and they may be this run's"
    verdicts = (Verdict("p99", Finding.MISSING, why=lost), Verdict("fallback", Finding.MISSING))
    judged = replace(judgement(), verdicts=verdicts, evidence_is_fresh=False, held_by="n2 is silent")
    entry = Entry(
        1, NOW_US, Decision(Reason.EVIDENCE_MISSING), EXPERIMENT.phase, 2, judged, NOW_US, 1, POLICY
    )
    standing = Standing(replace(EXPERIMENT, policy=POLICY), 1, entry)
    answer = experiment_answer(standing, NOW_US, is_live=True)
    assert answer.look is not None
    said, other = map(verdict_sentence, answer.look.verdicts)
    assert said == f"p99 is missing: {lost}"
    assert other == "fallback is missing: not measured"
    assert staleness(answer.look) == ", too old for this step: n2 is silent"
    lines = headline(answer, answer.look.at)
    assert f"p99: {lost}" in lines
    assert any(line.endswith("too old for this step: n2 is silent") for line in lines)
    assert staleness(answer.look.model_copy(update={"evidence_is_fresh": True})) == ""
