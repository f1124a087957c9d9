"""Whole plans: the examples conclude, and each number is what drawn units say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rollout.domain.measure.planned import planned_information
from rollout.domain.metric import Metric, MetricType, Role
from rollout.domain.plan.calendar import calendar
from rollout.domain.plan.harm import REACTION_S
from rollout.domain.policy import Expect, Hold, MirrorStep, Opening, Step
from rollout.domain.question import harm_bar
from rollout.policyfile.reading import parse
from rollout.stats import means, starts
from rollout.stats.moments import Moments
from tests.command import ROOT
from tests.domain.plan.plans import CHURN, DAY_S, POWER, expecting, made, metric
from tests.policyfile.files import changed

POLICIES = {
    file.stem: parse(file.read_text(encoding="utf-8"), file.name)
    for file in sorted((ROOT / "policies").glob("*.yaml"))
}


@pytest.mark.parametrize("name", POLICIES)
def test_every_example_policy_concludes_within_its_own_deadlines(name: str) -> None:
    policy = POLICIES[name]
    found = made(policy)
    assert found.concludes, found.advice
    assert found.promotes is bool(policy.steps)
    if not found.promotes:
        return
    assert found.expected_s is not None
    assert found.deadline_s is not None
    for one in found.metrics:
        assert one.baseline_meets is not False
        if one.needs_proof:
            assert one.expected_s is not None, one.name
            assert one.longest_s is not None, one.name
            assert one.longest_s < found.deadline_s, one.name
        assert one.chance is None or one.chance > POWER, one.name


def test_the_churn_plan_has_every_number() -> None:
    found = made(CHURN)
    assert [one.name for one in found.metrics] == ["converted", "errors", "p99", "fallback"]
    assert all(one.units and one.expected_s and one.longest_s and one.proves for one in found.metrics)
    assert [step.units for step in found.steps] == pytest.approx([500, 20_500, 2_820_500])
    assert [step.begins_s for step in found.steps] == pytest.approx([0, 3 * 3_600, 15 * 3_600])
    assert found.deadline_s == pytest.approx(14.625 * DAY_S)
    converted = found.metrics[0]
    assert converted.units is not None
    # 63,700 units: 20,500 by the end of the second step, the others at 200,000 a day, and a day to close.
    days = (15 / 24) + (converted.units - 20_500) / 200_000 + 1 + 600 / DAY_S
    assert converted.planned_s == pytest.approx(days * DAY_S, rel=1e-6)
    assert found.expected_s == max(one.expected_s or 0.0 for one in found.metrics)


def test_a_disaster_is_found_as_fast_as_it_was_measured() -> None:
    """5 % of 500 requests/s, errors from 1 % to 20 %, fresh: a median of 1.0 s, without the reaction."""
    policy = replace(CHURN, steps=(Step(500, Hold(until_verdict=True, at_most_s=14 * DAY_S)),))
    policy = expecting(replace(policy, expect=replace(policy.expect, requests_per_s=500.0)), errors=0.01)
    harm = made(policy).steps[0].disaster
    assert harm is not None
    assert harm.off_s is not None
    assert 0.5 < harm.off_s - REACTION_S < 2.0
    assert harm.exposed == pytest.approx(0.05 * 500 * harm.off_s)
    assert harm.failed == pytest.approx(0.2 * 0.05 * 500 * harm.off_s)


def test_a_worse_candidate_is_off_when_drawn_units_are_enough() -> None:
    """Conversions of 12 % beside 11.4 %, a look every 1,000 units of each arm, at the bar of the judge."""
    rate, batch, batches, replicates = 0.12, 1_000, 400, 400
    units = batch * np.arange(1, batches + 1)
    generator = np.random.default_rng(1)

    def arm(share: float) -> Moments:
        hits = generator.binomial(batch, share, (replicates, batches)).cumsum(axis=1)
        found = hits / units
        n = np.broadcast_to(units, hits.shape).astype(float)
        return Moments.of(*(part[..., np.newaxis] for part in (n, found, hits * (1 - found))))

    log_e = means.log_e_less(
        means.contrast(arm(rate), arm(0.95 * rate)),
        planned_information=planned_information(CHURN, CHURN.metrics[0]),
    )
    found = log_e >= harm_bar(CHURN) + float(starts.penalty_of(0))
    assert found.any(axis=1).all()
    drawn = units[found.argmax(axis=1)].mean()
    harm, clock = made(CHURN).metrics[0].harm, calendar(CHURN)
    assert harm is not None
    assert harm.off_s is not None
    assert clock is not None
    assert clock.units(harm.off_s - DAY_S - 600) == pytest.approx(drawn, rel=0.06)
    assert harm.exposed == pytest.approx(400_000 * clock.exposure(harm.off_s) + 200_000)


def test_a_mean_needs_its_deviation() -> None:
    policy = parse(
        changed("converted: 12%}", "converted: 12%, revenue: 3.1}").replace(
            "    - {name: errors",
            "    - {name: revenue, role: guardrail, source: outcomes, type: mean, cap: 500,"
            " direction: increase, margin: 5%, window: 24h}\n    - {name: errors",
        ),
        "a.yaml",
    )
    (advice,) = made(policy).unknowns
    assert advice.path == ("spec", "expect", "revenue")
    assert "such as `revenue: {mean: 3.1, sd: 9}`" in advice.remedy


def test_a_guardrail_without_a_margin_waits_for_no_proof() -> None:
    policy = metric(CHURN, "converted", role=Role.PRIMARY)
    extra = replace(policy.metrics[0], name="kept", role=Role.GUARDRAIL, min_effect=None)
    found = made(replace(policy, metrics=(*policy.metrics, extra)))
    line = next(one for one in found.metrics if one.name == "kept")
    assert (line.needs_proof, line.units, line.chance) == (False, None, None)
    assert found.unknowns == ()
    assert found.concludes


def test_latency_with_a_margin_is_planned_without_a_level() -> None:
    slower = Metric(
        name="p95",
        role=Role.GUARDRAIL,
        source=CHURN.metrics[1].source,
        type=MetricType.LATENCY,
        direction=CHURN.metrics[1].direction,
        window_s=600.0,
        quantile=0.95,
        margin=0.1,
    )
    found = made(replace(CHURN, metrics=(*CHURN.metrics, slower)))
    line = next(one for one in found.metrics if one.name == "p95")
    assert line.units is not None
    assert line.asks == "95 % at most 10 % slower"
    assert line.harm is not None
    assert line.harm.bad == "is slow twice as often"
    assert found.concludes


def test_copies_alone_never_promote_and_come_to_no_verdict() -> None:
    policy = replace(CHURN, steps=(), mirror_steps=(MirrorStep(1_000, Hold(for_s=1_800.0)),))
    found = made(policy)
    assert found.answer == "Never promotes: only copies requests, and stops after 30 min."
    assert (found.promotes, found.concludes, found.metrics, found.steps, found.advice) == (
        False,
        True,
        (),
        (),
        (),
    )
    (copies,) = found.copies
    assert (copies.share, copies.lasts_s, copies.copies) == (0.1, 1_800.0, 0.1 * 200 * 1_800)
    unknown = made(replace(policy, expect=Expect()))
    assert unknown.copies[0].copies is None
    assert unknown.concludes


def test_a_promotion_waits_for_the_hours_in_which_traffic_may_move_up() -> None:
    hours = Opening(weekdays=(0, 1), from_minute=540, to_minute=600, zone="Europe/London")
    free, bound = made(CHURN), made(replace(CHURN, advance=hours))
    assert free.expected_s is not None
    assert bound.expected_s is not None
    # From Monday 09:00 on: the next openings are Tuesday's, and Monday's a week later.
    assert bound.steps[1].begins_s == DAY_S
    assert bound.steps[2].begins_s == 7 * DAY_S
    assert bound.expected_s % (7 * DAY_S) <= DAY_S + 3_600
    assert any("windows.advance" in note for note in bound.notes)


def test_candidates_share_the_risk_so_each_takes_longer() -> None:
    alone = replace(CHURN, steps=(Step(2_500, Hold(until_verdict=True, at_most_s=14 * DAY_S)),))
    several = replace(alone, candidates=CHURN.candidates * 3)
    one, three = (made(policy).metrics[0].units for policy in (alone, several))
    assert one is not None
    assert three is not None
    assert three > 1.2 * one
    assert any("3 candidates share the risk" in note for note in made(several).notes)
