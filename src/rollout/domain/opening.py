"""When traffic may move up, as plain arithmetic: the calendar's part is handed in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from rollout.domain.policy import Opening

MINUTE_US: Final = 60_000_000
DAY_MINUTES: Final = 24 * 60
THURSDAY: Final = 3
"""The weekday on which the epoch began; 0 is Monday."""
_QUARTER_US: Final = 15 * MINUTE_US
_QUARTERS: Final = 12
"""Clocks are set by less than three hours, on a quarter of an hour."""


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


def next_open(opening: Opening, now_us: int, offset_at: Callable[[int], int]) -> int | None:
    """Return the first moment from now on at which traffic may move up; None without one within nine days.

    `offset_at` says by how many seconds the zone's clocks are ahead of UTC at a moment.
    """
    if is_open(opening, now_us, offset_s=offset_at(now_us)):
        return now_us
    today = (now_us + offset_at(now_us) * 1_000_000) // MINUTE_US // DAY_MINUTES
    for day in range(today - 1, today + 9):
        if (day + THURSDAY) % 7 not in opening.weekdays:
            continue
        local_us = (day * DAY_MINUTES + opening.from_minute) * MINUTE_US
        for moment_us in _moments(local_us, offset_at):
            if moment_us > now_us and is_open(opening, moment_us, offset_s=offset_at(moment_us)):
                return moment_us
    return None


def _moments(local_us: int, offset_at: Callable[[int], int]) -> list[int]:
    """Return when clocks may show this, and the quarters of an hour after it where they may skip it."""
    offsets = {offset_at(local_us + side * DAY_MINUTES * MINUTE_US) for side in (-1, 1)}
    shown = sorted(local_us - offset * 1_000_000 for offset in offsets)
    first = -(-shown[0] // _QUARTER_US) * _QUARTER_US
    skipped = [] if len(shown) == 1 else [first + step * _QUARTER_US for step in range(_QUARTERS)]
    return sorted({*shown, *skipped})
