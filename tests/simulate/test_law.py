"""What is drawn as sums has the law of what is drawn unit by unit: means and variances agree."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rollout.domain.metric import Direction, Metric, MetricType, Role, Source
from rollout.domain.policy import Expect, Level
from rollout.simulation import troubles
from rollout.simulation.amounts import FEW
from rollout.simulation.crowd import UNITS_PER_DAY, Crowd, Trials
from rollout.simulation.levels import Span
from rollout.simulation.scenario import Scenario, Traffic
from rollout.simulation.tracks import Since
from rollout.simulation.traffic import Arrivals, swing
from rollout.simulation.values import CORRELATION, VIEWS, Values, joint
from rollout.stats.arrays import FloatArray, IntArray
from tests.domain.examples import POLICY

REPLICATES, UNITS = 4_000, 50
ERRORS_AWAY = 5.0
"""How many standard errors two means may be apart: of hundreds of comparisons none should be, by chance."""
DAY_S = 86_400.0


def agree(drawn: FloatArray, counted: FloatArray, *, with_variance: bool = True) -> bool:
    """Return whether two samples have the mean, and the variance, of one law."""
    error = np.sqrt(drawn.var() / len(drawn) + counted.var() / len(counted))
    has_one_mean = bool(abs(drawn.mean() - counted.mean()) <= ERRORS_AWAY * error + 1e-12)
    if not with_variance:
        return has_one_mean
    drawn_spread, counted_spread = ((one - one.mean()) ** 2 for one in (drawn, counted))
    return has_one_mean and agree(drawn_spread, counted_spread, with_variance=False)


def metric(kind: MetricType, **more: object) -> Metric:
    plain = Metric("m", Role.PRIMARY, Source.OUTCOMES, kind, Direction.INCREASE, DAY_S)
    return replace(plain, **more)  # type: ignore[arg-type]


def values(kind: MetricType, mean: float, deviation: float, **more: object) -> Values:
    return Values.of(metric(kind, **more), Expect(levels={"m": Level(mean, deviation)}))


@pytest.mark.parametrize("chance", [0.002, 0.05, 0.3])
@pytest.mark.parametrize(
    "trials", [Trials(np.array([1.0]), np.array([3.0])), Trials(np.array([8.0]), np.array([1.0]))]
)
def test_troubles_are_those_of_units(chance: float, trials: Trials) -> None:
    rng = np.random.default_rng(1)
    units: IntArray = np.full((REPLICATES, 1), UNITS)
    sums = troubles.drawn(rng, units, trials, np.full((REPLICATES, 1), chance))
    times, worth = int(trials.times[0]), trials.requests[0]
    hits = rng.binomial(times, chance, (REPLICATES, UNITS)).astype(float)
    assert agree(sums[:, troubles.NONZERO], (hits > 0).sum(axis=1))
    assert agree(sums[:, troubles.HITS], hits.sum(axis=1))
    assert agree(sums[:, troubles.Y], worth * hits.sum(axis=1))
    assert agree(sums[:, troubles.FRACTIONS], (hits / times).sum(axis=1))
    # Given the total the sum of squares is its mean, so its own variance is smaller.
    assert agree(sums[:, troubles.YY], ((worth * hits) ** 2).sum(axis=1), with_variance=False)
    assert agree(sums[:, troubles.XY], (worth * hits * times * worth).sum(axis=1))
    assert (sums[:, troubles.X] == UNITS * times * worth).all()


def test_a_crowd_keeps_what_is_expected() -> None:
    expect = Expect(units_per_day=10_000, requests_per_s=1.0)
    crowd = Crowd.of(expect, Traffic(heavy_share=0.1, heavy_times=8, unlucky_share=0.05, unlucky_times=4))
    requests = crowd.share * crowd.requests
    assert crowd.share.sum() == pytest.approx(1.0)
    assert requests.sum() == pytest.approx(8.64, rel=0.1)  # whole requests a unit
    assert requests @ crowd.proneness / requests.sum() == pytest.approx(1.0)
    for trials in (crowd.by_request, crowd.by_window, crowd.by_minute):
        assert trials.times * trials.requests == pytest.approx(crowd.requests)


@pytest.mark.parametrize("cap", [None, 40.0])
@pytest.mark.parametrize("units", [2, UNITS, 5 * FEW])
def test_amounts_are_those_of_payers(cap: float | None, units: int) -> None:
    rng = np.random.default_rng(2)
    law = values(MetricType.MEAN, 3.0, 6.0, cap=cap)
    sums = law.drawn(rng, np.full(REPLICATES, units), np.full(REPLICATES, 3.0))
    paying = np.e / (1.0 + (6.0 / 3.0) ** 2)
    payers = rng.random((REPLICATES, units)) < paying
    amounts = payers * rng.lognormal(np.log(3.0 / paying) - 0.5, 1.0, (REPLICATES, units))
    amounts = np.minimum(amounts, np.inf if cap is None else cap)
    assert agree(sums[:, 1], payers.sum(axis=1))
    assert agree(sums[:, 2], amounts.sum(axis=1))
    assert agree(sums[:, 3], (amounts**2).sum(axis=1), with_variance=cap is not None)


@pytest.mark.parametrize("deviation", [1.0, 2.5])
def test_counts_are_those_of_units(deviation: float) -> None:
    rng = np.random.default_rng(3)
    sums = values(MetricType.COUNT, 2.0, deviation).drawn(
        rng, np.full(REPLICATES, UNITS), np.full(REPLICATES, 2.0)
    )
    beyond = deviation**2 - 2.0
    rate = np.full((REPLICATES, UNITS), 2.0)
    if beyond > 0:
        rate = rng.gamma(4.0 / beyond, beyond / 2.0, (REPLICATES, UNITS))
    counts = rng.poisson(rate).astype(float)
    assert agree(sums[:, 1], (counts > 0).sum(axis=1), with_variance=False)
    assert agree(sums[:, 2], counts.sum(axis=1))
    assert agree(sums[:, 3], (counts**2).sum(axis=1), with_variance=False)


def test_ratios_are_those_of_units() -> None:
    rng, level = np.random.default_rng(4), 0.2
    sums = values(MetricType.RATIO, level, 0.5).drawn(
        rng, np.full(REPLICATES, 400), np.full(REPLICATES, level)
    )
    views = rng.negative_binomial(2, 2 / (2 + VIEWS), (REPLICATES, 400))
    # The share of each unit has the deviation 0.3 of its mean.
    size = level * (1 - level) / (0.3 * level) ** 2 - 1
    share = rng.beta(level * size, (1 - level) * size, views.shape)
    clicks = rng.binomial(views, share).astype(float)
    assert agree(sums[:, 2], clicks.sum(axis=1))
    assert agree(sums[:, 3], views.sum(axis=1).astype(float))
    assert agree(sums[:, 4], (clicks**2).sum(axis=1), with_variance=False)
    assert agree(sums[:, 5], (clicks * views).sum(axis=1), with_variance=False)
    assert agree(sums[:, 7], (views.astype(float) ** 2).sum(axis=1), with_variance=False)
    both = [np.cov(pair)[0, 1] for pair in (sums[:, 2:4].T, [clicks.sum(axis=1), views.sum(axis=1)])]
    assert both[0] == pytest.approx(both[1], rel=0.1)


def test_history_is_correlated_with_the_value_and_not_with_the_arm() -> None:
    rng = np.random.default_rng(5)
    law = values(MetricType.COUNT, 2.0, 1.5, pre_window_s=DAY_S)
    units = np.full(REPLICATES, 1_000)
    plain, lifted = (law.drawn(rng, units, np.full(REPLICATES, level)) for level in (2.0, 2.4))
    for sums in (plain, lifted):
        total, history = sums[:, 2], sums[:, 3]
        assert np.corrcoef(total, history)[0, 1] == pytest.approx(CORRELATION, abs=0.05)
        assert agree(history, rng.normal(2_000.0, 1.5 * np.sqrt(1_000), REPLICATES))


@pytest.mark.parametrize("kind", [MetricType.COUNT, MetricType.RATIO, MetricType.MEAN])
def test_totals_vary_as_the_products_say(kind: MetricType) -> None:
    rng, units = np.random.default_rng(8), 2_000
    law = values(kind, 0.25, 0.5, pre_window_s=DAY_S, cap=3.0 if kind is MetricType.MEAN else None)
    sums = law.drawn(rng, np.full(REPLICATES, units), np.full(REPLICATES, 0.25))
    moments = joint(sums, law.columns)
    # What a test takes from the scatter within must be what happens between: or it is too sure.
    between = np.cov((moments.mean * units).T)
    within = moments.scatter.mean(axis=0)
    size = np.sqrt(np.outer(np.diag(within), np.diag(within)))
    assert np.abs((between - within) / size).max() < 0.08


def test_arrivals_keep_the_policy_s_weights() -> None:
    rng, replicates = np.random.default_rng(6), 300
    scenario = Scenario(traffic=Traffic(day=0.0, weekend=0.0))
    per_day = UNITS_PER_DAY
    crowd = Crowd.of(POLICY.expect, scenario.traffic)
    arrivals = Arrivals(POLICY, scenario, crowd, replicates)
    steps_on = np.full(replicates, 2)
    active = np.ones((replicates, 2), dtype=np.bool_)
    kinds = arrivals.draw(rng, Span(0.0, DAY_S), steps_on, active, np.zeros((replicates, 3)))
    one, two = (step.weight_bp / 10_000 for step in POLICY.steps[:2])
    cells = kinds.sum(axis=-1).mean(axis=0) / per_day
    expected = np.zeros(cells.shape)
    expected[0], expected[1], expected[-1, 0] = one, two - one, 1 - 2 * two
    assert cells == pytest.approx(expected, abs=5e-4)
    assert kinds.sum(axis=(1, 2)).mean(axis=0) / per_day == pytest.approx(crowd.share, rel=0.01)


def test_traffic_swings_around_its_mean() -> None:
    traffic = Traffic(day=0.4, weekend=0.3)
    week = [swing(traffic, since_monday_s=at, days=0.0) for at in np.arange(0.0, 7 * DAY_S, 900.0)]
    assert np.mean(week) == pytest.approx(1.0)
    assert max(week) / min(week) == pytest.approx(1.4 / (0.6 * 0.7), rel=0.01)
    grown = swing(replace(traffic, growth_per_day=0.1), since_monday_s=0.0, days=7.0)
    assert grown == pytest.approx(week[0] * 1.1**7)


def test_starts_count_what_came_since_them_and_end_after_an_hour() -> None:
    since = Since((1,), every_s=10)
    for minute in range(1, 91):
        since.add(np.ones(1), minute * 60.0)
    assert since.total[0] == 90.0
    assert len(since.index) == 61  # the first, and one a minute for an hour
    counts = dict(zip(since.index.tolist(), since.since_each()[0].tolist(), strict=True))
    # A start that came with the look at minute m has seen what came after it.
    assert counts[0] == 90.0
    assert counts[6 * 80] == 10.0
    assert min(index for index in counts if index) == 6 * 31


def test_starts_keep_their_distance_when_looks_are_many() -> None:
    since = Since((1,), every_s=10)
    for second in range(1, 301):
        since.add(np.ones(1), float(second))
    begun = np.diff(since.index[1:] * 10.0)
    assert (begun >= 60.0).all()
