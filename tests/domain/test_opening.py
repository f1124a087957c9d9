"""Hours in which traffic may move up: weekdays, minutes, and clocks that are set forward and back."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollout.controller.zones import may_move_up, offset_s
from rollout.domain.opening import MINUTE_US, is_open, next_open
from rollout.domain.policy import Opening
from rollout.errors import Stop

LONDON = Opening((0, 1, 2, 3), 9 * 60, 16 * 60, "Europe/London")
ALWAYS = Opening(tuple(range(7)), 0, 24 * 60, "UTC")


def us(text: str) -> int:
    """Return a moment in UTC as microseconds."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


@pytest.mark.parametrize(
    ("at", "is_allowed"),
    [
        ("2026-11-16 09:00:00", True),  # a Monday in winter: London is UTC
        ("2026-11-16 08:59:59", False),
        ("2026-11-16 15:59:59", True),
        ("2026-11-16 16:00:00", False),
        ("2026-11-20 12:00:00", False),  # a Friday
        ("2026-11-19 12:00:00", True),
        ("2026-07-13 08:00:00", True),  # summer: an hour ahead
        ("2026-07-13 15:30:00", False),
        ("2026-10-26 08:30:00", False),  # the Monday after the clocks went back
        ("2026-10-19 08:30:00", True),
        ("2026-03-30 08:30:00", True),  # the Monday after they went forward
        ("2026-03-23 08:30:00", False),
    ],
)
def test_it_is_open_by_the_clocks_of_its_zone(at: str, *, is_allowed: bool) -> None:
    assert may_move_up(LONDON, us(at)) is is_allowed


def test_without_hours_it_is_always_open() -> None:
    assert is_open(None, 0, offset_s=0)
    assert may_move_up(None, 0)


def test_a_zone_that_nobody_knows_is_a_person_s_to_mend() -> None:
    with pytest.raises(Stop, match="Atlantis"):
        may_move_up(Opening((0,), 0, 60, "Sea/Atlantis"), 0)


@given(st.integers(-(2**50), 2**51), st.sampled_from(["UTC", "Asia/Kathmandu", "America/New_York"]))
def test_it_agrees_with_the_calendar(now_us: int, zone: str) -> None:
    seconds = now_us // 1_000_000
    local = datetime.fromtimestamp(seconds, tz=ZoneInfo(zone))
    minute = local.hour * 60 + local.minute
    exactly = Opening((local.weekday(),), minute, minute + 1, zone)
    ahead_s = offset_s(zone, seconds * 1_000_000)
    if ahead_s % 60 == 0:
        assert is_open(exactly, seconds * 1_000_000, offset_s=ahead_s)
    assert is_open(ALWAYS, now_us, offset_s=ahead_s)


@given(
    st.datetimes(datetime(2026, 3, 20), datetime(2026, 11, 12)),  # noqa: DTZ001 (it is shifted to UTC below)
    st.sampled_from(["UTC", "Asia/Kathmandu", "America/New_York", "Australia/Lord_Howe", "Europe/London"]),
    st.sets(st.integers(0, 6), min_size=1),
    st.integers(0, 23 * 60),
    st.integers(1, 600),
)
@settings(max_examples=60, deadline=None)
def test_the_next_opening_is_the_first_minute_that_is_open(
    at: datetime, zone: str, weekdays: set[int], begin: int, lasts: int
) -> None:
    opening = Opening(tuple(sorted(weekdays)), begin, min(begin + lasts, 24 * 60), zone)
    now_us = int(at.replace(tzinfo=UTC).timestamp()) * 1_000_000
    found = next_open(opening, now_us, partial(offset_s, zone))
    assert found is not None
    assert may_move_up(opening, found)
    step = 5 * MINUTE_US
    before = range(now_us, found, step)
    assert not any(may_move_up(opening, moment) for moment in before)
    assert found == now_us or not may_move_up(opening, found - 1)


@pytest.mark.parametrize(
    ("now", "opens"),
    [
        ("2026-11-16 08:00:00", "2026-11-16 09:00:00"),
        ("2026-11-19 16:00:00", "2026-11-23 09:00:00"),  # a Thursday evening: the next Monday
        ("2026-10-22 18:00:00", "2026-10-26 09:00:00"),  # over the night in which the clocks go back
        ("2026-11-16 12:00:00", "2026-11-16 12:00:00"),
    ],
)
def test_the_next_opening_is_by_the_clocks_of_its_zone(now: str, opens: str) -> None:
    assert next_open(LONDON, us(now), partial(offset_s, LONDON.zone)) == us(opens)


def test_hours_that_begin_while_the_clocks_are_set_forward_begin_when_they_have_been() -> None:
    night = Opening((6,), 90, 240, "Europe/London")
    assert next_open(night, us("2026-03-28 12:00:00"), partial(offset_s, night.zone)) == us(
        "2026-03-29 01:00:00"
    )
