"""Ratios, CUPED and caps against computations on the units themselves."""

from __future__ import annotations

import numpy as np
import pytest

from rollout.stats import adjust, means
from rollout.stats.moments import JointMoments


def _joint(rows: np.ndarray) -> JointMoments:
    return JointMoments.of_values(rows, np.zeros(len(rows), int), 1)


def test_a_ratio_is_the_mean_of_its_linearised_units() -> None:
    random = np.random.default_rng(3)
    views = random.poisson(20, 500) + 1.0
    clicks = random.binomial(views.astype(int), 0.2).astype(float)
    rate = clicks.sum() / views.sum()
    linear = rate + (clicks - rate * views) / views.mean()
    found = adjust.ratio(_joint(np.column_stack([clicks, views])))
    assert found.mean[0] == pytest.approx(rate)
    assert found.variance[0] == pytest.approx(linear.var(ddof=1))
    covariance = np.cov(clicks, views)
    delta = (covariance[0, 0] - 2 * rate * covariance[0, 1] + rate**2 * covariance[1, 1]) / views.mean() ** 2
    assert found.variance[0] == pytest.approx(delta)


def test_a_ratio_without_denominator_has_no_units() -> None:
    found = adjust.ratio(_joint(np.zeros((5, 2))))
    assert found.n[0] == 0
    assert found.ss[0] == 0


def test_cuped_equals_the_regression_on_the_units() -> None:
    random = np.random.default_rng(4)
    before = random.normal(10, 3, 1000)
    after = 2 * before + random.normal(0, 1, 1000)
    arm = np.arange(1000) % 2
    rows = np.column_stack([after, before])
    control, candidate = adjust.cuped(_joint(rows[arm == 0]), _joint(rows[arm == 1]))
    within = [np.cov(after[arm == a], before[arm == a]) * (500 - 1) for a in (0, 1)]
    theta = (within[0][0, 1] + within[1][0, 1]) / (within[0][1, 1] + within[1][1, 1])
    adjusted = after - theta * (before - before.mean())
    for found, a in ((control, 0), (candidate, 1)):
        assert found.mean[0] == pytest.approx(adjusted[arm == a].mean())
        assert found.variance[0] == pytest.approx(adjusted[arm == a].var(ddof=1))
    plain = means.contrast(_joint(rows[arm == 0]).column(0), _joint(rows[arm == 1]).column(0))
    assert means.contrast(control, candidate).variance < plain.variance / 10


def test_a_covariate_without_spread_changes_nothing() -> None:
    rows = np.column_stack([np.arange(20.0), np.ones(20)])
    control, candidate = adjust.cuped(_joint(rows[:10]), _joint(rows[10:]))
    assert control.mean[0] == rows[:10, 0].mean()
    assert candidate.variance[0] == pytest.approx(rows[10:, 0].var(ddof=1))


def test_a_ratio_may_have_a_ratio_covariate() -> None:
    random = np.random.default_rng(5)
    rows = random.uniform(1, 2, (2000, 4))
    rows[:, 0] = rows[:, 2] / rows[:, 3] * rows[:, 1] + random.normal(0, 0.01, 2000)
    arms = [adjust.linearised(_joint(part), ((0, 1), (2, 3))) for part in (rows[:1000], rows[1000:])]
    control, candidate = adjust.cuped(*arms)
    assert control.variance[0] < arms[0].column(0).variance[0] / 5
    assert candidate.mean[0] == pytest.approx(control.mean[0], abs=0.05)
    kept = adjust.linearised(_joint(rows), ((0, 1), 3))
    assert kept.mean[0, 1] == pytest.approx(rows[:, 3].mean())


def test_a_cap_cuts_only_what_lies_above_it() -> None:
    assert adjust.winsorised([1, 500, 501], cap=500).tolist() == [1, 500, 500]


def test_arms_with_other_strata_are_refused() -> None:
    one, two = (
        JointMoments.of_values(np.ones((2, 2)), [0, 1], 2),
        JointMoments.of_values(np.ones((2, 2)), [0, 1], 3),
    )
    with pytest.raises(ValueError, match="candidate: both arms need the same batch axes"):
        adjust.cuped(one, two)
