"""Threshold checkers on answers that were made up, and the bound that no test can beat."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import entropy

from bench.harm.bounds import bounds_of
from bench.harm.checkers import (
    CHECKERS,
    PHASES,
    SCRAPED_EVERY_S,
    Checker,
    Scraped,
    Stream,
    fails,
    false_alarms,
    found_by,
)
from bench.harm.settings import SETTINGS
from rollout.stats import starts

WEEK_S = 7 * 86_400.0
OF_A_MINUTE = Checker("a minute's rate", 10.0, 0.95, 1, 60.0)
OF_TWO_SCRAPES = Checker("the last two scrapes", 5.0, 0.95, 2)


def scraped(*bad: int) -> Scraped:
    """Return the counters of a hundred answers between each two scrapes, so many of them bad."""
    at_s = np.array([SCRAPED_EVERY_S * number for number in range(len(bad))])
    return Scraped(at_s, 100 * np.arange(len(bad)), np.cumsum(bad))


def test_a_rate_is_that_of_its_window_and_the_last_two_scrapes_know_nothing_older() -> None:
    # At 10 s it has seen 7 bad ones of 200, then 14 of 300 in a minute, and 7 of 100 in two scrapes.
    known, checks_s = scraped(0, 0, 7, 7, 0), np.array([10.0, 15.0, 20.0])
    assert fails(OF_A_MINUTE, known, checks_s).tolist() == [False, False, False]
    assert fails(OF_TWO_SCRAPES, known, checks_s).tolist() == [True, True, False]


def test_a_bad_minute_fails_its_checks_until_it_is_over() -> None:
    known = scraped(*[0] * 2, *[100] * 2, *[0] * 30)
    checks_s = np.arange(0.0, 160.0, 10.0)
    failing = checks_s[fails(OF_A_MINUTE, known, checks_s)]
    assert failing.tolist() == [10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0]


def test_a_check_before_two_scrapes_or_without_answers_finds_nothing() -> None:
    nobody = Scraped(np.array([0.0, 5.0]), np.array([3, 3]), np.array([3, 3]))
    for checker in (OF_A_MINUTE, OF_TWO_SCRAPES):
        assert not fails(checker, nobody, np.array([-1.0, 2.0, 7.0])).any()


def test_every_checker_ends_at_its_own_checks_after_its_own_number_of_failures() -> None:
    at_s = np.arange(0.0, 120.0, 0.1)
    stream = Stream.of((at_s, at_s >= 60.0), per_second=10.0, bad_share=1.0)
    found = found_by(stream, 60.0)
    assert set(found) == {checker.name for checker in CHECKERS}
    for checker in CHECKERS:
        assert len(found[checker.name]) == PHASES
        for one in found[checker.name]:
            # All that comes is bad: the first failure waits for a scrape and a check, the rest for checks.
            first_s = one.after_s - (checker.failures - 1) * checker.interval_s
            assert 0.0 < first_s < 2 * (SCRAPED_EVERY_S + checker.interval_s)
            assert one.bad == pytest.approx(10.0 * one.after_s, rel=0.2, abs=5)


def test_what_follows_the_recorded_answers_is_drawn_at_their_rate_and_share() -> None:
    recorded = (np.array([1.0, 2.0]), np.array([False, True]))
    stream = Stream.of(recorded, per_second=25.0, bad_share=0.2)
    assert stream.at_s[:2].tolist() == [1.0, 2.0]
    assert stream.failed[:2].tolist() == [False, True]
    assert (np.diff(stream.at_s) > 0).all()
    assert len(stream.at_s) / stream.at_s[-1] == pytest.approx(25.0, rel=0.05)
    assert stream.failed.mean() == pytest.approx(0.2, rel=0.05)


@pytest.mark.parametrize("checker", CHECKERS, ids=lambda one: one.name)
def test_no_checker_cries_without_errors_and_each_does_above_its_threshold(checker: Checker) -> None:
    assert false_alarms(checker, per_second=25.0, bad_share=0.0, lasts_s=WEEK_S) == 0
    checks = math.floor(WEEK_S / checker.interval_s)
    alarms = false_alarms(checker, per_second=25.0, bad_share=0.3, lasts_s=WEEK_S)
    assert alarms == pytest.approx(checks / checker.failures, rel=0.01)


def test_the_bound_is_walds_and_a_late_start_costs_the_price_of_its_number() -> None:
    fresh, old = (next(one for one in SETTINGS if one.name == name) for name in ("fresh-5", "week-5"))
    divergence = float(entropy([0.2, 0.8], [0.011, 0.989]))
    for setting, start in ((fresh, 0), (old, 60_480)):
        plain, late = bounds_of(setting)
        assert plain.requests == pytest.approx(math.log(300) / divergence)
        assert plain.seconds == pytest.approx(plain.requests / 25.0)
        price = float(starts.penalty_of(start))
        assert late.requests == pytest.approx((math.log(300) + price) / divergence)
