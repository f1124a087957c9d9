"""What became of a run, for people: the answer in one sentence, the numbers under it, and why it came so."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from rollout.domain.decision import Action
from rollout.domain.experiment import ENDED, Experiment, Phase
from rollout.domain.history import Entry
from rollout.domain.judge import FALLBACK
from rollout.domain.metric import Metric, MetricType, Role
from rollout.domain.policy import Policy
from rollout.domain.timeline import Event, events, weight, worded
from rollout.domain.verdict import Finding, Judgement, Verdict

MAXIMUM_EVENTS: Final = 200


@dataclass(frozen=True, slots=True)
class Point:
    """An estimate and its interval at one look; an open end is None."""

    at_us: int
    low: float | None
    estimate: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class MetricLine:
    """One metric in words and numbers; a lift is relative to the control, a share is of requests."""

    name: str
    role: str
    question: str
    finding: Finding
    sentence: str
    is_share: bool
    aim: float | None
    """What the interval is compared with: the limit, the margin, or no change."""
    last: Point | None
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that a page about a run says."""

    name: str
    uid: str
    revision: int
    owner: str
    baseline: str
    candidate: str
    phase: Phase
    answer: str
    started_us: int
    ended_us: int | None
    watermark_us: int | None
    looks: int
    metrics: tuple[MetricLine, ...]
    events: tuple[Event, ...]
    events_left_out: int
    troubles: tuple[str, ...] = ()
    """What is wrong with its versions right now, in sentences."""


def report(experiment: Experiment, entries: Sequence[Entry], troubles: tuple[str, ...] = ()) -> Report:
    """Return the report of a run; `entries` are its own, the oldest first."""
    policy = experiment.policy
    # What an older revision saw is discarded: it is told, and nothing rests on it.
    own = [entry for entry in entries if entry.revision == experiment.revision]
    found, seen = events(entries), _on_trial(own)
    has_ended = experiment.phase in ENDED
    return Report(
        name=policy.name,
        uid=experiment.uid,
        revision=experiment.revision,
        owner=policy.owner,
        baseline=policy.baseline.version,
        candidate=_candidates(experiment),
        phase=experiment.phase,
        answer=_answer(experiment, own),
        started_us=experiment.started_us,
        ended_us=entries[-1].at_us if has_ended and entries else None,
        watermark_us=entries[-1].watermark_us if entries else None,
        looks=len(entries),
        metrics=tuple(_line(policy, one, seen) for last in seen[-1:] for one in _shown(last.judgement)),
        events=found[-MAXIMUM_EVENTS:],
        events_left_out=max(len(found) - MAXIMUM_EVENTS, 0),
        troubles=troubles,
    )


_ANSWERS: Final = {
    # phase: the answer, and the kind of decision that says why (None: the last one)
    Phase.RUNNING: ("Version {new} is on trial with {share} of the units: {why}.", None),
    Phase.PAUSED: ("The trial of version {new} is paused at {share} of the units: {why}.", Action.PAUSE),
    Phase.AWAITING_APPROVAL: (
        "Version {new} is proven at {share} of the units, and waits for the approval of {groups}.",
        None,
    ),
    Phase.PROMOTING: ("Version {new} is being promoted: {why}.", Action.PROMOTE),
    Phase.WATCHING: (
        "Version {new} has replaced {old}, and its limits are watched: {why}.",
        Action.PROMOTE,
    ),
    Phase.PROMOTED: ("Version {new} has replaced {old}: {why}.", Action.PROMOTE),
    Phase.ROLLING_BACK: ("Version {new} is being rolled back to {old}: {why}.", Action.ROLL_BACK),
    Phase.ROLLED_BACK: (
        "Version {new} was rolled back, and {old} serves everybody: {why}.",
        Action.ROLL_BACK,
    ),
    Phase.STOPPED: ("The trial of version {new} was stopped without a verdict: {why}.", Action.STOP),
    Phase.RETIRED: ("The route of this experiment is retired: {why}.", Action.RETIRE),
    Phase.ACTION_FAILED: ("A person has to look at version {new}: {why}.", Action.SETTLE),
}


def _answer(experiment: Experiment, entries: Sequence[Entry]) -> str:
    policy = experiment.policy
    sentence, action = _ANSWERS[experiment.phase]
    return sentence.format(
        new=_candidates(experiment),
        old=policy.baseline.version,
        share=weight(policy, experiment.step),
        groups=" and ".join(policy.approvers),
        why=_last_why(entries) if action is None else _why(entries, action),
    )


def _candidates(experiment: Experiment) -> str:
    """Return the version that a run is about: the winner, or before there is one, all of them."""
    versions = [version.version for version in experiment.policy.candidates]
    return ", ".join(versions) if experiment.winner is None else versions[experiment.winner - 1]


def _why(entries: Sequence[Entry], action: Action) -> str:
    """Return the reason of the last decision of a kind, with the metric that it speaks of."""
    found = next((entry for entry in reversed(entries) if entry.decision.action is action), None)
    return "the history does not say why" if found is None else worded(found)


def _last_why(entries: Sequence[Entry]) -> str:
    return worded(entries[-1]) if entries else "nothing has been looked at yet"


def _shown(judgement: Judgement) -> tuple[Verdict, ...]:
    return (*judgement.verdicts, *judgement.observed)


def _on_trial(entries: Sequence[Entry]) -> Sequence[Entry]:
    """Return the looks that a verdict may rest on: a revision's evidence ends at its promotion."""
    watched = (place for place, entry in enumerate(entries) if entry.phase is Phase.WATCHING)
    return entries[: next(watched, len(entries)) + 1]


def _line(policy: Policy, verdict: Verdict, entries: Sequence[Entry]) -> MetricLine:
    metric = next((metric for metric in policy.metrics if metric.name == verdict.metric), None)
    tried = policy.candidates[verdict.arm - 1].version
    is_share = metric is None or metric.max_us is not None
    if metric is not None and metric.type is MetricType.THRESHOLD:
        # A polled value is neither a share nor a lift.
        verdict, entries = replace(verdict, estimate=None), ()
    found = (
        (entry.at_us, one)
        for entry in entries
        for one in _shown(entry.judgement)
        if (one.arm, one.metric) == (verdict.arm, verdict.metric)
    )
    points = tuple(point for at_us, one in found if (point := _point(at_us, one)) is not None)
    return MetricLine(
        name=verdict.metric if len(policy.candidates) == 1 else f"{tried}: {verdict.metric}",
        role="requirement" if metric is None else metric.role.value,
        question=_question(metric),
        finding=verdict.finding,
        sentence=_sentence(verdict, is_share=is_share),
        is_share=is_share,
        aim=_aim(policy, metric),
        last=points[-1] if points else None,
        points=points,
    )


def _point(at_us: int, verdict: Verdict) -> Point | None:
    low, high = verdict.interval or (None, None)
    point = Point(at_us, _finite(low), _finite(verdict.estimate), _finite(high))
    return None if (point.low, point.estimate, point.high) == (None, None, None) else point


def _question(metric: Metric | None) -> str:
    """Return what is asked, in words that need no statistics."""
    if metric is None:
        return f"Does the candidate itself answer ({FALLBACK} to the baseline stays rare)?"
    if metric.type is MetricType.THRESHOLD:
        return f"Does {metric.name} keep its bound, poll after poll?"
    if metric.max_us is not None:
        share, limit_ms = (metric.quantile or 0.0) * 100, metric.max_us / 1000
        return f"Do {share:g} % of requests answer within {limit_ms:g} ms?"
    if metric.role is Role.PRIMARY and metric.margin is None:
        return f"Does the candidate {metric.direction} {metric.name}?"
    return f"Is {metric.name} no more than {(metric.margin or 0.0) * 100:g} % worse?"


def _aim(policy: Policy, metric: Metric | None) -> float | None:
    if metric is None:
        return policy.resilience.max_fallback
    if metric.max_us is not None:
        return round(1.0 - (metric.quantile or 0.0), 9)
    margin = metric.margin or 0.0
    return -margin if metric.direction == "increase" else margin


def _sentence(verdict: Verdict, *, is_share: bool) -> str:
    """Return what is known of a metric, with the numbers when there are any."""
    known = _KNOWN[verdict.finding]
    if verdict.finding is Finding.UNCLEAR and verdict.is_immature:
        known = "Too early: no window can have closed yet"
    elif verdict.finding is Finding.UNCLEAR and verdict.is_outage:
        known = "Baseline and candidate suffer together, so nothing is learned"
    if verdict.why is not None and verdict.finding is Finding.MISSING:
        return f"Nothing may be proven of it: {verdict.why}."
    doubt = "" if verdict.why is None else f", although {verdict.why}"
    return f"{known}{_numbers(verdict, is_share=is_share)}{doubt}."


_KNOWN: Final = {
    Finding.HARMED: "Proven worse than allowed",
    Finding.MISSING: "It should exist by now, and could not be measured",
    Finding.UNCLEAR: "Not proven yet, neither way",
    Finding.SAFE: "Proven safe",
    Finding.BETTER: "Proven better",
}


def _numbers(verdict: Verdict, *, is_share: bool) -> str:
    if verdict.estimate is None or not math.isfinite(verdict.estimate):
        return ""
    low, high = (_finite(end) for end in verdict.interval or (None, None))
    best = percent(verdict.estimate, is_share=is_share)
    if low is None or high is None:
        return f": about {best}, and how sure that is cannot be said yet"
    bounds = f"{percent(low, is_share=is_share)} and {percent(high, is_share=is_share)}"
    return f": about {best}, and between {bounds} with 95 % certainty at every look"


def percent(number: float, *, is_share: bool) -> str:
    """Return a share as a percentage, and a lift with its sign."""
    scaled = number * 100
    digits = 1 if abs(scaled) >= 1 or scaled == 0 else 3
    text = f"{scaled:.{digits}f} %" if is_share else f"{scaled:+.{digits}f} %"
    return text.replace("-", "−")


def _finite(number: float | None) -> float | None:
    return number if number is not None and math.isfinite(number) else None
