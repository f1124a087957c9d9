"""What proofs take: against drawn units, and against the effect that was asked for."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rollout.domain.measure.fractions import PLANNED_EXCEEDANCES
from rollout.domain.plan.contrasts import Contrast, contrast_effort
from rollout.domain.plan.effort import POWER, EitherEffort
from rollout.domain.plan.limits import LimitEffort
from rollout.stats import planning, slo
from rollout.stats.moments import JointMoments

BAR = math.log(20.0)
RATE, LIFT = 0.12, 0.05
PLANNED = float(planning.sequential_information(RATE * LIFT, variance=RATE * (1 - RATE)))


def conversion(**changes: float | bool) -> Contrast:
    """Return the contrast of a conversion of 12 %, planned for 5 % more."""
    values = {
        "level": RATE,
        "distance": RATE * LIFT,
        "harm_distance": RATE * LIFT,
        "variance": RATE * (1 - RATE),
        "planned_information": PLANNED,
    }
    return Contrast(**(values | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(("level", "limit"), [(0.004, 0.01), (0.002, 0.01), (0.03, 0.05)])
def test_a_limit_is_proven_by_drawn_units_when_the_plan_says(level: float, limit: float) -> None:
    effort = LimitEffort(level, limit, BAR)
    units = np.unique(np.linspace(1, 3 * effort.planned, 300).astype(int))
    new = np.diff(units, prepend=0)
    count = np.random.default_rng(3).binomial(new, level, (1_500, len(units))).cumsum(axis=1)
    n = np.broadcast_to(units, count.shape).astype(float)
    share = count / n
    mean = np.stack([share, np.ones_like(share)], axis=-1)
    scatter = np.zeros((*share.shape, 2, 2))
    scatter[..., 0, 0] = n * share * (1 - share)
    by_fraction = slo.log_e_compliance(count, n, limit=limit, planned_units=PLANNED_EXCEEDANCES / limit)
    by_unit = slo.log_e_units_compliance(JointMoments(n, mean, scatter), limit=limit)
    proven = np.minimum(by_fraction, by_unit) >= BAR
    stopped = np.where(proven.any(axis=1), units[proven.argmax(axis=1)], units[-1])
    assert effort.expected == pytest.approx(stopped.mean(), rel=0.1)
    # The plan asks for the proof at one look; looking all the time brings it a little earlier.
    for units_of, chance in ((effort.planned, 0.8), (effort.longest, 0.895)):
        assert chance - 0.03 < (stopped <= units_of).mean() < chance + 0.1


@pytest.mark.parametrize("effort", [LimitEffort(0.004, 0.01, BAR), contrast_effort(conversion(), 0.05)])
def test_more_units_prove_more_and_the_three_times_are_in_order(effort: LimitEffort) -> None:
    assert effort.expected < effort.planned < effort.longest
    assert effort.chance(effort.planned) == pytest.approx(0.8, abs=0.01)
    assert effort.chance(effort.longest) == pytest.approx(0.895, abs=0.01)
    chances = [effort.chance(times * effort.planned) for times in (0.0, 0.2, 0.5, 1.0, 2.0, 5.0)]
    assert chances == sorted(chances)
    assert chances[0] == 0.0


def test_a_limit_can_be_proven_up_to_the_level_that_was_planned() -> None:
    effort = LimitEffort(0.004, 0.01, BAR)
    assert effort.reachable(effort.planned) == pytest.approx(0.004, rel=0.01)
    assert effort.reachable(10.0) is None
    assert effort.reachable(0.0) is None
    assert effort.chance(10.0) == 0.0


@pytest.mark.parametrize("level", [0.01, 0.02])
def test_a_limit_that_is_not_kept_is_never_proven(level: float) -> None:
    assert math.isinf(LimitEffort(level, 0.01, BAR).planned)


def test_a_level_of_nothing_is_proven_by_a_number_of_units_and_never_before() -> None:
    effort = LimitEffort(0.0, 0.01, BAR)
    assert effort.expected == effort.planned == effort.longest
    assert effort.chance(effort.planned) == 1.0
    assert effort.chance(effort.planned - 2) == 0.0


def test_the_units_that_an_effect_was_planned_for_can_prove_it() -> None:
    effort = contrast_effort(conversion(), 0.05)
    assert effort.planned == pytest.approx(2 * PLANNED, rel=0.01)
    assert effort.reachable(effort.planned) == pytest.approx(LIFT, rel=0.01)
    assert effort.writable(effort.planned) == pytest.approx(LIFT, rel=0.01)


@pytest.mark.parametrize("times", [4.0, 40.0])
def test_an_effect_is_as_small_as_its_own_plan_says(times: float) -> None:
    """What is written as the smallest effect, planned anew, takes just the units that there are."""
    units = times * contrast_effort(conversion(), 0.05).planned
    tuned = contrast_effort(conversion(), 0.05).writable(units)
    assert tuned is not None
    planned = float(planning.sequential_information(RATE * tuned, variance=RATE * (1 - RATE)))
    asked = conversion(distance=RATE * tuned, planned_information=planned)
    assert contrast_effort(asked, 0.05).planned == pytest.approx(units, rel=0.01)
    # As the policy is, its test is tuned to the larger effect, so it can prove a little less.
    reached = contrast_effort(conversion(), 0.05).reachable(units)
    assert reached is not None
    assert tuned < reached < 1.2 * tuned
    untuned = contrast_effort(conversion(distance=RATE * reached), 0.05)
    assert untuned.chance(units) == pytest.approx(POWER, abs=0.01)


def test_a_test_that_is_tuned_to_nothing_of_the_policy_stays_as_it_is() -> None:
    effort = contrast_effort(conversion(is_tuned=False), 0.05)
    assert effort.writable(1e6) == effort.reachable(1e6)


def test_a_test_tuned_to_a_far_smaller_effect_still_ends() -> None:
    late = contrast_effort(conversion(planned_information=1e4 * PLANNED), 0.05)
    assert contrast_effort(conversion(), 0.05).planned < late.planned < math.inf
    assert late.chance(late.longest) == pytest.approx(0.895, abs=0.01)


def test_few_units_with_a_value_prove_nothing() -> None:
    effort = contrast_effort(conversion(least_units=1e6), 0.05)
    assert effort.expected == effort.planned == effort.longest == 1e6
    assert effort.chance(1e6 - 1) == 0.0
    assert effort.reachable(1e6 - 1) is None
    assert effort.writable(1e6 - 1) is None


def test_of_two_proofs_the_sooner_counts() -> None:
    slow, fast = LimitEffort(0.008, 0.01, BAR), LimitEffort(0.001, 0.01, BAR)
    for either in (EitherEffort(slow, fast), EitherEffort(fast, slow)):
        assert (either.expected, either.planned, either.longest) == (
            fast.expected,
            fast.planned,
            fast.longest,
        )
        assert either.chance(fast.planned) == fast.chance(fast.planned)
    assert EitherEffort(slow, fast).reachable(1e5) == slow.reachable(1e5)
    assert EitherEffort(slow, fast).writable(1e5) == slow.reachable(1e5)
