"""Sample-ratio mismatch on distinct units."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

from rollout.stats import balance


def test_the_formula_by_hand_over_two_strata() -> None:
    counts, shares = np.array([[5000.0, 5200.0], [90.0, 10.0]]), np.array([[0.5, 0.5], [0.9, 0.1]])

    def log_beta(v: np.ndarray) -> np.ndarray:
        return np.asarray(special.gammaln(v).sum(axis=-1) - special.gammaln(v.sum(axis=-1)))

    printed = (
        log_beta(100 * shares + counts) - log_beta(100 * shares) - (counts * np.log(shares)).sum(axis=-1)
    )
    assert balance.log_e(counts, shares) == pytest.approx(printed.sum(), rel=1e-9)


def test_a_split_that_lost_a_tenth_of_an_arm_is_found() -> None:
    assert balance.log_e([[10_000, 9_000]], [[0.5, 0.5]]) > np.log(1 / balance.ALPHA)
    assert balance.log_e([[10_000, 9_950]], [[0.5, 0.5]]) < 0


def test_no_units_are_no_mismatch() -> None:
    assert balance.log_e(np.zeros((4, 2)), [0.5, 0.5]) == 0.0
    assert balance.log_e(np.zeros((0, 2)), np.zeros((0, 2)) + 0.5) == 0.0


def test_the_deviation_is_a_share_of_all_units() -> None:
    assert balance.largest_deviation([[60, 40]], [[0.5, 0.5]]) == pytest.approx(0.1)
    assert balance.largest_deviation([[0, 0]], [[0.5, 0.5]]) == 0.0
