"""Judging: proof, harm, absence and latches on whole looks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rollout.domain.evidence import Evidence
from rollout.domain.judge import FALLBACK, Patience, judge
from rollout.domain.measure.planned import planned_information
from rollout.domain.policy import Expect, Level
from rollout.domain.verdict import Finding, Judgement
from tests.domain.scenes import EXPERIMENT, HOUR_US, NOW_US, SECOND_US, changed, evidence

PATIENCE = Patience()


def findings(judged: Judgement) -> dict[str, Finding]:
    return {verdict.metric: verdict.finding for verdict in judged.verdicts}


def look(seen: Evidence) -> Judgement:
    return judge(EXPERIMENT, seen, NOW_US, PATIENCE)


def test_a_better_and_safe_candidate_is_proven_so() -> None:
    judged = look(evidence())
    assert findings(judged) == {
        "converted": Finding.BETTER,
        "errors": Finding.SAFE,
        "p99": Finding.SAFE,
        FALLBACK: Finding.SAFE,
    }
    assert judged.split_holds
    assert judged.evidence_is_fresh


def test_an_equal_candidate_is_unclear_and_a_worse_one_harmed() -> None:
    assert findings(look(evidence(converted=0.12)))["converted"] is Finding.UNCLEAR
    assert findings(look(evidence(converted=0.09)))["converted"] is Finding.HARMED


@pytest.mark.parametrize("rate", [0.0, 1e-6, 1e-4, 0.001, 0.01, 0.06])
def test_the_worse_a_candidate_the_surer_is_its_harm(rate: float) -> None:
    """A candidate that converts nobody has no unit with a value, and is as bad as can be."""
    assert findings(look(evidence(converted=rate)))["converted"] is Finding.HARMED


def test_failing_requests_and_slow_ones_are_harm() -> None:
    assert findings(look(evidence(errors=0.05)))["errors"] is Finding.HARMED
    assert findings(look(evidence(exceeding=0.05)))["p99"] is Finding.HARMED
    assert findings(look(evidence(fallbacks=0.02)))[FALLBACK] is Finding.UNCLEAR


def test_errors_below_the_floor_are_safe_whatever_their_ratio() -> None:
    verdict = next(v for v in look(evidence(errors=0.0007, units=200_000)).verdicts if v.metric == "errors")
    assert verdict.finding is Finding.SAFE
    assert verdict.estimate == pytest.approx(0.4, abs=0.01)


@pytest.mark.parametrize("metric", ["converted", "errors", "p99", FALLBACK])
def test_what_was_not_measured_is_missing(metric: str) -> None:
    whole = evidence()
    without = {
        "converted": changed(whole, binary={}),
        "errors": changed(whole, errors={}),
        "p99": changed(whole, limits={}),
        FALLBACK: changed(whole, fallbacks=None),
    }[metric]
    judged = look(without)
    assert findings(judged)[metric] is Finding.MISSING
    assert all(latched == 0.0 for latched in judged.latches.values())


def test_before_a_window_can_have_closed_a_metric_is_immature_and_others_still_latch() -> None:
    young = replace(EXPERIMENT, started_us=NOW_US - HOUR_US, step_entered_us=NOW_US - HOUR_US)
    came_us = young.started_us
    judged = judge(
        young, replace(changed(evidence(), binary={}), first_enrolled_us=came_us), NOW_US, PATIENCE
    )
    converted = judged.verdicts[0]
    assert (converted.finding, converted.is_immature) == (Finding.UNCLEAR, True)
    assert judged.latches["p99"] > 3.0


@pytest.mark.parametrize("mark", [None, NOW_US - 2 * 60 * SECOND_US, NOW_US + 2 * 60 * SECOND_US])
def test_a_watermark_that_is_late_or_ahead_of_the_clock_is_stale_and_latches_nothing(
    mark: int | None,
) -> None:
    for seen in (replace(evidence(), watermark_us=mark), replace(evidence(), fast_watermark_us=mark)):
        judged = look(seen)
        assert not judged.evidence_is_fresh
        assert all(latched == 0.0 for latched in judged.latches.values())


def test_a_lost_tenth_of_an_arm_is_a_mismatch_and_latches_nothing() -> None:
    judged = look(replace(evidence(), enrolled=np.array([[40_000, 36_000]])))
    assert not judged.split_holds
    assert all(latched == 0.0 for latched in judged.latches.values())


def test_an_old_proof_does_not_outlive_a_reversal() -> None:
    proven = replace(EXPERIMENT, latches={"converted": 50.0, "errors": 50.0, "p99": 50.0, FALLBACK: 50.0})
    judged = judge(proven, evidence(converted=0.118), NOW_US, PATIENCE)
    assert findings(judged)["converted"] is Finding.UNCLEAR
    assert judged.latches["converted"] == 50.0


def test_a_shared_outage_is_unclear_and_latches_nothing() -> None:
    seen = evidence()
    limit = replace(seen.arms[0].limits["p99"], outage_dominates=True)
    dominated = changed(seen, limits={"p99": limit})
    judged = look(dominated)
    verdict = next(v for v in judged.verdicts if v.metric == "p99")
    assert (verdict.finding, verdict.is_outage, judged.latches["p99"]) == (Finding.UNCLEAR, True, 0.0)


def test_a_plan_freezes_the_tuning() -> None:
    metric = EXPERIMENT.policy.metrics[0]
    assert planned_information(EXPERIMENT.policy, metric) == 5000.0
    expecting = replace(EXPERIMENT.policy, expect=Expect(levels={"converted": Level(0.12)}))
    # 1.72 (z95 + z80)² p(1−p)/(0.05 p)²
    assert planned_information(expecting, metric) == pytest.approx(
        1.72 * 6.18 * 0.12 * 0.88 / 0.006**2, rel=0.01
    )
