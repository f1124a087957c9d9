"""When a test stops: against drawn paths, drawn units, and the plan at its planned effect."""

from __future__ import annotations

import numpy as np
import pytest

from rollout.stats import means, planning
from rollout.stats.arrays import FloatArray
from rollout.stats.moments import Moments
from rollout.stats.normal_mixture import R_ONE_SIDED, critical_z_one_sided
from rollout.stats.stopping import Stopping, provable_drift, stopping

REPLICATES, LOOKS = 2_000, 3_000
FIXED = float(planning.fixed_information(1.0, variance=1.0))
PLANNED = float(planning.sequential_information(1.0, variance=1.0))


def stops(drift: float, planned_information: float, alpha: float, end: float) -> FloatArray:
    """Return the information at which drawn paths stop, with a look at each of many steps; inf for never."""
    information = np.linspace(0, end, LOOKS + 1)[1:]
    step = information[0]
    noise = np.random.default_rng(7).standard_normal((REPLICATES, LOOKS))
    z = (drift * step + np.sqrt(step) * noise).cumsum(axis=1) / np.sqrt(information)
    critical = critical_z_one_sided(R_ONE_SIDED * information / planned_information, alpha)
    rejects = z >= critical
    return np.where(rejects.any(axis=1), information[rejects.argmax(axis=1)], np.inf)


@pytest.mark.parametrize("tuned_to", [0.3, 1.0, 8.0])
@pytest.mark.parametrize("alpha", [0.05, 0.01])
def test_paths_that_are_drawn_stop_when_they_should(tuned_to: float, alpha: float) -> None:
    planned = tuned_to * float(planning.sequential_information(1.0, variance=1.0, alpha=alpha))
    end = 6.0 * float(planning.fixed_information(1.0, variance=1.0, alpha=alpha))
    found = stopping(1.0, planned_information=planned, alpha=alpha, longest=end)
    drawn = stops(1.0, planned, alpha, end)
    # A look at each of 3,000 steps comes up to two per cent late; the rest is the noise of 2,000 paths.
    assert found.mean(end) == pytest.approx(np.minimum(drawn, end).mean(), rel=0.05)
    for chance in (0.25, 0.5, 0.8):
        by = found.by(chance)
        assert by is not None
        assert (drawn <= by).mean() == pytest.approx(chance, abs=0.04)
        assert found.chance(by) == pytest.approx(chance, abs=1e-9)


def test_at_the_planned_effect_it_is_the_plan_of_the_sequential_test() -> None:
    found, plan = (
        stopping(1.0, planned_information=PLANNED, alpha=0.05, longest=6 * FIXED),
        planning.sequential(),
    )
    assert found.mean(plan.longest * FIXED) == pytest.approx(plan.mean * FIXED, rel=0.005)
    assert found.by(0.5) == pytest.approx(plan.median * FIXED, rel=0.005)
    assert found.by(planning.POWER) == pytest.approx(PLANNED, rel=0.005)
    assert found.chance(planning.LONGEST * FIXED) == pytest.approx(plan.power_at_longest, abs=0.003)


def test_units_that_are_drawn_are_proven_when_the_plan_says() -> None:
    """The test itself is asked: conversions of 12 % grown by 5 %, a look every 500 units."""
    rate, lift, batch, batches, replicates = 0.12, 0.05, 500, 260, 1_000
    variance = float(
        planning.contrast_variance(rate * (1 - rate), rate * (1 + lift) * (1 - rate * (1 + lift)))
    )
    planned = float(planning.sequential_information(rate * lift, variance=rate * (1 - rate)))
    generator = np.random.default_rng(11)
    units = batch * np.arange(1, batches + 1)

    def arm(share: float) -> Moments:
        hits = generator.binomial(batch, share, (replicates, batches)).cumsum(axis=1)
        return Moments.of(
            np.broadcast_to(units, hits.shape).astype(float), hits / units, hits * (1 - hits / units)
        )

    contrast = means.contrast(*(moments_with_strata(one) for one in (arm(rate), arm(rate * (1 + lift)))))
    log_e = means.log_e_greater(contrast, planned_information=planned)
    proven = log_e >= np.log(20.0)
    stopped = np.where(proven.any(axis=1), units[proven.argmax(axis=1)], units[-1])
    found = stopping(
        rate * lift / variance**0.5, planned_information=planned, alpha=0.05, longest=units[-1] / 2
    )
    assert 2 * found.mean(units[-1] / 2) == pytest.approx(stopped.mean(), rel=0.05)
    assert found.chance(20_000) == pytest.approx(proven[:, :80].any(axis=1).mean(), abs=0.05)


def moments_with_strata(one: Moments) -> Moments:
    return Moments.of(*(part[..., np.newaxis] for part in (one.n, one.mean, one.ss)))


@pytest.mark.parametrize("times", [0.1, 1.0, 40.0])
def test_the_provable_effect_is_proven_with_its_power_and_a_smaller_one_is_not(times: float) -> None:
    end = times * PLANNED
    drift = provable_drift(end, planned_information=PLANNED, alpha=0.05, power=0.8)
    assert (stops(drift, PLANNED, 0.05, end) <= end).mean() == pytest.approx(0.8, abs=0.03)
    assert (stops(0.8 * drift, PLANNED, 0.05, end) <= end).mean() < 0.7


def test_the_provable_effect_at_the_planned_information_is_the_planned_effect() -> None:
    found = provable_drift(PLANNED, planned_information=PLANNED, alpha=0.05, power=planning.POWER)
    assert found == pytest.approx(1.0, abs=0.02)
    # Tuned to an effect six times as large, the same test needs a tenth more than one tuned to it.
    late = provable_drift(40 * PLANNED, planned_information=PLANNED, alpha=0.05, power=planning.POWER)
    assert 1.05 < late * 40**0.5 < 1.15


def test_what_never_comes_is_not_there() -> None:
    found = Stopping(np.array([0.0, 1.0, 2.0]), np.array([0.0, 0.3, 0.5]))
    assert found.by(0.8) is None
    assert found.by(0.4) == pytest.approx(1.5)
    assert found.mean(1.0) == pytest.approx(0.85)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"drift": 0.0}, "drift: must be greater than zero"),
        ({"longest": 0.0}, "longest: must be greater than zero"),
        ({"planned_information": -1.0}, "planned_information: must be greater than zero"),
        ({"alpha": 1.5}, "alpha"),
    ],
)
def test_a_test_that_cannot_be_is_refused(arguments: dict[str, float], says: str) -> None:
    good = {"drift": 1.0, "planned_information": 5.0, "alpha": 0.05, "longest": 20.0} | arguments
    with pytest.raises(ValueError, match=says):
        stopping(good.pop("drift"), **good)
