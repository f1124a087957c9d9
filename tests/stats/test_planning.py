"""Planning: against simulation, statsmodels, and the bound that no test beats."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from rollout.stats import first_passage, normal_mixture, planning


def test_first_passage_of_a_line_is_the_inverse_gaussian() -> None:
    step = 0.01
    found = first_passage.distribution(np.full(800, 2.0), 0.7, step)
    times = step * np.arange(1, 801)
    root = np.sqrt(times)
    exact = stats.norm.cdf((0.7 * times - 2) / root) + np.exp(2 * 0.7 * 2) * stats.norm.cdf(
        (-2 - 0.7 * times) / root
    )
    np.testing.assert_allclose(found, exact, atol=2e-4)


def test_the_sequential_test_costs_what_the_docs_say() -> None:
    found = planning.sequential(0.05, 0.8)
    assert found.planned == pytest.approx(1.72, abs=0.01)
    assert found.median == pytest.approx(0.97, abs=0.01)
    assert found.mean == pytest.approx(1.09, abs=0.01)
    assert found.power_at_longest == pytest.approx(0.895, abs=0.005)


def test_the_planned_power_is_reached_in_simulation() -> None:
    plan, looks, replicates = planning.sequential(0.05, 0.8), 500, 4000
    fixed = float(planning.fixed_information(1.0, variance=1.0))
    information = np.linspace(0, plan.planned * fixed, looks + 1)[1:]
    step = information[0]
    steps = step + np.sqrt(step) * np.random.default_rng(21).standard_normal((replicates, looks))
    z = steps.cumsum(axis=1) / np.sqrt(information)
    r = normal_mixture.R_ONE_SIDED * information / information[-1]
    power = (z >= normal_mixture.critical_z_one_sided(r, 0.05)).any(axis=1).mean()
    # 500 looks instead of all of time cost about one point of power.
    assert 0.76 < power < 0.81


def test_a_fixed_look_agrees_with_statsmodels() -> None:
    effect = 0.05
    ours = planning.units_per_arm(planning.fixed_information(effect, variance=1.0))
    assert ours == pytest.approx(planning.fixed_units_of_means(effect), rel=1e-3)
    variance = planning.contrast_variance(0.1 * 0.9, 0.11 * 0.89)
    rates = planning.units_per_arm(planning.fixed_information(0.01, variance=variance))
    assert rates == pytest.approx(planning.fixed_units_of_rates(0.1, 0.11), rel=2e-3)


def test_the_reachable_effect_inverts_the_information() -> None:
    units = planning.units_per_arm(planning.sequential_information(0.01, variance=0.09))
    assert planning.reachable_effect(units, variance=0.09) == pytest.approx(0.01, rel=1e-4)
    assert planning.reachable_effect(0, variance=0.09) == 1e100


def test_a_small_effect_on_a_rare_conversion_takes_a_season() -> None:
    rate, lift = 0.031, 0.02
    variance = planning.contrast_variance(rate * (1 - rate), rate * (1 + lift) * (1 - rate * (1 + lift)))
    planned = planning.units_per_arm(planning.sequential_information(rate * lift, variance=variance))
    longest = planning.units_per_arm(planning.longest_information(rate * lift, variance=variance))
    assert planned == pytest.approx(1.7e6, rel=0.02)
    assert planned / 20_000 == pytest.approx(84, abs=2)
    assert longest / planned == pytest.approx(2.2 / 1.72, rel=0.01)


def test_no_test_beats_walds_bound() -> None:
    divergence = 0.2 * np.log(0.2 / 0.1) + 0.8 * np.log(0.8 / 0.9)
    assert planning.wald_samples(0.2, 0.1) == pytest.approx(np.log(20) / divergence)
    with pytest.raises(ValueError, match="divergence"):
        planning.wald_samples(0.1, 0.1)


def test_a_plan_without_an_effect_is_refused() -> None:
    with pytest.raises(ValueError, match="effect: must be greater than zero"):
        planning.fixed_information(0.0, variance=1.0)
