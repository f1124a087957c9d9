"""What to change in a policy, with the number that would do."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias

from scipy import optimize

from rollout.domain.metric import MetricType
from rollout.domain.plan.asked import Asked, is_contrast
from rollout.domain.plan.calendar import DAY_S, Calendar
from rollout.domain.plan.effort import POWER, Effort
from rollout.domain.plan.limits import LimitEffort
from rollout.domain.plan.words import (
    count,
    percent,
    rounded_down,
    rounded_up,
    span,
    written_percent,
    written_span,
)
from rollout.domain.policy import WHOLE_BP, Policy
from rollout.domain.question import proof_bar

Path: TypeAlias = tuple[str | int, ...]
_LONGEST_S: Final = 366 * DAY_S
_FINE_BP: Final = 100
_MOST_EFFECT: Final = 0.5
_GRACE_SHARE: Final = 2.0
_ABOVE: Final = 1.001
_LEAST_LIMIT: Final = 1e-6
_LEAST_QUANTILE: Final = 0.5


class Gravity(StrEnum):
    """What a piece of advice means for the policy."""

    REFUSAL = "refusal"
    """It cannot conclude like this."""
    UNKNOWN = "unknown"
    """Nobody can say whether it concludes, before this is said."""
    CAUTION = "caution"
    """It may run, but someone should look."""


@dataclass(frozen=True, slots=True)
class Advice:
    """Where in the policy, what is so, and what to write instead."""

    path: Path
    what: str
    remedy: str
    gravity: Gravity


@dataclass(frozen=True, slots=True)
class Room:
    """What one question needs, beside what it has when the policy gives up."""

    policy: Policy
    calendar: Calendar
    asked: Asked
    lag_s: float
    """From a unit's first request to its closing."""

    @property
    def units(self) -> float | None:
        """The closed units of one arm when the policy gives up."""
        return self.calendar.units(self.calendar.deadline_s - self.lag_s)

    def closed_s(self, units: float) -> float | None:
        """Return when so many units of one arm have closed; infinite when never."""
        if not math.isfinite(units):
            return math.inf
        found = self.calendar.when(units)
        return None if found is None else found + self.lag_s


def place_of(policy: Policy, name: str, *keys: str) -> Path:
    """Return the path of a metric's key; of the fallback, where its limit stands."""
    for index, metric in enumerate(policy.metrics):
        if metric.name == name:
            return ("spec", "metrics", index, *keys)
    return ("spec", "resilience", "maxFallback")


def step_of(policy: Policy, number: int, *keys: str) -> Path:
    """Return the path of a weight step's key."""
    return ("spec", "steps", len(policy.mirror_steps) + number, *keys)


def judged(room: Room) -> Advice | None:
    """Return what speaks against a proof before the policy gives up, if anything."""
    asked, effort, have = room.asked, room.asked.effort, room.units
    if effort is None:
        return None
    if asked.baseline_meets is False:
        return _unkept(room)
    if have is None or effort.planned <= have:
        return None
    chance = effort.chance(have)
    gravity = Gravity.REFUSAL if effort.expected > have else Gravity.CAUTION
    needed = room.closed_s(effort.expected if gravity is Gravity.REFUSAL else effort.planned)
    how = "at best about " if asked.is_least else "about " if gravity is Gravity.REFUSAL else "up to "
    ends = f"the policy gives up after {span(room.calendar.deadline_s)}"
    what = f"{asked.name} takes {how}{span(needed)}, and {ends}: its proof has a chance of {percent(chance)}"
    last = step_of(room.policy, len(room.policy.steps) - 1, "hold", "atMost")
    return Advice(last, what, _choice(remedies(room)), gravity)


def remedies(room: Room) -> list[str]:
    """Return each change that alone gives the proof its chance of 80 %."""
    effort = room.asked.effort
    if effort is None or room.units is None:
        return []
    ways = (_longer(room, effort), _heavier(room, effort), *_easier(room, effort), _shorter(room, effort))
    found = [way for way in ways if way is not None]
    daily = room.calendar.expect.units_per_day
    if daily is not None and room.units > 0 and math.isfinite(effort.planned):
        found.append(f"have {count(rounded_up(daily * effort.planned / room.units))} eligible units a day")
    return found


def _choice(ways: list[str]) -> str:
    return f"{', or '.join(ways)}" if ways else "compare with something else: no number would do"


def _longer(room: Room, effort: Effort) -> str | None:
    needed = room.closed_s(effort.planned)
    if needed is None or not math.isfinite(needed):
        return None
    lasts = needed - room.calendar.legs[-1].begins_s
    return f"write atMost: {written_span(lasts)}" if lasts <= _LONGEST_S else None


def _heavier(room: Room, effort: Effort) -> str | None:
    """Return the last weight that brings the units in the same time, if arms may be so large."""
    daily, last = room.calendar.expect.units_per_day, room.calendar.legs[-1]
    days = (room.calendar.deadline_s - room.lag_s - last.begins_s) / DAY_S
    if daily is None or days <= 0 or not math.isfinite(effort.planned):
        return None
    before = float(room.calendar.exposure(last.begins_s))
    wanted_bp = (effort.planned / daily - before) / days * WHOLE_BP
    step_bp = _FINE_BP if wanted_bp > _FINE_BP else 1
    weight_bp = math.ceil(wanted_bp / step_bp) * step_bp
    if not last.weight * WHOLE_BP < weight_bp <= WHOLE_BP // room.policy.arms:
        return None
    place = f"steps[{len(room.policy.mirror_steps) + len(room.policy.steps) - 1}].setWeight"
    return f"{place}: {weight_bp / 100:g}%"


def _easier(room: Room, effort: Effort) -> Iterator[str | None]:
    """Yield the smallest effect, margin or limit that the units can prove."""
    asked, have = room.asked, room.units or 0.0
    metric = asked.question.metric
    if metric is None:
        yield _looser(room, "resilience.maxFallback", asked.level or 0.0, have)
        return
    place = f"metrics[{room.policy.metrics.index(metric)}]"
    reached = effort.writable(have)
    if is_contrast(effort) and reached is not None and reached <= _MOST_EFFECT:
        key = "minEffect" if metric.margin is None else "margin"
        yield f"{place}.{key}: {written_percent(reached)}"
    if metric.type is MetricType.ERROR_RATE:
        yield _looser(room, f"{place}.floor", asked.level or 0.0, have, halved=True)
    if metric.type is MetricType.LATENCY and asked.limit is not None and reached:
        kept = percent(rounded_down(reached))
        yield f"{place}.max: so high that at most {kept} of the baseline's requests exceed it"


def _looser(room: Room, key: str, level: float, units: float, *, halved: bool = False) -> str | None:
    """Return the smallest limit that so many units can prove to be kept, as it is written."""
    found = _loosest(room, level, units, halved=halved)
    return None if found is None else f"{key}: {written_percent(found)}"


def _loosest(room: Room, level: float, units: float, *, halved: bool = False) -> float | None:
    bar = proof_bar(room.policy) + (math.log(2.0) if halved else 0.0)

    def lacks(limit: float) -> float:
        return POWER - LimitEffort(level, limit, bar).chance(units)

    low = max(level * _ABOVE, _LEAST_LIMIT)
    if units <= 0 or lacks(_MOST_EFFECT) > 0:
        return None
    found = low if lacks(low) <= 0 else optimize.brentq(lacks, low, _MOST_EFFECT, xtol=1e-9)
    return float(found) * _ABOVE


def _shorter(room: Room, effort: Effort) -> str | None:
    """Return the longest window after which enough units close in time."""
    metric, came_s = room.asked.question.metric, room.calendar.when(effort.planned)
    if metric is None or came_s is None or not math.isfinite(came_s):
        return None
    left_s = room.calendar.deadline_s - came_s
    if left_s <= 0:
        return None
    grace_s = room.lag_s - metric.window_s
    window_s = max(left_s - grace_s, left_s / _GRACE_SHARE)
    unit_s = next((size for size in (DAY_S, 3600.0, 60.0) if window_s >= 2 * size), 1.0)
    written = math.floor(window_s / unit_s) * unit_s
    return (
        f"metrics[{room.policy.metrics.index(metric)}].window: {written_span(written)}" if written else None
    )


def _unkept(room: Room) -> Advice:
    """Return the refusal of a limit that the baseline itself breaks, with what this traffic could prove."""
    asked, metric, have = room.asked, room.asked.question.metric, room.units or 0.0
    level, limit = percent(asked.level), percent(asked.limit)
    loosest = _loosest(room, asked.level or 0.0, have)
    if metric is None:
        what = f"the baseline fails {level} of its requests; a candidate like it falls back as often"
        kept = written_percent(asked.level or 0.0)
        remedy = f"write more than {kept}" if loosest is None else f"write {written_percent(loosest)}"
        return Advice(place_of(room.policy, asked.name), what, remedy, Gravity.REFUSAL)
    what = f"the baseline itself breaks the limit: {level} of its requests exceed it, {limit} may"
    reached = None if asked.effort is None else asked.effort.reachable(have)
    within = limit if reached is None else percent(rounded_down(reached))
    remedy = f"raise it until at most {within} of the baseline's requests exceed it"
    quantile = 0.0 if loosest is None else round(1.0 - rounded_up(loosest), 9)
    if quantile >= _LEAST_QUANTILE:
        remedy = f"{remedy}, or write quantile: {quantile:g}"
    return Advice(place_of(room.policy, asked.name, "max"), what, remedy, Gravity.REFUSAL)
