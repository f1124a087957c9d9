"""The studies of speed agree with the bounds they are compared with, and with themselves."""

from __future__ import annotations

import numpy as np
import pytest

from tests.calibration import power
from tests.calibration.stopping import first_at_bar, fixed_trials
from tests.calibration.study import Study, run_study

BERNOULLI = ("power: labels", "power: limits", "power: sample ratio")


def _study(key: str) -> Study:
    return next(study for study in power.STUDIES if study.key == key)


def _number(text: str) -> float:
    return float(text.replace(",", ""))


@pytest.mark.parametrize("key", BERNOULLI)
def test_no_mean_beats_walds_bound(key: str) -> None:
    table = run_study(_study(key), short=True)
    mean, bound = table.head.index("mean"), table.head.index("Wald's bound")
    for row in table.rows:
        # Three standard errors of a mean over 200 stopping times, which vary about as much as they last.
        assert _number(row[mean]) > 0.8 * _number(row[bound]), row


def test_delays_of_late_harm_are_the_designs() -> None:
    expected = {
        "the control": (3.0, 4.4, 6.8, 8.3),
        "all baseline": (1.0, 1.5, 2.0, 2.9),
    }
    table = run_study(_study("power: late harm"), short=True)
    for row in table.rows:
        if row[1] == "as a start begins":
            medians = np.array([float(cell.split()[0]) for cell in row[2:]])
            # One look of a quarter of a second, and the error of a median of 200.
            assert np.all(np.abs(medians - expected[row[0]]) <= 0.25 + 0.1 * medians)


@pytest.mark.parametrize("key", ["power: means", "power: sample ratio", "power: labels beside means"])
def test_the_same_seed_makes_the_same_table(key: str) -> None:
    first, second = (run_study(_study(key), short=True) for _ in range(2))
    assert first == second
    assert {len(row) for row in first.rows} == {len(first.head)}


def test_fixed_trials_are_the_exact_binomial_tests() -> None:
    # Without an exceedance .99ⁿ ≤ .05 from n = 299 on; below one half 5 of 5 heads have a chance of 1/32.
    assert fixed_trials(0.0, 0.01, alpha=0.05) == 299
    assert fixed_trials(0.99, 0.5, alpha=0.05) == 5


def test_a_truth_that_is_the_null_is_refused() -> None:
    with pytest.raises(ValueError, match="must differ"):
        fixed_trials(0.5, 0.5, alpha=0.05)


def test_first_at_bar_is_the_first_look_and_never_is_infinite() -> None:
    log_e = np.log([[1.0, 25.0, 1.0, 30.0], [19.0, 19.0, 19.0, 19.0]])
    assert first_at_bar(log_e, [10, 20, 30, 40], 0.05).tolist() == [20.0, np.inf]
