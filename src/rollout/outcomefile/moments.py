"""Times as files write them, in microseconds since 1970: exactly, and never by a guess."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final, NamedTuple

from rollout.outcomefile.cells import NUMBER
from rollout.outcomefile.record import shown

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
STAMP: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,12}))?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})?"
)
_MICROSECOND: Final = timedelta(microseconds=1)


class TimeUnit(StrEnum):
    """What a bare number of a column `time` counts, since 1970."""

    SECONDS = "s"
    MILLISECONDS = "ms"
    MICROSECONDS = "us"
    NANOSECONDS = "ns"


_MICROSECONDS_IN: Final = {
    TimeUnit.SECONDS: Decimal(1_000_000),
    TimeUnit.MILLISECONDS: Decimal(1_000),
    TimeUnit.MICROSECONDS: Decimal(1),
    TimeUnit.NANOSECONDS: Decimal("0.001"),
}


class Instant(NamedTuple):
    """A moment of a file that has a type for moments."""

    us: int
    is_naive: bool
    """Whether the file does not say in which zone."""


@dataclass(frozen=True, slots=True)
class Moments:
    """How a column `time` is read."""

    unit: TimeUnit | None = None
    naive_is_utc: bool = False

    def of_time(self, cell: object) -> int:
        """Return a moment in microseconds since 1970; raise ValueError."""
        match cell:
            case Instant():
                if cell.is_naive:
                    self._refuse_naive("a timestamp without a zone")
                return cell.us
            case bool() | None:
                raise ValueError(f"time: must be a time (got {shown(cell)})")
            case int() | float() | Decimal():
                return self._of_number(str(cell))
            case str():
                text = cell.strip(" \t")
                return self._of_number(text) if NUMBER.fullmatch(text) else self._of_stamp(text)
            case _:
                raise ValueError(f"time: must be a time (got {shown(cell)})")

    def shown(self, cell: object) -> str:
        """Write a cell into a sentence, with what it was taken for."""
        if isinstance(cell, Instant):
            return (EPOCH + timedelta(microseconds=cell.us)).isoformat()
        text = str(cell).strip(" \t")
        is_number = self.unit is not None and NUMBER.fullmatch(text)
        return f"{text}, read as {self.unit}" if is_number else shown(text)

    def _of_number(self, text: str) -> int:
        if self.unit is None:
            raise ValueError(f"time: a bare number says no unit: add --time-unit (got {text})")
        if NUMBER.fullmatch(text) is None:
            raise ValueError(f"time: must be a time (got {text})")
        return int(Decimal(text) * _MICROSECONDS_IN[self.unit])

    def _of_stamp(self, text: str) -> int:
        found = STAMP.fullmatch(text)
        if found is None:
            raise ValueError(f"time: must be written as 2026-01-31T23:59:59Z (got {shown(text)})")
        day, time, fraction, zone = found.groups()
        if zone is None:
            self._refuse_naive(shown(text))
        zone = "+00:00" if zone is None or zone in "Zz" else zone
        try:
            whole = _microseconds(datetime.fromisoformat(f"{day}T{time}{zone}"))
        except (ValueError, OverflowError):
            raise ValueError(f"time: there is no such time (got {shown(text)})") from None
        return whole + int(f"{fraction or '0':0<6}"[:6])

    def _refuse_naive(self, what: str) -> None:
        if not self.naive_is_utc:
            raise ValueError(f"time: says no zone: end it in Z, or add --utc if it is UTC (got {what})")


def _microseconds(moment: datetime) -> int:
    return (moment - EPOCH) // _MICROSECOND
