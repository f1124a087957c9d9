"""A policy in, its plan out: dates, units, what can be proven, who is at risk, what to change."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from rollout.domain.look import Patience
from rollout.domain.plan.advice import Advice, Gravity, Room, judged, step_of
from rollout.domain.plan.asked import Asked, asked, is_contrast
from rollout.domain.plan.calendar import DAY_S, Calendar, calendar
from rollout.domain.plan.harm import disaster, harm
from rollout.domain.plan.lacking import lacking
from rollout.domain.plan.openings import WEEK_S
from rollout.domain.plan.parts import CopyPlan, MetricPlan, StepPlan
from rollout.domain.plan.wording import answer, notes, question_words
from rollout.domain.plan.words import count, span, written_span
from rollout.domain.policy import WHOLE_BP, Policy
from rollout.domain.question import questions

SLOW_UNITS: Final = 2.0
"""A step whose units take more than this many times its time is worth a look."""
_ORDER: Final = tuple(Gravity)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a policy takes; times are seconds since the first weight."""

    name: str
    owner: str
    baseline: str
    candidates: tuple[str, ...]
    answer: str
    concludes: bool
    """Whether its own deadlines leave room for every proof, as far as `expect` tells; unknown is no."""
    promotes: bool
    """Whether it can promote at all: copies alone never do."""
    expected_s: float | None
    deadline_s: float | None
    units_per_day: float | None
    requests_per_s: float | None
    copies: tuple[CopyPlan, ...]
    steps: tuple[StepPlan, ...]
    metrics: tuple[MetricPlan, ...]
    advice: tuple[Advice, ...]
    notes: tuple[str, ...]

    @property
    def is_refused(self) -> bool:
        """Whether something makes it impossible."""
        return any(one.gravity is Gravity.REFUSAL for one in self.advice)

    @property
    def unknowns(self) -> tuple[Advice, ...]:
        """What must be said before anybody can tell whether it concludes."""
        return tuple(one for one in self.advice if one.gravity is Gravity.UNKNOWN)


def plan(policy: Policy, patience: Patience) -> Plan:
    """Return the plan of a policy, from what it expects of its traffic."""
    found = calendar(policy)
    asks = tuple(asked(policy, question) for question in questions(policy))
    rooms = () if found is None else tuple(_room(policy, found, one, patience) for one in asks)
    metrics = tuple(_metric(room) for room in rooms)
    expected_s = None if found is None else _expected(found, metrics)
    advice = () if found is None else tuple(_advice(policy, found, rooms, expected_s))
    # Refusals first: they are what must change.
    ordered = tuple(sorted(advice, key=lambda one: _ORDER.index(one.gravity)))
    gravest = ordered[0].gravity if ordered else Gravity.CAUTION
    deadline_s = None if found is None or math.isinf(found.deadline_s) else found.deadline_s
    return Plan(
        name=policy.name,
        owner=policy.owner,
        baseline=policy.baseline.version,
        candidates=tuple(one.version for one in policy.candidates),
        answer=answer(policy, rooms, expected_s, refused=gravest is Gravity.REFUSAL),
        concludes=gravest is Gravity.CAUTION,
        promotes=found is not None,
        expected_s=expected_s,
        deadline_s=deadline_s,
        units_per_day=policy.expect.units_per_day,
        requests_per_s=policy.expect.requests_per_s,
        copies=tuple(_copies(policy)),
        steps=() if found is None else tuple(_steps(policy, found)),
        metrics=metrics,
        advice=ordered,
        notes=notes(policy, found),
    )


def _room(policy: Policy, calendar: Calendar, one: Asked, patience: Patience) -> Room:
    window_s = one.question.window_s
    return Room(policy, calendar, one, window_s + patience.grace_for(window_s) / 1e6)


def _metric(room: Room) -> MetricPlan:
    one, effort, calendar, have = room.asked, room.asked.effort, room.calendar, room.units
    metric = one.question.metric
    never = effort is not None and math.isinf(effort.planned)
    expected_s, planned_s, longest_s = _times(room)
    reached = None if effort is None or have is None else effort.reachable(have)
    return MetricPlan(
        name=one.name,
        role="requirement" if metric is None else metric.role.value,
        asks=question_words(room.policy, one),
        needs_proof=one.question.needs_proof,
        level=one.level,
        limit=one.limit,
        baseline_meets=one.baseline_meets,
        units=None if effort is None or never else effort.planned,
        is_least=one.is_least,
        is_never=never,
        expected_s=expected_s,
        planned_s=planned_s,
        longest_s=longest_s,
        chance=None if effort is None or have is None or one.is_least else effort.chance(have),
        proves=reached,
        proves_level=not is_contrast(effort),
        by_step=tuple(_by_steps(room)),
        harm=harm(room.policy, calendar, one, room.lag_s),
    )


def _times(room: Room) -> tuple[float | None, float | None, float | None]:
    """Return when a proof is there on average, with a chance of 80 %, and with one of about 90 %."""
    effort, polls_s = room.asked.effort, room.asked.polls_s
    if effort is None:
        return polls_s, polls_s, polls_s
    expected, planned, longest = (
        room.closed_s(units) if math.isfinite(units) else None
        for units in (effort.expected, effort.planned, effort.longest)
    )
    return expected, planned, longest


def _by_steps(room: Room) -> Iterator[float | None]:
    effort = room.asked.effort
    for leg in room.calendar.legs:
        units = room.calendar.units(leg.ends_s - room.lag_s) if math.isfinite(leg.ends_s) else None
        yield None if effort is None or not units else effort.reachable(units)


def _copies(policy: Policy) -> Iterator[CopyPlan]:
    rate = policy.expect.requests_per_s
    for number, step in enumerate(policy.mirror_steps):
        share, lasts_s = step.share_bp / WHOLE_BP, step.hold.for_s
        yield CopyPlan(number, share, lasts_s, None if rate is None else rate * share * lasts_s)


def _steps(policy: Policy, calendar: Calendar) -> Iterator[StepPlan]:
    for number, leg in enumerate(calendar.legs):
        ends = math.isfinite(leg.ends_s)
        yield StepPlan(
            number=len(policy.mirror_steps) + number,
            weight=leg.weight,
            begins_s=leg.begins_s,
            lasts_s=leg.ends_s - leg.begins_s if ends else None,
            units=calendar.units(leg.ends_s) if ends else None,
            disaster=disaster(policy, calendar, number),
        )


def _expected(calendar: Calendar, metrics: tuple[MetricPlan, ...]) -> float | None:
    """Return when traffic moves up for good, or None when a proof that it waits for cannot be planned."""
    needed = [metric for metric in metrics if metric.needs_proof]
    times = [metric.expected_s for metric in needed if metric.expected_s is not None]
    if any(metric.is_never for metric in needed) or calendar.expect.units_per_day is None or not times:
        return None
    return calendar.openings.next_open(max(*times, calendar.ready_s))


def _advice(
    policy: Policy, calendar: Calendar, rooms: tuple[Room, ...], expected_s: float | None
) -> Iterator[Advice]:
    yield from (found for room in rooms if (found := judged(room)) is not None)
    yield from lacking(policy, tuple(room.asked for room in rooms))
    yield from _slow_steps(policy, calendar)
    last = len(policy.steps) - 1
    # Who gives up before a week is over has been warned by lint, or looks at minutes.
    has_week = calendar.deadline_s >= WEEK_S
    if has_week and expected_s is not None and expected_s < WEEK_S:
        what = f"a verdict is expected after {span(expected_s)}, before one full week: weekdays may differ"
        rest_s = math.ceil((WEEK_S - calendar.legs[-1].begins_s) / DAY_S) * DAY_S
        remedy = f"write `for: {written_span(rest_s)}` beside `until: verdict` to see a whole week"
        yield Advice(step_of(policy, last, "hold", "for"), what, remedy, Gravity.CAUTION)


def _slow_steps(policy: Policy, calendar: Calendar) -> Iterator[Advice]:
    """Yield steps that wait for their units far longer than for their time."""
    for number, (step, leg) in enumerate(zip(policy.steps, calendar.legs, strict=True)):
        hold, path = step.hold, step_of(policy, number, "hold", "minUnits")
        if not hold.min_units or calendar.expect.units_per_day is None or leg.dwell_s <= hold.for_s:
            continue
        daily = calendar.expect.units_per_day * leg.weight
        what = f"{hold.min_units:,} units take {span(leg.dwell_s)} at {count(daily)} a day"
        if hold.at_most_s is not None and leg.dwell_s > hold.at_most_s:
            most = math.floor(daily * hold.at_most_s / DAY_S)
            what = f"{what}, and the step ends after {span(hold.at_most_s)}"
            yield Advice(path, what, f"write at most {most}", Gravity.REFUSAL)
        elif leg.dwell_s > max(SLOW_UNITS * hold.for_s, DAY_S):
            fits = math.floor(daily * hold.for_s / DAY_S)
            fewer = f"minUnits: {fits}" if fits else "leave `minUnits` out"
            remedy = f"write `for: {written_span(leg.dwell_s)}` to say so, or {fewer}"
            yield Advice(path, what, remedy, Gravity.CAUTION)
