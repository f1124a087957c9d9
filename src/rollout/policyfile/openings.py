"""When traffic may move up, as people write it: `Mon-Thu 09:00-16:00 Europe/London`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from rollout.domain.policy import Opening
from rollout.errors import nearest
from rollout.policyfile.finding import did_you_mean
from rollout.policyfile.forms import Unfit
from rollout.policyfile.texts import text

DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
DAY: Final = f"(?:{'|'.join(DAYS)})"
TIME: Final = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]"
OPENING: Final = re.compile(
    f"({DAY}(?:-{DAY})?(?:,{DAY}(?:-{DAY})?)*) ({TIME})-({TIME}|24:00) ([A-Z][A-Za-z0-9_+/-]{{1,60}})"
)
EXAMPLE: Final = "Mon-Thu 09:00-16:00 Europe/London"


def opening(value: object) -> Opening:
    """Return the days, the times and the zone that are written."""
    found = text(value)
    matched = OPENING.fullmatch(found)
    if not matched:
        raise Unfit(f"must be days, times and a zone, such as {EXAMPLE}", did_you_mean(_meant(found)))
    days, begins, ends, zone = matched.groups()
    from_minute, to_minute = _minute(begins), _minute(ends)
    if from_minute >= to_minute:
        raise Unfit("must end after it begins, on the same day", "24:00 is the end of a day")
    if not _exists(zone):
        remedy = did_you_mean(nearest(zone, _zones())) or "name a place in it, such as Europe/Berlin"
        raise Unfit(f"no such time zone: {zone}", remedy)
    return Opening(tuple(sorted(set(_weekdays(days)))), from_minute, to_minute, zone)


def _meant(found: str) -> str | None:
    """Return what was meant by `monday-thu 9-16:30 london`."""
    days, _, rest = found.partition(" ")
    times, _, zone = rest.partition(" ")
    days = re.sub("[A-Za-z]+", lambda word: word[0][:3].title(), days)
    times = re.sub(r"(?<![:0-9])([0-9]{1,2})(?![:0-9])", r"\1:00", times)
    times = re.sub(r"(?<![:0-9])([0-9]):", r"0\1:", times)
    known = zone if _exists(zone) else nearest(zone, _zones())
    guess = f"{days} {times} {known}"
    return guess if known and OPENING.fullmatch(guess) else None


def _minute(time: str) -> int:
    hours, _, minutes = time.partition(":")
    return int(hours) * 60 + int(minutes)


def _weekdays(written: str) -> Iterator[int]:
    """Yield weekdays; a range may pass the week's end: `Sat-Mon`."""
    for part in written.split(","):
        first, _, last = part.partition("-")
        begins, ends = DAYS.index(first), DAYS.index(last or first)
        yield from ((begins + day) % 7 for day in range((ends - begins) % 7 + 1))


@lru_cache(maxsize=1_000)
def _exists(zone: str) -> bool:
    """Return whether the time zone database knows a zone; it comes from the system or from `tzdata`."""
    try:
        ZoneInfo(zone)
    except (LookupError, ValueError, OSError):  # no zone, no name of one, a folder of zones
        return False
    return True


@cache
def _zones() -> frozenset[str]:
    """Return the zones of places; abbreviations such as EST are no good guess."""
    return frozenset(zone for zone in available_timezones() if "/" in zone)
