"""When traffic may move up, as plain arithmetic: the calendar's part is handed in."""

from __future__ import annotations

from typing import Final

from rollout.domain.policy import Opening

MINUTE_US: Final = 60_000_000
DAY_MINUTES: Final = 24 * 60
THURSDAY: Final = 3
"""The weekday on which the epoch began; 0 is Monday."""


def is_open(opening: Opening | None, now_us: int, *, offset_s: int) -> bool:
    """Return whether traffic may move up now; `offset_s` is what the zone's clocks are ahead of UTC just now.

    A window ends on the day on which it begins. Clocks that are set forward or back change `offset_s`, and
    with it what the same moment is called.
    """
    if opening is None:
        return True
    minutes = (now_us + offset_s * 1_000_000) // MINUTE_US
    day, minute = divmod(minutes, DAY_MINUTES)
    is_day = (day + THURSDAY) % 7 in opening.weekdays
    return is_day and opening.from_minute <= minute < opening.to_minute
