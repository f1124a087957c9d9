"""Numbers of an answer say what they are counted in, and people read them so."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollout.api.shapes import verdict_answer
from rollout.cli.words import verdict_sentence
from rollout.client.answers import Scale
from rollout.domain.verdict import Finding, Verdict
from tests.domain.scenes import EXPERIMENT
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
    least = replace(POLICY, metrics=(replace(GPU, maximum=None, minimum=0.2),))
    assert verdict_answer(least, Verdict("gpu", Finding.SAFE)).limit == 0.2


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
