"""What the clocks of a time zone show: the calendar stays outside the decision."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from rollout.domain.opening import is_open
from rollout.domain.policy import Opening
from rollout.errors import Problem, Stop

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def may_move_up(opening: Opening | None, now_us: int) -> bool:
    """Return whether a policy's hours let traffic move up now; raise `Stop` for a zone nobody knows."""
    return opening is None or is_open(opening, now_us, offset_s=offset_s(opening.zone, now_us))


def offset_s(zone: str, now_us: int) -> int:
    """Return by how much a zone's clocks are ahead of UTC at a moment, summer time included."""
    offset = (_EPOCH + timedelta(microseconds=now_us)).astimezone(_zone(zone)).utcoffset()
    return 0 if offset is None else round(offset.total_seconds())


@lru_cache(maxsize=100)
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):  # no zone, no name of one, a folder of zones
        remedy = "install the time zone database, or name another zone in spec.windows.advance"
        raise Stop(Problem(f"time zone {name}", "this machine does not know it", remedy)) from None
