"""Moments and spans as people read them; always UTC, so that two readers see the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_MINUTE_S, _HOUR_S, _DAY_S = 60, 3_600, 86_400


def moment(at_us: int | None) -> str:
    """Return a time to the second."""
    if at_us is None:
        return "–"
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)
    return at.strftime("%Y-%m-%d %H:%M:%S UTC")


def span(from_us: int, to_us: int) -> str:
    """Return how long something took, in the two largest units."""
    seconds = max(to_us - from_us, 0) // 1_000_000
    if seconds < _MINUTE_S:
        return f"{seconds} s"
    if seconds < _HOUR_S:
        return f"{seconds // _MINUTE_S} min {seconds % _MINUTE_S} s"
    if seconds < _DAY_S:
        return f"{seconds // _HOUR_S} h {seconds % _HOUR_S // _MINUTE_S} min"
    return f"{seconds // _DAY_S} d {seconds % _DAY_S // _HOUR_S} h"
