"""The core of label tests, limits and balance against the formulas as they are printed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.stats import beta_mixture
from tests.stats import oracle

CASES = [
    (s, n, p0, k)
    for p0, k in ((0.01, 157.0), (0.5, 400.0), (0.05, 2105.0))
    for s, n in ((0, 1), (1, 1), (0, 1000), (3.25, 100), (10, 1000), (5_000, 1e6), (1.2e4, 1e6), (1e10, 1e12))
]


@pytest.mark.parametrize(("s", "n", "p0", "k"), CASES)
def test_every_side_agrees_with_fifty_digits(s: float, n: float, p0: float, k: float) -> None:
    at = {"null": p0, "concentration": k}
    assert beta_mixture.log_e_two_sided(s, n, **at) == pytest.approx(
        oracle.log_beta_mixture(s, n, p0, k), rel=1e-9, abs=1e-9
    )
    assert beta_mixture.log_e_greater(s, n, **at) == pytest.approx(
        oracle.log_one_sided(s, n, p0, k, upper=True), rel=1e-9, abs=1e-9
    )
    assert beta_mixture.log_e_less(s, n, **at) == pytest.approx(
        oracle.log_one_sided(s, n, p0, k, upper=False), rel=1e-9, abs=1e-9
    )


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.floats(0.001, 0.999), st.floats(0.5, 1e5))
def test_two_categories_are_the_beta_case(s: int, failures: int, p0: float, k: float) -> None:
    beta = beta_mixture.log_e_two_sided(s, s + failures, null=p0, concentration=k)
    dirichlet = beta_mixture.log_dirichlet([s, failures], [p0, 1 - p0], concentration=k)
    assert dirichlet == pytest.approx(beta, rel=1e-9, abs=1e-9)


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.floats(0.001, 0.999))
def test_the_interval_ends_where_the_test_rejects(s: int, failures: int, centre: float) -> None:
    n = s + failures
    found = beta_mixture.rate_interval(s, n, centre=centre, concentration=50.0).at()
    if n == 0:
        assert found is None
        return
    assert found is not None
    lower, upper = found
    assert lower <= s / n <= upper
    for end in (lower, upper):
        if 1e-12 < end < 1 - 1e-9:
            # A fixed prior: log e(p) = log marginal − log likelihood(p).
            at_centre = float(beta_mixture.log_e_two_sided(s, n, null=centre, concentration=50.0))
            moved = at_centre + s * np.log(centre / end) + failures * np.log((1 - centre) / (1 - end))
            assert moved == pytest.approx(np.log(20), rel=1e-6, abs=1e-5)


def test_more_successes_than_trials_are_refused() -> None:
    with pytest.raises(ValueError, match="successes: must not exceed trials"):
        beta_mixture.log_e_two_sided(2, 1, null=0.5, concentration=10)
    with pytest.raises(ValueError, match="shares: must sum to 1"):
        beta_mixture.log_dirichlet([1, 1], [0.5, 0.4], concentration=10)
