"""A fall of reports is found soon, and neither chance nor the hours of a day look like one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from rollout.stats import beta_mixture, reporting, starts
from rollout.stats.arrays import FloatArray, IntArray

REPLICATES = 1_000
SLICES = 2 * reporting.SLICES_A_DAY
PER_SLICE = 100
EVERY_FOUR_HOURS = range(24, SLICES + 1, 24)
BOUND = reporting.ALPHA + 3 * np.sqrt(reporting.ALPHA * (1 - reporting.ALPHA) / REPLICATES)
TURN = 2 * np.pi * np.arange(SLICES) / reporting.SLICES_A_DAY


def found_after(units: IntArray, rate: FloatArray, *, looks: range, seed: int) -> IntArray:
    """Return at which look each replicate is said to have fallen; -1 for never."""
    draws = np.random.default_rng(seed).binomial(units, rate, size=(REPLICATES, units.size))
    found = np.full(REPLICATES, -1)
    for look in looks:
        open_ = np.flatnonzero(found < 0)
        fallen = reporting.log_e_fallen(units[:look], draws[open_, :look]) >= reporting.bar()
        found[open_[fallen]] = look
    return found


def steady() -> IntArray:
    return np.full(SLICES, PER_SLICE)


@pytest.mark.parametrize("rate", [0.02, 0.6])
@pytest.mark.parametrize("phase", [0.0, np.pi / 2, np.pi])
def test_a_daily_cycle_of_forty_percent_is_no_fall(rate: float, phase: float) -> None:
    wave = np.cos(TURN + phase)
    for units in (steady(), np.rint(PER_SLICE * (1 + 0.8 * wave)).astype(np.int64)):
        cycle = found_after(units, rate * (1 + 0.4 * wave), looks=EVERY_FOUR_HOURS, seed=1)
        assert (cycle >= 0).mean() <= BOUND


@pytest.mark.parametrize(("at", "least"), [(72, reporting.LEAST_IN_A_DAY), (144, reporting.LEAST)])
@pytest.mark.parametrize("rate", [0.02, 0.9])
def test_a_fall_to_exactly_what_is_allowed_is_called_no_more_often_than_promised(
    at: int, least: float, rate: float
) -> None:
    rates = np.where(np.arange(SLICES) < at, rate, least * rate)
    assert (found_after(steady(), rates, looks=EVERY_FOUR_HOURS, seed=2) >= 0).mean() <= BOUND


@pytest.mark.parametrize(("rate", "units"), [(0.5, 200), (0.1, 800), (0.01, 12_000)])
@pytest.mark.parametrize("at", [72, 144])
def test_a_full_stop_is_found_after_about_a_hundred_reports_that_did_not_come(
    rate: float, units: int, at: int
) -> None:
    rates = np.where(np.arange(SLICES) < at, rate, 0.0)
    found = found_after(steady(), rates, looks=range(at, SLICES + 1, units // PER_SLICE)[:2], seed=3)
    assert (found == at + units // PER_SLICE).mean() > 0.8
    assert (found != at).all(), "not before it"


def test_a_fall_to_a_quarter_is_found_within_the_day() -> None:
    rates = np.where(np.arange(SLICES) < reporting.SLICES_A_DAY, 0.1, 0.025)
    assert (found_after(steady(), rates, looks=range(SLICES, SLICES + 1), seed=4) >= 0).mean() > 0.99


def test_the_numbers_are_those_of_the_formula() -> None:
    units, told = np.array([4_000, 3_000, 2_000]), np.array([400, 310, 5])
    by_slice = reporting.log_e_by_slice(units, told, slices_a_day=2)
    for slice_, least in ((1, 0.4), (2, 0.5)):
        spent = float(starts.penalty_of(slice_)) + np.log(2)
        before, hits = units[:slice_].sum(), told[:slice_].sum()
        share = reporting.ALPHA * np.exp(-spent)
        lowest = stats.binomtest(int(hits), int(before)).proportion_ci(1 - 2 * share, method="exact").low
        null = least * lowest
        expected = beta_mixture.log_e_less(
            told[slice_:].sum(), units[slice_:].sum(), null=null, concentration=1 / null
        )
        is_lower = told[slice_:].sum() / units[slice_:].sum() < least * hits / before
        assert by_slice[slice_] == pytest.approx((float(expected) if is_lower else 0.0) - spent, rel=1e-6)
    assert by_slice[2] >= reporting.bar()
    assert reporting.log_e_fallen(units, told, slices_a_day=2) == by_slice[2]


@given(
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), max_size=300).map(
        lambda pairs: [(max(pair), min(pair)) for pair in pairs]
    )
)
def test_any_counts_have_an_answer(pairs: list[tuple[int, int]]) -> None:
    units, told = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    by_slice = reporting.log_e_by_slice(units, told)
    assert not np.isnan(by_slice).any()
    fallen = reporting.log_e_fallen(units, told)
    assert fallen == (by_slice.max() if pairs else -np.inf)


def test_more_reports_than_units_are_refused() -> None:
    with pytest.raises(ValueError, match="reporting: must not exceed units"):
        reporting.log_e_fallen([10], [11])
