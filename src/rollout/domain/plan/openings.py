"""When traffic may move up, counted from a start at the week's first opening."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

from rollout.domain.policy import Opening

_DAY_S: Final = 86_400.0
_MINUTE_S: Final = 60.0
WEEK_S: Final = 7 * _DAY_S


@dataclass(frozen=True, slots=True)
class Openings:
    """The stretches of a week in which traffic may move up; time 0 is when the first of them begins."""

    stretches: tuple[tuple[float, float], ...]
    """From and to in seconds of the week, ascending; none is always open."""

    @classmethod
    def of(cls, opening: Opening | None) -> Self:
        """Return the stretches of a policy; clock changes of the zone are left out of account."""
        if opening is None or not opening.weekdays:
            return cls(())
        from_s, to_s = opening.from_minute * _MINUTE_S, opening.to_minute * _MINUTE_S
        length_s = to_s - from_s if to_s > from_s else to_s - from_s + _DAY_S
        first = min(opening.weekdays)
        starts = ((day - first) * _DAY_S for day in sorted(set(opening.weekdays)))
        return cls(tuple((start, start + length_s) for start in starts))

    def next_open(self, at_s: float) -> float:
        """Return the first moment, not before this one, at which traffic may move up."""
        if not self.stretches:
            return at_s
        weeks, inside = divmod(at_s, WEEK_S)
        # An opening of last week's end may reach into this week.
        for begin, end in (
            (low + shift, high + shift) for shift in (-WEEK_S, 0.0) for low, high in self.stretches
        ):
            if inside < end:
                return weeks * WEEK_S + max(inside, begin)
        return (weeks + 1) * WEEK_S
