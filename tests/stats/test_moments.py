"""Moments: exact where floats would cancel, and merging that equals the whole."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rollout.stats import moments
from rollout.stats.moments import JointMoments, Moments

values = st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=60)


@given(values, st.integers(-(10**15), 10**15))
def test_integer_sums_are_centred_exactly(sample: list[int], offset: int) -> None:
    shifted = [value + offset for value in sample]
    n, total, squares = len(shifted), sum(shifted), sum(value * value for value in shifted)
    found = Moments.from_sums(n, np.array(total, dtype=object), np.array(squares, dtype=object), unit=1e-6)
    exact = Fraction(n * squares - total * total, n)
    assert found.ss == pytest.approx(float(exact) * 1e-12, rel=1e-12)
    assert found.mean == pytest.approx(float(Fraction(total, n)) * 1e-6, rel=1e-12)


def test_a_mean_far_above_its_deviation_keeps_its_variance() -> None:
    sample = np.array([10**12, 10**12 + 1, 10**12 + 2])
    squares = np.array(sum(int(value) ** 2 for value in sample), dtype=object)
    assert Moments.from_sums(3, sample.sum(), squares).variance == 1.0


def test_small_and_large_integers_take_the_same_way() -> None:
    small = Moments.from_sums(np.array([10, 0]), np.array([7, 0]), np.array([7, 0]))
    large = Moments.from_sums(
        np.array([10, 0], dtype=object), np.array([7, 0], dtype=object), np.array([7, 0], dtype=object)
    )
    np.testing.assert_array_equal(small.ss, large.ss)
    np.testing.assert_allclose(small.ss, Moments.of_successes([10, 0], [7, 0]).ss)


def test_sums_of_other_values_are_refused() -> None:
    with pytest.raises(ValueError, match="squares: are smaller"):
        Moments.from_sums(2, 10, 1)
    with pytest.raises(ValueError, match="total: must be integers"):
        Moments.from_sums(2, 1.5, 3)
    with pytest.raises(ValueError, match="n: must not be negative"):
        Moments.of(-1, 0, 0)


@given(values, values, values)
def test_merging_is_associative_and_equals_the_whole(
    first: list[int], second: list[int], third: list[int]
) -> None:
    a, b, c = (Moments.of_values(part, np.zeros(len(part), int), 1) for part in (first, second, third))
    whole = Moments.of_values(first + second + third, np.zeros(len(first + second + third), int), 1)
    scale = max(1.0, float(np.max(np.abs(first + second + third)))) ** 2 * float(whole.n[0])
    for merged in ((a + b) + c, a + (b + c)):
        assert merged.n == whole.n
        np.testing.assert_allclose(merged.mean, whole.mean, rtol=1e-9, atol=1e-9 * scale**0.5)
        np.testing.assert_allclose(merged.ss, whole.ss, rtol=1e-9, atol=1e-12 * scale)


@given(
    hnp.arrays(np.float64, (7, 3), elements=st.floats(-1e6, 1e6)),
    st.lists(st.integers(0, 2), min_size=7, max_size=7),
)
def test_joint_moments_merge_like_one_sample(rows: np.ndarray, group: list[int]) -> None:
    index = np.array(group)
    parts = JointMoments.of_values(rows, index, 3)
    whole = JointMoments.of_values(rows, np.zeros(7, int), 1)
    merged = None
    for g in range(3):
        part = JointMoments(parts.n[g : g + 1], parts.mean[g : g + 1], parts.scatter[g : g + 1])
        merged = part if merged is None else merged + part
    assert merged is not None
    np.testing.assert_allclose(merged.mean, whole.mean, atol=1e-8)
    np.testing.assert_allclose(merged.scatter, whole.scatter, atol=1e-1, rtol=1e-9)


def test_since_each_day_is_the_merge_of_all_later_days() -> None:
    days = Moments.of([[3, 0, 5, 2]], [[1.0, 0.0, 4.0, -2.0]], [[2.0, 0.0, 7.0, 1.0]])
    since = moments.since_each(days, axis=1)
    for day in range(4):
        later = Moments.of(days.n[:, day:], days.mean[:, day:], days.ss[:, day:])
        expected = moments.merged(later, axis=1)
        np.testing.assert_allclose(since.n[:, day], expected.n)
        np.testing.assert_allclose(since.mean[:, day], expected.mean)
        np.testing.assert_allclose(since.ss[:, day], expected.ss)


def test_a_linear_combination_equals_the_moments_of_combined_values() -> None:
    rows = np.random.default_rng(7).normal(size=(50, 3)) + 5
    joint = JointMoments.of_values(rows, np.zeros(50, int), 1)
    weights = np.array([1.0, -0.3, 2.0])
    direct = Moments.of_values(rows @ weights, np.zeros(50, int), 1)
    np.testing.assert_allclose(joint.combined(weights).ss, direct.ss)
    np.testing.assert_allclose(joint.combined(weights).mean, direct.mean)


def test_joint_integer_sums_equal_joint_values() -> None:
    rows = np.random.default_rng(8).integers(0, 1000, size=(40, 2))
    from_sums = JointMoments.from_sums(40, rows.sum(axis=0), rows.T @ rows, unit=(1e-6, 1.0))
    from_values = JointMoments.of_values(rows * [1e-6, 1.0], np.zeros(40, int), 1)
    np.testing.assert_allclose(from_sums.mean, from_values.mean[0])
    np.testing.assert_allclose(from_sums.scatter, from_values.scatter[0])
