"""The plan's clock, and how its numbers are written."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from rollout.domain.plan.calendar import Calendar, calendar
from rollout.domain.plan.openings import WEEK_S, Openings
from rollout.domain.plan.words import (
    count,
    percent,
    rounded_down,
    rounded_up,
    span,
    written_percent,
    written_span,
)
from rollout.domain.policy import Expect, Hold, Opening, Policy, Step
from tests.domain.examples import POLICY

HOUR_S, DAY_S = 3_600.0, 86_400.0
STEPS = (
    Step(100, Hold(for_s=2 * HOUR_S)),
    Step(1_000, Hold(for_s=12 * HOUR_S, min_units=25_000)),
    Step(5_000, Hold(until_verdict=True, at_most_s=7 * DAY_S)),
)
KNOWN = replace(POLICY, steps=STEPS, expect=Expect(400_000.0, 200.0))


def clock(policy: Policy = KNOWN) -> Calendar:
    found = calendar(policy)
    assert found is not None
    return found


def test_a_step_lasts_its_time_or_until_its_units_have_come() -> None:
    legs = clock().legs
    assert [leg.begins_s / HOUR_S for leg in legs] == pytest.approx([0, 2, 17])
    assert [leg.dwell_s / HOUR_S for leg in legs] == pytest.approx([2, 15, 0])
    assert clock().deadline_s == pytest.approx(17 * HOUR_S + 7 * DAY_S)


@pytest.mark.parametrize("at_h", [0.0, 1.0, 2.0, 9.0, 17.0, 40.0, 400.0])
def test_units_are_the_traffic_of_every_moment_added_up(at_h: float) -> None:
    """Against a sum over minutes."""
    minutes = np.arange(0.0, at_h * 60) / 60
    weight = np.select([minutes < 2, minutes < 17], [0.01, 0.1], 0.5)
    summed = weight.sum() / (24 * 60)
    units = clock().units(at_h * HOUR_S)
    assert units == pytest.approx(400_000 * summed, abs=1.0)
    assert clock().requests(at_h * HOUR_S) == pytest.approx(200 * DAY_S * summed, abs=1.0)
    if units:
        assert clock().when(units) == pytest.approx(at_h * HOUR_S, abs=1.0)


def test_users_are_at_most_requests_and_at_most_the_units_with_those_who_came_before() -> None:
    seconds = np.array([1.0, 60.0, HOUR_S, 3 * DAY_S])
    users, requests = clock().users(seconds), clock().requests(seconds)
    assert users is not None
    assert requests is not None
    assert np.all(users <= requests)
    assert users[0] == requests[0] == 2.0
    assert users[-1] < requests[-1]
    unknown = clock(replace(KNOWN, expect=Expect(None, 200.0)))
    assert np.array_equal(unknown.users(seconds), unknown.requests(seconds))  # type: ignore[arg-type]


def test_without_traffic_nothing_is_said_of_units() -> None:
    found = clock(replace(KNOWN, expect=Expect()))
    assert found.units(DAY_S) is None
    assert found.requests(DAY_S) is None
    assert found.users(DAY_S) is None
    assert found.when(10.0) is None
    assert found.legs[1].dwell_s == 12 * HOUR_S


def test_copies_alone_have_no_calendar() -> None:
    assert calendar(replace(KNOWN, steps=())) is None


def opening(weekdays: tuple[int, ...], begins_h: int, ends_h: int) -> Openings:
    return Openings.of(Opening(weekdays, begins_h * 60, ends_h * 60, "Europe/London"))


@pytest.mark.parametrize(
    ("at_h", "opens_h"),
    [(0, 0), (6.5, 6.5), (7, 24), (30, 30), (31, 168), (167, 168), (168, 168), (168 + 8, 168 + 24)],
)
def test_the_next_opening_counts_from_the_week_s_first(at_h: float, opens_h: float) -> None:
    assert opening((0, 1), 9, 16).next_open(at_h * HOUR_S) == opens_h * HOUR_S


def test_an_opening_may_reach_over_midnight_and_over_the_week_s_end() -> None:
    night = opening((0, 6), 22, 2)
    assert night.next_open(5 * HOUR_S) == 6 * DAY_S
    assert night.next_open(6 * DAY_S + 3.5 * HOUR_S) == 6 * DAY_S + 3.5 * HOUR_S
    assert night.next_open(6 * DAY_S + 4.5 * HOUR_S) == WEEK_S


def test_without_hours_it_is_always_open() -> None:
    assert Openings.of(None).next_open(12_345.0) == 12_345.0


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, "–"),
        (math.inf, "–"),
        (0.0, "0 s"),
        (0.4, "under 1 s"),
        (9.4, "9 s"),
        (90.0, "1 min 30 s"),
        (3_599.9, "60 min"),
        (7_200.0, "2 h"),
        (100_800.0, "1 d 4 h"),
        (40 * DAY_S, "40 d"),
    ],
)
def test_a_time_is_said_in_its_two_largest_units(seconds: float | None, said: str) -> None:
    assert span(seconds) == said


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (None, "–"),
        (math.inf, "–"),
        (0.2, "1"),
        (3_131.0, "3,130"),
        (1_088_103.6, "1,090,000"),
        (999.0, "999"),
    ],
)
def test_a_count_has_three_digits(number: float | None, said: str) -> None:
    assert count(number) == said


@pytest.mark.parametrize(
    ("share", "said"),
    [(None, "–"), (0.0, "0 %"), (0.00663, "0.66 %"), (0.05, "5 %"), (0.12, "12 %"), (0.976, "97.6 %")],
)
def test_a_share_has_two_digits(share: float | None, said: str) -> None:
    assert percent(share) == said


@pytest.mark.parametrize(
    ("seconds", "written"),
    [(0.2, "1s"), (90.0, "90s"), (7_300.0, "3h"), (2.5 * DAY_S, "3d"), (DAY_S, "24h")],
)
def test_a_written_time_is_never_shorter(seconds: float, written: str) -> None:
    assert written_span(seconds) == written


@pytest.mark.parametrize("share", [0.0312, 0.00731, 0.5, 0.030000000001, 0.999])
def test_written_shares_are_rounded_to_the_safe_side(share: float) -> None:
    up, down = rounded_up(share), rounded_down(share)
    assert down <= share + 1e-10
    assert share - 1e-10 <= up
    assert up - down <= 0.1 * share
    assert float(written_percent(share).rstrip("%")) == pytest.approx(up * 100)
    assert rounded_up(0.0) == rounded_down(0.0) == 0.0
