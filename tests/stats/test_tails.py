"""Beta tails and kernels against fifty digits, far beyond where a float tail underflows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.stats import tails
from tests.stats import oracle

CASES = [
    (0.5, 1.5, 1.6),
    (0.0101, 50.0, 4000.0),
    (0.0101, 150.0, 4000.0),
    (0.2, 3.0, 0.001),
    (0.01, 1.0e4, 1.0e6),
    (0.01, 1.2e4, 1.0e6),
    (0.01, 1.02e6, 9.9e7),
    (0.01, 1.0e10 + 1e5, 9.9e11),
    (0.01, 1.0e10 + 6.6e5, 9.9e11),
    (0.01, 1.0e10 + 3e6, 9.9e11),
    (1e-6, 40.0, 1e6),
]


@pytest.mark.parametrize(("x", "a", "b"), CASES)
def test_the_tails_agree_with_quadrature(x: float, a: float, b: float) -> None:
    assert tails.log_beta_cdf(x, a, b) == pytest.approx(oracle.log_beta_tail(x, a, b), rel=1e-9)
    assert tails.log_beta_sf(1 - x, b, a) == pytest.approx(
        oracle.log_beta_tail(1 - x, b, a, upper=True), rel=1e-9
    )


@given(st.floats(1e-3, 1e8), st.floats(1e-3, 1e8), st.floats(1e-6, 1 - 1e-6))
def test_both_tails_add_up_to_one(a: float, b: float, x: float) -> None:
    total = np.logaddexp(tails.log_beta_cdf(x, a, b), tails.log_beta_sf(x, a, b))
    assert total == pytest.approx(0.0, abs=1e-7)


def test_a_tail_that_underflows_stays_a_number() -> None:
    found = tails.log_beta_cdf(0.01, 1e10 * 2, 1e12)
    assert -1e12 < found < -1e9


@given(st.floats(1e-9, 1e12), st.floats(1e-9, 1e12))
def test_the_deviance_is_never_negative_and_zero_at_the_mean(x: float, mean: float) -> None:
    assert tails.deviance(np.array(x), np.array(mean)) >= 0
    assert tails.deviance(np.array(x), np.array(x)) == 0


@pytest.mark.parametrize("x", [0.0, 1.0, -0.1, float("nan")])
def test_an_impossible_point_is_refused(x: float) -> None:
    with pytest.raises(ValueError, match="x: must"):
        tails.log_beta_cdf(x, 1.0, 1.0)
