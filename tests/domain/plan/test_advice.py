"""What is refused, unknown or worth a look, and that every written remedy does what it says."""

from __future__ import annotations

import re
from dataclasses import replace

from rollout.domain.plan.advice import Gravity
from rollout.domain.policy import (
    Expect,
    Hold,
    Resilience,
)
from tests.domain.plan.plans import CHURN, DAY_S, POWER, expecting, last_hold, made, metric


def test_a_policy_that_cannot_conclude_is_refused_with_numbers_that_help() -> None:
    policy = expecting(CHURN, 20_000, converted=0.031)
    found = made(policy)
    assert not found.concludes
    assert found.is_refused
    assert found.answer.startswith("Cannot conclude: ")
    refusals = [one for one in found.advice if one.gravity is Gravity.REFUSAL]
    assert [one.path for one in refusals] == [("spec", "steps", 2, "hold", "atMost")] * 2
    assert [one.gravity for one in found.advice] == sorted(
        (one.gravity for one in found.advice), key=list(Gravity).index
    )
    what, remedy = refusals[0].what, refusals[0].remedy
    assert re.fullmatch(
        r"converted takes about \d+ d, and .* after 17 d: its proof has a chance of [\d.]+ %", what
    )
    at_most, effect, daily = re.fullmatch(
        r"write atMost: (\d+)d, or metrics\[0\].minEffect: ([\d.]+)%, or have ([\d,]+) eligible units a day",
        remedy,
    ).groups()  # type: ignore[union-attr]
    remedied = (
        last_hold(policy, at_most_s=float(at_most) * DAY_S),
        metric(policy, "converted", min_effect=float(effect) / 100),
        expecting(policy, float(daily.replace(",", ""))),
    )
    for one in remedied:
        chance = made(one).metrics[0].chance
        assert chance is not None
        assert POWER - 0.01 < chance < POWER + 0.06
    # And a little less of each does not do.
    short = made(last_hold(policy, at_most_s=(float(at_most) - 2) * DAY_S)).metrics[0].chance
    assert short is not None
    assert short < POWER


def test_every_remedy_of_errors_gives_the_proof_its_chance() -> None:
    policy = expecting(CHURN, 20_000)
    (advice,) = [one for one in made(policy).advice if one.what.startswith("errors takes")]
    margin, floor = (
        float(re.search(pattern, advice.remedy)[1]) / 100  # type: ignore[index]
        for pattern in (r"margin: ([\d.]+)%", r"floor: ([\d.]+)%")
    )
    for one in (metric(policy, "errors", margin=margin), metric(policy, "errors", floor=floor)):
        chance = made(one).metrics[1].chance
        assert chance is not None
        assert chance > POWER - 0.01


def test_a_larger_last_weight_is_advised_while_arms_may_be_so_large() -> None:
    last = replace(CHURN.steps[-1], weight_bp=2_000)
    policy = expecting(replace(CHURN, steps=(*CHURN.steps[:-1], last)), 100_000)
    advice = made(policy).advice[0]
    weight = int(re.search(r"steps\[2\].setWeight: (\d+)%", advice.remedy)[1])  # type: ignore[index]
    assert 20 < weight <= 50
    heavier = replace(policy, steps=(*policy.steps[:-1], replace(last, weight_bp=weight * 100)))
    chance = made(heavier).metrics[1].chance
    assert chance is not None
    assert POWER - 0.01 < chance < POWER + 0.05


def test_a_shorter_window_is_advised_where_units_close_too_late() -> None:
    policy = last_hold(metric(CHURN, "converted", window_s=3 * DAY_S), at_most_s=2.6 * DAY_S)
    advice = next(one for one in made(policy).advice if one.what.startswith("converted"))
    hours = float(re.search(r"metrics\[0\].window: (\d+)h", advice.remedy)[1])  # type: ignore[index]
    chance = made(metric(policy, "converted", window_s=hours * 3_600)).metrics[0].chance
    assert chance is not None
    assert chance > POWER


def test_a_baseline_that_breaks_its_limit_is_refused_and_the_provable_quantile_is_named() -> None:
    policy = expecting(CHURN, p99=0.02)
    found = made(policy)
    assert found.answer.startswith("Cannot conclude: the baseline itself does not keep p99; ")
    line = found.metrics[2]
    assert (line.baseline_meets, line.is_never, line.units, line.expected_s) == (False, True, None, None)
    (advice,) = [one for one in found.advice if one.gravity is Gravity.REFUSAL]
    assert advice.path == ("spec", "metrics", 2, "max")
    quantile = float(re.search(r"quantile: ([\d.]+)", advice.remedy)[1])  # type: ignore[index]
    assert made(metric(policy, "p99", quantile=quantile)).concludes
    share = float(re.search(r"at most ([\d.]+) % of the baseline", advice.remedy)[1]) / 100  # type: ignore[index]
    chance = made(expecting(CHURN, p99=share)).metrics[2].chance
    assert chance is not None
    assert chance > POWER - 0.01


def test_a_baseline_that_fails_more_than_may_fall_back_is_refused_with_the_share_that_would_do() -> None:
    policy = expecting(metric(CHURN, "errors", floor=0.05), errors=0.02)
    found = made(policy)
    (advice,) = [one for one in found.advice if one.gravity is Gravity.REFUSAL]
    assert advice.path == ("spec", "resilience", "maxFallback")
    assert "fails 2 % of its requests" in advice.what
    share = float(re.fullmatch(r"write ([\d.]+)%", advice.remedy)[1]) / 100  # type: ignore[index]
    assert made(replace(policy, resilience=Resilience(max_fallback=share))).concludes


def test_a_step_whose_units_never_come_in_time_is_refused() -> None:
    policy = last_hold(expecting(CHURN, 1_000_000), min_units=9_000_000)
    found = made(policy)
    assert "a step waits longer for its units than it may" in found.answer
    advice = found.advice[0]
    assert (advice.path, advice.gravity) == (("spec", "steps", 2, "hold", "minUnits"), Gravity.REFUSAL)
    most = int(advice.remedy.removeprefix("write at most "))
    assert made(last_hold(policy, min_units=most)).concludes


def test_a_step_that_waits_for_its_units_is_worth_a_look() -> None:
    first = replace(CHURN.steps[0], hold=Hold(for_s=1_800.0, min_units=20_000))
    advice = next(
        one
        for one in made(replace(CHURN, steps=(first, *CHURN.steps[1:]))).advice
        if one.path[-1] == "minUnits"
    )
    assert advice.gravity is Gravity.CAUTION
    assert advice.what == "20,000 units take 5 d at 4,000 a day"
    assert advice.remedy == "write `for: 5d` to say so, or minUnits: 83"


def test_what_expect_does_not_say_is_unknown_or_a_caution() -> None:
    found = made(replace(CHURN, expect=Expect()))
    gravities = {one.path[-1]: one.gravity for one in found.advice}
    assert gravities == {
        "units": Gravity.UNKNOWN,
        "converted": Gravity.UNKNOWN,
        "requests": Gravity.CAUTION,
        "errors": Gravity.CAUTION,
        "p99": Gravity.CAUTION,
    }
    assert [one.path[-1] for one in found.unknowns] == ["units", "converted"]
    assert not found.concludes
    assert not found.is_refused
    assert found.expected_s is None
    assert found.answer.startswith("Nobody can say when it concludes")


def test_a_verdict_before_a_full_week_is_a_caution() -> None:
    (advice,) = [one for one in made(CHURN).advice if one.path[-1] == "for"]
    assert advice.gravity is Gravity.CAUTION
    assert advice.remedy == "write `for: 7d` beside `until: verdict` to see a whole week"
    assert made(last_hold(CHURN, for_s=7 * DAY_S)).advice == ()


def test_a_policy_that_gives_up_within_days_is_not_told_of_weeks() -> None:
    hasty = made(last_hold(CHURN, at_most_s=6 * DAY_S))
    assert hasty.concludes
    assert [one for one in hasty.advice if one.path[-1] == "for"] == []
