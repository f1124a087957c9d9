"""The label test: its tuning, its mixture by hand, its edges."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.stats import events


@given(st.floats(-3, 3), st.floats(0.01, 0.99))
def test_the_share_under_a_risk_is_the_printed_one(delta: float, rho: float) -> None:
    printed = rho * np.exp(delta) / (1 - rho + rho * np.exp(delta))
    assert events.share_under(delta, rho) == pytest.approx(printed)


@given(
    st.lists(
        st.tuples(st.integers(0, 300), st.integers(0, 3000), st.floats(0.01, 0.6)), min_size=1, max_size=4
    )
)
def test_the_harm_mixture_by_hand(splits: list[tuple[int, int, float]]) -> None:
    candidate, comparison, share = (np.array(part, dtype=float) for part in zip(*splits, strict=True))
    null = np.log(1.1)
    total = -np.inf
    for ratio in events.HARM_RISK_RATIOS:
        term = 0.0
        for b, a, rho in splits:
            before = 1 - rho + rho * np.exp(null)
            after = 1 - rho + rho * np.exp(null) * ratio
            term += b * np.log(ratio) - (a + b) * np.log(after / before)
        total = np.logaddexp(total, term - np.log(len(events.HARM_RISK_RATIOS)))
    found = events.log_e_harm(candidate, comparison, share=share, null_log_risk=null)
    assert found == pytest.approx(total, rel=1e-9, abs=1e-9)


def test_splits_add_up_only_when_they_are_the_same_split() -> None:
    one = events.log_e_harm([30.0], [70.0], share=[0.1])
    two = events.log_e_harm([10.0, 20.0], [30.0, 40.0], share=[0.1, 0.1])
    assert one == pytest.approx(float(two))


@given(st.integers(0, 500), st.integers(0, 500))
def test_the_two_one_sided_tests_mirror_each_other(b: int, a: int) -> None:
    assert events.log_e_greater(b, a) == pytest.approx(float(events.log_e_less(a, b)), abs=1e-9)


@pytest.mark.parametrize(
    "test", [events.log_e_two_sided, events.log_e_greater, events.log_e_less], ids=["both", "up", "down"]
)
def test_no_events_are_no_evidence(test: type) -> None:
    assert test(0, 0, share=0.05) == 0.0


def test_no_events_are_no_harm() -> None:
    assert events.log_e_harm([0.0], [0.0], share=[0.5]) == pytest.approx(0.0, abs=1e-15)
    assert events.log_e_harm(np.zeros((3, 0)), np.zeros((3, 0)), share=np.full((3, 0), 0.5)).tolist() == [
        0,
        0,
        0,
    ]


def test_the_relative_risk_interval_holds_the_ratio_of_shares() -> None:
    interval = events.relative_risk_interval([40, 0], [20, 0]).at(0)
    assert interval is not None
    assert interval[0] < 2.0 < interval[1]
    assert events.relative_risk_interval([40, 0], [20, 0]).at(1) is None
    assert events.relative_risk_interval(40, 0).at() is None


def test_the_concentration_is_the_printed_one() -> None:
    assert events.concentration_for(0.1, share=0.5) == pytest.approx(400)


def test_the_share_among_baseline_traffic_leaves_the_other_candidates_out() -> None:
    assert events.share_among_baseline(0.05) == 0.05
    assert events.share_among_baseline(0.2, candidates=4) == pytest.approx(0.5)
    with pytest.raises(ValueError, match="weight: must be at most 1/3"):
        events.share_among_baseline(0.34, candidates=2)


def test_what_cannot_be_harm_is_refused() -> None:
    with pytest.raises(ValueError, match="risk_ratios: must all exceed 1"):
        events.log_e_harm([1.0], [1.0], share=[0.5], risk_ratios=(0.5, 2.0))
    with pytest.raises(ValueError, match="share: must lie strictly between 0 and 1"):
        events.log_e_greater(1, 1, share=1.0)
    with pytest.raises(ValueError, match="candidate: must not be negative"):
        events.log_e_greater(-1, 1)
