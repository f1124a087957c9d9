"""A plan in sentences: the answer first, what each metric asks, and what to know beside it."""

from __future__ import annotations

import math
from collections.abc import Iterator

from rollout.domain.metric import Metric, MetricType, Role
from rollout.domain.plan.advice import Room
from rollout.domain.plan.asked import Asked, is_contrast
from rollout.domain.plan.calendar import Calendar
from rollout.domain.plan.words import percent, span
from rollout.domain.policy import Policy


def answer(policy: Policy, rooms: tuple[Room, ...], expected_s: float | None, *, refused: bool) -> str:
    """Return whether and when the policy concludes, and what it can prove, in one sentence."""
    if not rooms:
        lasts = sum(step.hold.for_s for step in policy.mirror_steps)
        return f"Never promotes: only copies requests, and stops after {span(lasts)}."
    calendar = rooms[0].calendar
    given_up = span(calendar.deadline_s)
    if refused:
        return f"Cannot conclude: {_why(rooms)}; the policy gives up after {given_up}."
    if expected_s is None:
        return f"Nobody can say when it concludes, at most after {given_up}: `expect` does not tell enough."
    known = all(not room.asked.lacks for room in rooms)
    hedge = "" if known else ", as far as is known,"
    proves = "".join(_proves(rooms))
    return f"Concludes{hedge} in about {span(expected_s)}, at most {given_up}{proves}."


def _why(rooms: tuple[Room, ...]) -> str:
    """Return what takes longest of all that must be proven."""
    broken = [room.asked.name for room in rooms if room.asked.baseline_meets is False]
    if broken:
        return f"the baseline itself does not keep {' and '.join(broken)}"
    times = {
        room.asked.name: found
        for room in rooms
        if room.asked.effort is not None and (found := room.closed_s(room.asked.effort.expected)) is not None
    }
    if not times or max(times.values()) <= rooms[0].calendar.deadline_s:
        return "a step waits longer for its units than it may"
    slowest = max(times, key=lambda name: times[name])
    if math.isinf(times[slowest]):
        return f"{slowest} can never be proven"
    return f"{slowest} takes about {span(times[slowest])}"


def _proves(rooms: tuple[Room, ...]) -> Iterator[str]:
    """Yield what the first goal can prove."""
    for room in rooms:
        metric, effort, have = room.asked.question.metric, room.asked.effort, room.units
        if metric is None or metric.role is not Role.PRIMARY or effort is None or have is None:
            continue
        reached = effort.reachable(have)
        if reached is None or not is_contrast(effort):
            return
        if metric.margin is not None:
            yield f"; can prove {metric.name} at most {percent(reached)} worse"
        else:
            yield f"; can prove {metric.name} better by {percent(reached)} or more"
        return


def question_words(policy: Policy, asked: Asked) -> str:
    """Return what must be proven of a metric, in a few words."""
    metric = asked.question.metric
    if metric is None:
        return f"at most {percent(policy.resilience.max_fallback)} fall back to the baseline"
    if asked.question.is_observed:
        return "nothing: it is reported only"
    if not asked.question.needs_proof:
        return "nothing: it only rolls back"
    return _asks(metric)


def _asks(metric: Metric) -> str:
    match metric.type:
        case MetricType.THRESHOLD:
            bound = (
                f"at most {metric.maximum:g}"
                if metric.maximum is not None
                else f"at least {metric.minimum:g}"
            )
            return f"{bound}, {metric.failure_limit} times in a row"
        case MetricType.LATENCY if metric.max_us is not None:
            return f"{(metric.quantile or 0.0) * 100:g} % within {metric.max_us / 1000:g} ms"
        case MetricType.LATENCY:
            return f"{(metric.quantile or 0.0) * 100:g} % at most {percent(metric.margin)} slower"
        case MetricType.ERROR_RATE:
            floor = f", or below {percent(metric.floor)}" if metric.floor else ""
            return f"at most {percent(metric.margin)} more{floor}"
        case _ if metric.margin is not None:
            return f"at most {percent(metric.margin)} worse"
        case _:
            return f"better, planned for {percent(metric.min_effect)}"


def notes(policy: Policy, calendar: Calendar | None) -> tuple[str, ...]:
    """Return what to know beside the numbers."""
    return tuple(_notes(policy, calendar))


def _notes(policy: Policy, calendar: Calendar | None) -> Iterator[str]:
    if policy.mirror_steps and calendar is not None:
        lasts = span(sum(step.hold.for_s for step in policy.mirror_steps))
        yield f"Copies of requests come first, for {lasts}; times count from the first weight."
    if policy.advance is not None:
        opens = "Traffic moves up only while `windows.advance` is open"
        yield f"{opens}; times count from the week's first opening."
    if policy.approvers:
        yield f"Promotion then waits for the approval of {' and '.join(policy.approvers)}."
    if len(policy.candidates) > 1:
        number = len(policy.candidates)
        yield f"{number} candidates share the risk of a wrong promotion, so each needs more evidence."
    if policy.layer is not None or policy.holdout_bp or policy.match:
        yield "`expect.units` is read as what is left after `match`, `holdout` and the layer's share."
