"""Differences and lifts of means: the formula by hand, the floor, the intervals, and refusals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.stats import means
from rollout.stats.moments import Moments


def test_the_contrast_by_hand() -> None:
    control, candidate = (
        Moments.of([100, 10], [1.0, 2.0], [99.0, 18.0]),
        Moments.of([50, 20], [1.5, 2.5], [98.0, 19.0]),
    )
    found = means.contrast(control, candidate, null_lift=-0.1)
    weight = np.array([100 * 50 / 150, 10 * 20 / 30])
    pooled = np.array([(99 + 98) / 148, (18 + 19) / 28])
    own_control, own_candidate = np.array([1.0, 2.0]), np.array([2.0, 1.0])
    spread_control, spread_candidate = np.maximum(own_control, pooled), np.maximum(own_candidate, pooled)
    score = (weight * ([1.5, 2.5] - 0.9 * np.array([1.0, 2.0]))).sum()
    variance = (weight**2 * (spread_candidate / [50, 20] + 0.81 * spread_control / [100, 10])).sum()
    assert found.score == pytest.approx(score)
    assert found.variance == pytest.approx(variance)
    assert found.information == pytest.approx(weight.sum())
    assert found.z == pytest.approx(score / np.sqrt(variance))


def test_the_floor_keeps_a_lucky_arm_from_looking_precise() -> None:
    control, candidate = Moments.of_successes([9900], [99]), Moments.of_successes([100], [0])
    floored = means.contrast(control, candidate)
    bare = means.contrast(control, candidate, variance_floor=False)
    assert means.log_e_less(bare) > np.log(20) > means.log_e_less(floored)


@pytest.mark.parametrize(
    ("control", "candidate"),
    [
        (Moments.of([0], [0], [0]), Moments.of([0], [0], [0])),
        (Moments.of([1e12], [5], [1e12]), Moments.of([0], [0], [0])),
        (Moments.of([1], [5], [0]), Moments.of([1], [9], [0])),
        (Moments.of([1000], [0], [0]), Moments.of([1000], [0], [0])),
        (Moments.of([1000], [1], [0]), Moments.of([1000], [1], [0])),
        (Moments.of([1000], [0], [0]), Moments.of([1000], [1], [0])),
        (Moments.of([], [], []), Moments.of([], [], [])),
    ],
    ids=["nothing", "one arm", "one unit each", "all zero", "all one", "no variance", "no strata"],
)
def test_nothing_to_measure_is_no_evidence_and_no_interval(control: Moments, candidate: Moments) -> None:
    for null_lift in (0.0, -0.05, 0.05):
        found = means.contrast(control, candidate, null_lift=null_lift)
        for test in (means.log_e_two_sided, means.log_e_greater, means.log_e_less):
            assert test(found) == 0.0
    assert means.lift_interval(control, candidate).at() is None
    assert means.difference_interval(control, candidate).at() is None


def test_a_huge_sample_stays_finite_and_certain() -> None:
    control, candidate = (
        Moments.of_successes([10**12], [10**10]),
        Moments.of_successes([10**12], [10**10 + 10**7]),
    )
    found = means.contrast(control, candidate)
    assert 20 < means.log_e_greater(found) < 1e6
    interval = means.lift_interval(control, candidate).at()
    assert interval is not None
    assert interval[0] < 1e-3 < interval[1]


@given(st.integers(100, 10**6), st.floats(0.05, 0.9), st.floats(0.05, 0.9))
def test_the_intervals_hold_the_estimate_and_agree_with_the_test(n: int, first: float, second: float) -> None:
    control, candidate = (
        Moments.of_successes([n], [round(n * first)]),
        Moments.of_successes([n], [round(n * second)]),
    )
    difference = means.difference_interval(control, candidate).at()
    if difference is None:
        return
    assert difference[0] <= float(candidate.mean[0] - control.mean[0]) <= difference[1]
    rejects = bool(means.log_e_two_sided(means.contrast(control, candidate)) >= np.log(20))
    assert rejects == (difference[0] >= 0 or difference[1] <= 0)
    lift = means.lift_interval(control, candidate).at()
    if lift is not None:
        assert lift[0] <= float(candidate.mean[0] / control.mean[0]) - 1 <= lift[1]


@given(st.floats(-0.5, 1.0), st.floats(0.2, 0.8))
def test_fieller_holds_exactly_the_lifts_that_the_contrast_does_not_reject(lift: float, rate: float) -> None:
    control, candidate = (
        Moments.of_successes([20_000], [round(20_000 * rate * 0.5)]),
        Moments.of_successes([20_000], [round(20_000 * rate * 0.55)]),
    )
    interval = means.lift_interval(control, candidate).at()
    assert interval is not None
    found = means.contrast(control, candidate, null_lift=lift)
    rejects = bool(means.log_e_two_sided(found) >= np.log(20))
    assert rejects == (lift <= interval[0] or lift >= interval[1])


def test_a_control_that_may_be_zero_has_no_lift() -> None:
    control, candidate = Moments.of([100], [0.01], [99.0]), Moments.of([100], [1.0], [99.0])
    assert means.lift_interval(control, candidate).at() is None
    assert means.difference_interval(control, candidate).at() is not None


def test_enough_units_means_enough_in_each_arm() -> None:
    assert means.enough_units([30, 29, 1000], [30, 1000, 29]).tolist() == [True, False, False]


def test_numbers_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="mean: must be finite"):
        Moments.of([1], [float("nan")], [0])
    with pytest.raises(ValueError, match="planned_information: must be greater than zero"):
        means.log_e_greater(
            means.contrast(Moments.of([9], [1], [9]), Moments.of([9], [1], [9])), planned_information=0
        )


def test_the_estimate_of_the_lift_is_the_middle_that_the_interval_holds() -> None:
    control, candidate = (
        Moments.of_successes([4000, 100], [400, 30]),
        Moments.of_successes([4000, 90], [500, 27]),
    )
    lift, known = means.lift_estimate(control, candidate)
    interval = means.lift_interval(control, candidate).at()
    assert known
    assert interval is not None
    assert interval[0] < lift < interval[1]
    assert not means.lift_estimate(Moments.of([9], [0], [0]), Moments.of([9], [1], [0]))[1]
    assert not means.lift_estimate(Moments.of([], [], []), Moments.of([], [], []))[1]
