"""Bars and latches: the rules that keep an old proof from promoting a new harm."""

from __future__ import annotations

import numpy as np
import pytest

from rollout.stats import bars
from rollout.stats.interval import Interval


def test_the_bars_are_the_printed_ones() -> None:
    assert bars.reject_bar(0.05) == pytest.approx(np.log(20))
    assert bars.promote_bar(0.05, arms=3) == pytest.approx(np.log(60))
    assert bars.stop_bar(0.01, share=0.25) == pytest.approx(np.log(400))


def test_a_latch_keeps_the_most_and_ignores_looks_that_were_not_valid() -> None:
    assert bars.latch([0.0, 2.0, 0.0], [1.0, 1.0, 9.0], valid=[True, True, False]).tolist() == [1.0, 2.0, 0.0]


@pytest.mark.parametrize(
    ("latched", "score", "harm", "proven"),
    [
        (4.0, 1.0, 0.0, True),
        (2.9, 1.0, 0.0, False),
        (4.0, 0.0, 0.0, False),
        (4.0, -1.0, 0.0, False),
        (4.0, 1.0, 3.0, False),
    ],
    ids=["all well", "never proven", "no estimate", "estimate turned", "harm now"],
)
def test_proof_is_latched_and_current(latched: float, score: float, harm: float, *, proven: bool) -> None:
    assert bars.is_proven(latched, score=score, log_e_harm=harm, bar=bars.promote_bar(0.05)) == proven


def test_both_and_either() -> None:
    assert bars.both([1.0, 5.0], [2.0, 3.0]).tolist() == [1.0, 3.0]
    assert bars.either(np.log(30), np.log(10)) == pytest.approx(np.log(20))
    assert bars.either(2000.0, -2000.0) == pytest.approx(2000 - np.log(2))


def test_withholding_keeps_what_speaks_for_the_null() -> None:
    assert bars.withhold([3.0, 3.0, -3.0], [True, False, False]).tolist() == [3.0, 0.0, -3.0]


def test_p_values_stay_numbers() -> None:
    assert bars.always_valid_p([-5.0, 0.0, np.log(20)]) == pytest.approx([1.0, 1.0, 0.05])
    assert bars.always_valid_p(1e9) == 0.0
    assert bars.log_always_valid_p(1e9) == -1e9


def test_impossible_levels_are_refused() -> None:
    with pytest.raises(ValueError, match="share: must not exceed 1"):
        bars.stop_bar(0.05, share=1.1)
    with pytest.raises(ValueError, match="arms: must be at least 1"):
        bars.promote_bar(0.05, arms=0)
    with pytest.raises(ValueError, match="alpha: must lie strictly between 0 and 1"):
        bars.reject_bar(0)


def test_an_unknown_interval_is_none() -> None:
    found = Interval.where(np.array([True, False]), np.array([1.0, np.nan]), np.array([2.0, np.inf]))
    assert found.at(0) == (1.0, 2.0)
    assert found.at(1) is None
    assert np.isfinite(found.upper).all()
