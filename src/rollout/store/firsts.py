"""A unit's errors in whatever order they arrive: its first ever, and which came before which."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple


class Moment(NamedTuple):
    """An error; of two in one microsecond the lesser stands, so that any order of arrival agrees."""

    ts_us: int
    arm: str
    split: int


@dataclass(frozen=True, slots=True)
class Erring:
    """One unit: its first error ever, its last, and the recent ones with the time of the one before."""

    first: Moment
    last_us: int
    recent: Mapping[Moment, int | None]


def merged(known: Erring | None, new: Iterable[Moment], *, horizon_us: int) -> Erring:
    """Return the unit with these errors too; `new` holds at least one when nothing is known.

    Exact for every start at or after the horizon: what came before it is remembered only as "before".
    """
    arrived = sorted(set(new))
    before = [] if known is None else [known.first.ts_us, known.last_us, *_given(known.recent.values())]
    everything = [*arrived, *([] if known is None else [known.first, *known.recent])]
    first = min(everything)
    last_us = max([moment.ts_us for moment in everything] + before)
    kept: dict[int, Moment] = {} if known is None else {moment.ts_us: moment for moment in known.recent}
    for moment in arrived:
        if moment.ts_us >= horizon_us:
            kept[moment.ts_us] = min(kept.get(moment.ts_us, moment), moment)
        else:
            before.append(moment.ts_us)
    recent: dict[Moment, int | None] = {}
    previous: int | None = None
    for ts_us in sorted(kept):
        if previous is None:
            previous = max((time for time in before if time < ts_us), default=None)
        recent[kept[ts_us]] = previous
        previous = ts_us
    return Erring(first, last_us, recent)


def _given(times: Iterable[int | None]) -> Iterable[int]:
    return (time for time in times if time is not None)
