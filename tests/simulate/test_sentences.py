"""Sentences of a scenario mean what they say, and what cannot be meant is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rollout.domain.metric import Direction
from rollout.simulation.levels import Levels, Span
from rollout.simulation.scenario import Change, Effect, Fault, FaultKind, Moment, Scenario
from rollout.simulation.sentences import effect, fault, span_s
from tests.domain.examples import POLICY

HOUR_S = 3_600.0


@pytest.mark.parametrize(
    ("sentence", "meant"),
    [
        ("errors=20%", Effect("errors", Change(level=0.2))),
        ("errors = 0.02", Effect("errors", Change(level=0.02))),
        ("converted=+6%", Effect("converted", Change(relative=0.06))),
        ("primary=-1.5x", Effect("primary", Change(aims=-1.5))),
        ("errors=5% for candidate 2", Effect("errors", Change(level=0.05), arm=2)),
        (
            "errors=5% for everyone at 2h",
            Effect("errors", Change(level=0.05), is_shared=True, begins=Moment(2 * HOUR_S)),
        ),
        (
            "errors=20% at step 2 for 10m",
            Effect("errors", Change(level=0.2), begins=Moment(0, 2), lasts_s=600.0),
        ),
        ("errors=5% at step 2 + 3h", Effect("errors", Change(level=0.05), begins=Moment(3 * HOUR_S, 2))),
        ("p99=10% over 2d", Effect("p99", Change(level=0.1), ramp_s=48 * HOUR_S)),
    ],
)
def test_an_effect_is_read(sentence: str, meant: Effect) -> None:
    assert effect(sentence) == meant


@pytest.mark.parametrize(
    ("sentence", "meant"),
    [
        ("outcomes silent at 1d for 2h", Fault(FaultKind.SILENT, Moment(24 * HOUR_S), 2 * HOUR_S)),
        ("metrics silent", Fault(FaultKind.BLIND)),
        ("lose 20% of candidate at step 2", Fault(FaultKind.LOST, Moment(0, 2), share=0.2)),
        ("clock -90s for 1h", Fault(FaultKind.CLOCK, lasts_s=HOUR_S, jump_s=-90.0)),
    ],
)
def test_a_fault_is_read(sentence: str, meant: Fault) -> None:
    assert fault(sentence) == meant


@pytest.mark.parametrize(
    "sentence",
    ["", "errors", "errors=", "errors=+5", "errors=-100%", "errors=5% at step 0", "errors=5% for 10"],
)
def test_an_effect_that_says_nothing_is_refused(sentence: str) -> None:
    with pytest.raises(ValueError, match="must"):
        effect(sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "",
        "silent",
        "lose 0% of candidate",
        "lose 120% of candidate",
        "outcomes silent over 2h",
        "clock +2h at step 2",
    ],
)
def test_a_fault_that_says_nothing_is_refused(sentence: str) -> None:
    with pytest.raises(ValueError, match=r"must|leave out|write a time"):
        fault(sentence)


def test_a_span_has_a_unit() -> None:
    assert (span_s("90s"), span_s("1.5h"), span_s("200ms")) == (90.0, 5_400.0, 0.2)
    with pytest.raises(ValueError, match="must be a number with"):
        span_s("15")


def level(sentence: str, name: str, at_s: float, **changes: object) -> list[float]:
    """Return a metric's level in control and candidate in the minute after a moment; step 2 is at 1 h."""
    goal = replace(POLICY.metrics[0], **changes)  # type: ignore[arg-type]
    policy = replace(POLICY, metrics=(goal, *POLICY.metrics[1:]))
    levels = Levels(policy, Scenario(effects=(effect(sentence),)))
    entered_s = np.array([[0.0, HOUR_S, np.inf]])
    return [*levels.at(name, Span(at_s, at_s + 60.0), entered_s)[0].tolist()]


def test_an_effect_is_felt_when_and_by_whom_it_says() -> None:
    usual = level("errors=+0%", "converted", 0.0)[0]
    assert level("converted=+10%", "converted", 0.0) == pytest.approx([usual, 1.1 * usual])
    assert level("converted=+10% for everyone", "converted", 0.0) == pytest.approx([1.1 * usual] * 2)
    late = "converted=+10% at step 2 for 30m"
    found = [level(late, "converted", at_s)[1] for at_s in (0.0, HOUR_S, HOUR_S + 1_770.0, 2 * HOUR_S)]
    # In the third minute it lasts for half of the time.
    assert found == pytest.approx([usual, 1.1 * usual, 1.05 * usual, usual])
    assert level("converted=+10% at step 3", "converted", 9 * HOUR_S)[1] == usual
    slow = level("converted=+10% over 2h", "converted", HOUR_S - 30.0)[1]
    assert slow == pytest.approx(1.05 * usual)


def test_a_multiple_is_of_the_metric_s_own_aim_and_more_is_better_for_a_goal() -> None:
    usual = level("errors=+0%", "converted", 0.0)[0]
    assert level("primary=+2x", "converted", 0.0)[1] == pytest.approx(1.1 * usual)
    fewer = level("primary=+2x", "converted", 0.0, direction=Direction.DECREASE)[1]
    assert fewer == pytest.approx(0.9 * usual)
    errors = level("errors=+1x", "errors", 0.0)
    assert errors[1] == pytest.approx(1.1 * errors[0])
