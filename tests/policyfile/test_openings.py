"""When traffic may move up, as people write it."""

from __future__ import annotations

import pytest

from rollout.domain.policy import Opening
from rollout.policyfile.forms import Unfit
from rollout.policyfile.nodes import Scalar
from rollout.policyfile.openings import opening


def opened(written: str) -> Opening:
    return opening(Scalar(written, 1, is_quoted=True))


@pytest.mark.parametrize(
    ("written", "days", "minutes", "zone"),
    [
        ("Mon-Thu 09:00-16:00 Europe/London", (0, 1, 2, 3), (540, 960), "Europe/London"),
        ("Sat-Mon 00:00-24:00 Asia/Kolkata", (0, 5, 6), (0, 1440), "Asia/Kolkata"),
        ("Mon,Wed,Fri 22:15-23:59 UTC", (0, 2, 4), (1335, 1439), "UTC"),
        ("Mon-Wed,Tue-Thu 00:00-00:01 America/New_York", (0, 1, 2, 3), (0, 1), "America/New_York"),
        (
            "Sun 08:00-12:00 America/Argentina/Buenos_Aires",
            (6,),
            (480, 720),
            "America/Argentina/Buenos_Aires",
        ),
    ],
)
def test_days_times_and_zone(
    written: str, days: tuple[int, ...], minutes: tuple[int, int], zone: str
) -> None:
    assert opened(written) == Opening(days, *minutes, zone)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("mon-thu 09:00-16:00 UTC", "Mon-Thu 09:00-16:00 UTC"),
        ("Monday-Thursday 9-16:30 London", "Mon-Thu 09:00-16:30 Europe/London"),
        ("Sat 9:00-24:00 europe/paris", "Sat 09:00-24:00 Europe/Paris"),
    ],
)
def test_what_was_meant_is_guessed_and_the_guess_is_right(written: str, meant: str) -> None:
    with pytest.raises(Unfit) as raised:
        opened(written)
    assert raised.value.remedy == f"did you mean '{meant}'?"
    opened(meant)


@pytest.mark.parametrize(
    "written",
    [
        "",
        "always",
        "Mon-Thu",
        "09:00-16:00 UTC",
        "Mon-Thu 09:00-16:00",
        "Mon-Thu 25:00-26:00 UTC",
        "Mon-Thu 16:00 UTC",
    ],
)
def test_what_nobody_can_guess_is_refused_with_an_example(written: str) -> None:
    with pytest.raises(Unfit) as raised:
        opened(written)
    assert raised.value.remedy is None


@pytest.mark.parametrize(
    "zone", ["CEST", "Europe", "Mars/Olympus", "Europe/../Europe/London", "Etc/passwd", "A" * 61]
)
def test_zones_that_there_are_not(zone: str) -> None:
    with pytest.raises(Unfit):
        opened(f"Mon 09:00-10:00 {zone}")


def test_hours_do_not_pass_midnight() -> None:
    for hours in ("22:00-06:00", "09:00-09:00"):
        with pytest.raises(Unfit, match="on the same day") as raised:
            opened(f"Mon {hours} UTC")
        assert raised.value.remedy == "24:00 is the end of a day"
