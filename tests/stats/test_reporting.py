"""A fall of reports is found soon, and neither chance nor the hours of a day look like one."""

from __future__ import annotations

from collections.abc import Callable

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


def below_past(units: IntArray, reporting_: IntArray) -> FloatArray:
    """Return what one of the two tests alone says, against its part of the bar."""
    penalty = starts.penalty_of(np.arange(units.shape[-1])) + np.log(2)
    share = np.exp(-penalty) * reporting.ALPHA / 2
    by_slice = reporting.log_e_below_past(units, reporting_, share=share)
    return np.asarray((by_slice - np.log(2) - penalty).max(axis=-1))


def found_after(
    units: IntArray,
    rate: FloatArray,
    *,
    looks: range,
    seed: int,
    log_e: Callable[[IntArray, IntArray], FloatArray] = reporting.log_e_fallen,
) -> IntArray:
    """Return at which look each replicate is said to have fallen; -1 for never."""
    draws = np.random.default_rng(seed).binomial(units, rate, size=(REPLICATES, units.size))
    found = np.full(REPLICATES, -1)
    for look in looks:
        open_ = np.flatnonzero(found < 0)
        fallen = log_e(units[:look], draws[open_, :look]) >= reporting.bar()
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
    found = found_after(steady(), rates, looks=EVERY_FOUR_HOURS, seed=2, log_e=below_past)
    assert (found >= 0).mean() <= BOUND


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


@pytest.mark.parametrize("rate", [0.05, 0.9])
def test_a_day_at_exactly_what_is_allowed_beside_the_day_before_is_no_fall(rate: float) -> None:
    rates = np.where(np.arange(SLICES) < reporting.SLICES_A_DAY, rate, reporting.LEAST_BY_DAY * rate)
    assert (found_after(steady(), rates, looks=EVERY_FOUR_HOURS, seed=5) >= 0).mean() <= BOUND


def test_half_of_the_reports_is_found_within_the_day_whatever_the_hour_and_however_deep_the_cycle() -> None:
    deep = 0.4 * (1 + 0.8 * np.cos(TURN))
    half = np.where(np.arange(SLICES) < reporting.SLICES_A_DAY, deep, 0.5 * deep)
    units = np.full(SLICES, 3 * PER_SLICE)
    assert (found_after(units, half, looks=range(SLICES, SLICES + 1), seed=6) >= 0).mean() > 0.9


def test_the_mean_of_e_beside_the_day_before_is_at_most_one() -> None:
    units = np.array([3, 2, 0, 4, 2, 3, 1, 0, 1])
    chance = np.random.default_rng(8)
    for rate in (0.1, 0.5, 0.95):
        rates = np.where(np.arange(9) < 4, rate, reporting.LEAST_BY_DAY * rate)
        told = chance.binomial(units, rates, size=(50_000, 9))
        e = np.exp(reporting.log_e_below_day(np.broadcast_to(units, told.shape), told, slices_a_day=4))
        assert (e.mean(axis=0) <= 1 + 4 * e.std(axis=0) / np.sqrt(len(e))).all()


def test_the_numbers_beside_the_day_before_are_those_of_the_formula() -> None:
    units, told = [50, 40, 60, 30, 45, 9], [20, 9, 5, 3, 40, 9]
    found = reporting.log_e_below_day(units, told, slices_a_day=2)
    for start, of_start in ((2, (2, 3)), (3, (3, 4)), (4, (4,))):
        bets = []
        for ratio in (1.2, 1.5, 2.5, 5.0, 20.0):
            total = 0.0
            for place in of_start:
                theta = units[place - 2] / (units[place - 2] + 0.6 * units[place])
                both = told[place - 2] + told[place]
                total += told[place - 2] * np.log(ratio) - both * np.log(1 + theta * (ratio - 1))
            bets.append(np.exp(total))
        assert found[start] == pytest.approx(np.log(np.mean(bets)))
    assert found[[0, 1, 5]].tolist() == [0.0, 0.0, 0.0], "without a day before, and of the running slice"


def test_the_numbers_below_all_before_are_those_of_the_formula() -> None:
    units, told = np.array([4_000, 3_000, 2_000]), np.array([400, 310, 5])
    by_slice = reporting.log_e_by_slice(units, told, slices_a_day=2)
    for slice_, least in ((1, 0.4), (2, 0.5)):
        spent = float(starts.penalty_of(slice_)) + 2 * np.log(2)
        before, hits = units[:slice_].sum(), told[:slice_].sum()
        share = reporting.ALPHA * np.exp(-spent)
        lowest = stats.binomtest(int(hits), int(before)).proportion_ci(1 - 2 * share, method="exact").low
        null = least * lowest
        expected = beta_mixture.log_e_less(
            told[slice_:].sum(), units[slice_:].sum(), null=null, concentration=1 / null
        )
        is_lower = told[slice_:].sum() / units[slice_:].sum() < least * hits / before
        # Of what has not fallen the other test says as little, and owes less.
        least_owed = spent - np.log(2)
        assert by_slice[slice_] == pytest.approx(
            float(expected) - spent if is_lower else -least_owed, rel=1e-6
        )
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
