"""Limits: both directions, the golden of tails that underflow, units, and shared outages."""

from __future__ import annotations

import numpy as np
import pytest

from rollout.stats import slo
from rollout.stats.moments import JointMoments


def test_the_tuning_constant_is_the_printed_one() -> None:
    assert slo.concentration_for(1000) == pytest.approx(1000 / 6.329 - 1, rel=1e-4)
    with pytest.raises(ValueError, match="planned_units: too small"):
        slo.concentration_for(6)


@pytest.mark.parametrize("n", [1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12])
def test_half_the_limit_is_compliance_however_far_the_tail_underflows(n: float) -> None:
    half = n * 0.01 / 2
    compliance = slo.log_e_compliance(half, n, limit=0.01)
    violation = slo.log_e_violation(half, n, limit=0.01)
    divergence = 0.005 * np.log(0.5) + 0.995 * np.log(0.995 / 0.99)
    assert compliance == pytest.approx(n * divergence, rel=0.02)
    assert -60 < violation < -5


def test_zero_traffic_is_never_compliance() -> None:
    assert slo.log_e_compliance(0, 0, limit=0.01) == 0.0
    assert slo.log_e_violation(0, 0, limit=0.01) == 0.0
    nothing = JointMoments(np.zeros(1), np.zeros((1, 2)), np.zeros((1, 2, 2)))
    assert slo.log_e_units_compliance(nothing, limit=0.01).tolist() == [0.0]
    assert slo.log_e_units_violation(nothing, limit=0.01, exceeding_units=[0]).tolist() == [0.0]


def _units(exceedances: np.ndarray, requests: np.ndarray) -> JointMoments:
    return JointMoments.of_values(np.column_stack([exceedances, requests]), np.zeros(len(requests), int), 1)


def test_zero_exceedances_are_provable_over_units() -> None:
    quiet = _units(np.zeros(5000), np.full(5000, 3.0))
    assert slo.log_e_units_compliance(quiet, limit=0.01) > np.log(400)


def test_the_one_sample_score_by_hand() -> None:
    random = np.random.default_rng(11)
    requests = random.poisson(5, 400) + 1.0
    exceedances = random.binomial(requests.astype(int), 0.05).astype(float)
    residual = exceedances - 0.01 * requests
    z = residual.sum() / np.sqrt(((residual - residual.mean()) ** 2).sum())
    r = 6.638 * 400 / 150
    two_sided = -0.5 * np.log1p(r) + 0.5 * z * z * r / (1 + r)
    found = slo.log_e_units_violation(_units(exceedances, requests), limit=0.01, exceeding_units=[100])
    assert two_sided - 1e-3 < found[0] <= two_sided + np.log(2) + 1e-3


def test_few_exceeding_units_are_not_acted_on() -> None:
    requests = np.full(100, 10.0)
    exceedances = np.where(np.arange(100) < 19, 10.0, 0.0)
    bad = _units(exceedances, requests)
    assert slo.log_e_units_violation(bad, limit=0.01, exceeding_units=[19]) <= 0
    assert slo.log_e_units_violation(bad, limit=0.01, exceeding_units=[20]) > 0


def test_an_outage_marks_whole_minutes_and_nothing_else() -> None:
    requests = np.full(60, 600)
    exceedances = np.full(60, 2)
    exceedances[20:23] = 120
    found = slo.environment_windows(requests, exceedances, limit=0.01)
    assert np.flatnonzero(found).tolist() == [18, 19, 20, 21, 22, 23]


def test_a_fair_baseline_at_its_limit_is_rarely_an_outage() -> None:
    random = np.random.default_rng(12)
    exceedances = random.binomial(100, 0.01, size=(200, 600))
    found = slo.environment_windows(np.full((200, 600), 100), exceedances, limit=np.full(200, 0.01))
    assert 0 < found.mean() < 0.01


def test_a_running_minute_and_an_empty_one() -> None:
    assert slo.environment_windows([100] * 7, [0] * 6 + [50], limit=0.01).tolist() == [False] * 6 + [True]
    assert slo.environment_windows([], [], limit=0.01).tolist() == []
    assert not slo.is_environment(49, 49, limit=0.01)
    assert slo.is_environment(50, 10, limit=0.01)


def test_half_an_outage_is_not_yet_an_alarm() -> None:
    assert not slo.outage_dominates(np.array([True] * 30 + [False] * 30))
    assert slo.outage_dominates(np.array([True] * 31 + [False] * 29))


def test_the_rate_interval_holds_the_estimate() -> None:
    found = slo.rate_interval([0, 12, 0], [1000, 1000, 0], limit=0.01)
    assert found.lower[0] == 0.0
    assert found.upper[0] > 0.0
    second = found.at(1)
    assert second is not None
    assert second[0] < 0.012 < second[1]
    assert found.at(2) is None
