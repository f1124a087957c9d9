"""Unit windows in event time, and sums over closed units that lose nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.stats import windows
from rollout.stats.moments import Moments

HOUR_US = 3_600_000_000


def test_an_outcome_counts_from_five_seconds_before_its_enrolment_until_its_window_ends() -> None:
    enrolment = 10 * HOUR_US
    times = enrolment + np.array([-5_000_001, -5_000_000, 0, HOUR_US - 1, HOUR_US])
    assert windows.in_window(times, enrolment, window_us=HOUR_US).tolist() == [False, True, True, True, False]


def test_a_unit_closes_when_the_watermark_has_passed_its_window_and_grace() -> None:
    found = windows.is_closed([0, 1], watermark_us=HOUR_US + 600, window_us=HOUR_US, grace_us=600)
    assert found.tolist() == [True, False]


@given(
    st.lists(
        st.tuples(
            st.one_of(st.integers(-(2**61) + 1, 2**61 - 1), st.integers(-(2**32), 2**32)),
            st.integers(-1000, 1000),
            st.integers(0, 3),
        ),
        max_size=40,
    )
)
def test_sums_equal_pythons_own_integers(units: list[tuple[int, int, int]]) -> None:
    rows = np.array([unit[:2] for unit in units], dtype=np.int64).reshape(-1, 2)
    group = [unit[2] for unit in units]
    n, totals, products = windows.exact_sums(rows, group, 4)
    for g in range(4):
        members = [unit[:2] for unit in units if unit[2] == g]
        assert n[g] == len(members)
        for i in range(2):
            assert totals[g, i] == sum(member[i] for member in members)
            for j in range(2):
                assert products[g, i, j] == sum(member[i] * member[j] for member in members)


def test_sums_of_units_become_moments_without_rounding() -> None:
    rows = np.array([[2**41], [2**41 + 2], [2**41 + 4]])
    n, totals, products = windows.exact_sums(rows, [0, 0, 0], 1)
    assert Moments.from_sums(n, totals[:, 0], products[:, 0, 0]).variance.tolist() == [4.0]


def test_what_could_be_rounded_is_refused() -> None:
    with pytest.raises(ValueError, match="values: must be integers"):
        windows.exact_sums([[0.5]], [0], 1)
    with pytest.raises(ValueError, match=r"below 2\^61"):
        windows.exact_sums([[2**61]], [0], 1)
