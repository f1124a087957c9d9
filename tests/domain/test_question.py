"""What a policy asks: its metrics, and beside them whether the candidate itself answers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollout.domain.metric import MetricType
from rollout.domain.policy import Policy, Resilience
from rollout.domain.question import FALLBACK, questions
from tests.domain.scenes import EXPERIMENT

POLICY = EXPERIMENT.policy


def with_error_window(window_s: float | None) -> Policy:
    others = tuple(metric for metric in POLICY.metrics if metric.type is not MetricType.ERROR_RATE)
    (errors,) = (metric for metric in POLICY.metrics if metric.type is MetricType.ERROR_RATE)
    own = () if window_s is None else (replace(errors, window_s=window_s),)
    return replace(POLICY, metrics=(*others, *own))


@pytest.mark.parametrize(("window_s", "due_s"), [(5.0, 5.0), (600.0, 600.0), (3600.0, 600.0), (None, 600.0)])
def test_fallbacks_are_due_as_soon_as_errors_are(window_s: float | None, due_s: float) -> None:
    last = questions(with_error_window(window_s))[-1]
    assert (last.name, last.window_s) == (FALLBACK, due_s)


def test_without_a_fallback_nobody_asks_who_answered() -> None:
    alone = replace(POLICY, resilience=Resilience(falls_back=False))
    assert [question.name for question in questions(alone)] == [metric.name for metric in POLICY.metrics]
