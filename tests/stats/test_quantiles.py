"""Latency histograms: bounds that hold, merging, and the ends of the range."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.stats import quantiles

durations = st.lists(st.integers(0, 90_000_000), min_size=1, max_size=300)


def test_there_are_807_buckets_that_reach_from_10_us_to_100_s() -> None:
    assert quantiles.BUCKETS == 807
    assert quantiles.EDGES_US[0] == 10
    assert quantiles.EDGES_US[-1] >= quantiles.LARGEST_US


@given(durations, st.floats(0.001, 0.999))
def test_a_quantile_is_within_its_error_bound(sample: list[int], probability: float) -> None:
    found = quantiles.quantile(quantiles.histogram(sample), probability)
    exact = float(np.sort(sample)[max(int(np.ceil(probability * len(sample) * (1 - 1e-15))), 1) - 1])
    assert found.lower_us <= exact <= found.upper_us
    if exact > 200:
        # One whole microsecond is more than the bound only at the very bottom of the range.
        assert abs(found.value_us - exact) <= 0.01 * exact + 1.0


@given(durations, durations)
def test_merging_is_adding(first: list[int], second: list[int]) -> None:
    merged = quantiles.histogram(first) + quantiles.histogram(second)
    np.testing.assert_array_equal(merged, quantiles.histogram(first + second))


def test_no_observations_have_no_quantile() -> None:
    found = quantiles.quantile(np.zeros(quantiles.BUCKETS), 0.99)
    assert not found.known
    assert quantiles.share_above(np.zeros(quantiles.BUCKETS), 250_000).at() is None


def test_what_lies_above_the_range_is_only_a_lower_bound() -> None:
    found = quantiles.quantile(quantiles.histogram([10**9]), 0.5)
    assert found.saturated
    assert found.value_us < 1e8


@given(durations, st.integers(0, 90_000_000))
def test_the_share_above_a_limit_lies_between_its_bounds(sample: list[int], limit: int) -> None:
    found = quantiles.share_above(quantiles.histogram(sample), limit).at()
    assert found is not None
    assert found[0] <= np.mean(np.array(sample) > limit) <= found[1]


def test_other_units_and_other_buckets_are_refused() -> None:
    with pytest.raises(ValueError, match="duration_us: must be whole microseconds"):
        quantiles.bucket_of([0.5])
    with pytest.raises(ValueError, match="counts: the last axis must hold 807 buckets"):
        quantiles.quantile([1, 2], 0.5)
