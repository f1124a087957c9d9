"""The core of (a): its constants, its critical values, and its printed formulas."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.stats import normal_mixture


def test_the_tuning_constants_are_the_published_ones() -> None:
    assert pytest.approx(8.212, abs=5e-4) == normal_mixture.R_TWO_SIDED
    assert pytest.approx(6.638, abs=5e-4) == normal_mixture.R_ONE_SIDED


@given(st.floats(-60, 60), st.floats(1e-6, 1e6))
def test_the_one_sided_e_agrees_with_fifty_digits(z: float, r: float) -> None:
    with mpmath.workdps(50):
        z_, r_ = mpmath.mpf(z), mpmath.mpf(r)
        shrunk = z_ * mpmath.sqrt(r_ / (1 + r_))
        tail = mpmath.erfc(-shrunk / mpmath.sqrt(2)) / 2
        printed = float(mpmath.log(2) - mpmath.log1p(r_) / 2 + shrunk**2 / 2 + mpmath.log(tail))
    assert normal_mixture.log_e_greater(z, r) == pytest.approx(printed, rel=1e-9, abs=1e-12)
    assert normal_mixture.log_e_less(-z, r) == normal_mixture.log_e_greater(z, r)


@given(st.floats(1e-6, 1e6), st.floats(1e-6, 0.4))
def test_the_critical_values_are_where_the_tests_reject(r: float, alpha: float) -> None:
    two = normal_mixture.critical_z_two_sided(r, alpha)
    one = normal_mixture.critical_z_one_sided(r, alpha)
    assert normal_mixture.log_e_two_sided(two, r) == pytest.approx(np.log(1 / alpha), rel=1e-9)
    assert normal_mixture.log_e_greater(one, r) == pytest.approx(np.log(1 / alpha), rel=1e-9)
    assert one < two


def test_the_best_ratio_makes_the_boundary_tightest() -> None:
    for sides, critical in (
        (1, normal_mixture.critical_z_one_sided),
        (2, normal_mixture.critical_z_two_sided),
    ):
        best = normal_mixture.best_ratio(0.05, sides=sides)
        around = critical(best * np.array([0.8, 1.0, 1.25]), 0.05)
        # One-sided the constant is the two-sided one at 2α: near the least, not on it.
        assert around[1] <= around.min() + (0.0 if sides == 2 else 0.01)


def test_an_unknown_number_of_sides_is_refused() -> None:
    with pytest.raises(ValueError, match="sides: must be 1 or 2"):
        normal_mixture.best_ratio(0.05, sides=3)


@given(st.floats(-1e9, 1e9))
def test_no_information_is_no_evidence(z: float) -> None:
    assert normal_mixture.log_e_two_sided(z, 0.0) == 0.0
    assert normal_mixture.log_e_greater(z, 0.0) == 0.0
