"""What people are told about a run: everything that a message says, before it has words."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from rollout.domain.audit import Act
from rollout.domain.decision import OVERRIDES, Action, Decision, Reason
from rollout.domain.experiment import Experiment, Phase, split_of
from rollout.domain.history import Entry
from rollout.domain.judge import FALLBACK
from rollout.domain.metric import Metric, MetricType
from rollout.domain.policy import WHOLE_BP, Policy
from rollout.domain.telling import Occasion
from rollout.domain.verdict import Verdict

MOST_FIGURES: Final = 12


class Scale(StrEnum):
    """What a figure's numbers are."""

    LIFT = "lift"
    """A change relative to the control."""
    SHARE = "share"
    """A share of requests."""
    VALUE = "value"
    """What was polled, as it came."""


@dataclass(frozen=True, slots=True)
class Figure:
    """What was known of one metric; what is not known is None, and so is an open end."""

    metric: str
    candidate: str
    finding: str
    scale: Scale
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    limit: float | None = None


@dataclass(frozen=True, slots=True)
class News:
    """One thing that happened to a run. Its id is the same whoever tells it, and however often."""

    id: str
    at_us: int
    occasion: Occasion
    policy: str
    owner: str
    uid: str
    revision: int
    baseline: str
    candidates: tuple[str, ...]
    phase: Phase
    step: int
    """Counts from 1, as people do."""
    steps: int
    weight_bp: int
    """Each candidate's share of the units from then on."""
    number: int | None = None
    """Which decision it was, where it was one."""
    reason: Reason | None = None
    metric: str | None = None
    candidate: str | None = None
    """The version that it speaks of, where it is one of them."""
    is_override: bool = False
    who: str | None = None
    why: str | None = None
    group: str | None = None
    asked: str | None = None
    """What a person asked for, where this answers it."""
    awaits: tuple[str, ...] = ()
    """The groups whose approval is waited for."""
    figures: tuple[Figure, ...] = ()


def news_id(uid: str, version: int) -> str:
    """Return the id of what led to a run's recorded state: each state is led to once."""
    return f"{uid}.{version}"


def decided(version: int, run: Experiment, entry: Entry) -> News:
    """Return what there is to tell of a recorded decision; `run` is how it stands from then on."""
    decision, policy = entry.decision, entry.policy
    wish = decision.wish
    approved = {approval.group for approval in run.approvals}
    is_asked = run.phase is Phase.AWAITING_APPROVAL
    return replace(
        _news(Occasion.DECIDED, version, run, entry.at_us),
        number=entry.number,
        reason=decision.reason,
        metric=decision.metric,
        candidate=_version(policy, decision.arm or run.winner),
        is_override=decision.reason in OVERRIDES,
        who=None if wish is None else wish.who,
        why=None if wish is None else wish.why,
        group=None if wish is None else wish.group,
        asked=None if wish is None else wish.kind.value,
        awaits=tuple(group for group in policy.approvers if group not in approved) if is_asked else (),
        figures=tuple(_figure(policy, verdict) for verdict in _deciding(entry, decision)[:MOST_FIGURES]),
    )


def changed(occasion: Occasion, version: int, run: Experiment, at_us: int, act: Act | None) -> News:
    """Return what there is to tell of a start or of a changed policy."""
    news = _news(occasion, version, run, at_us)
    return news if act is None else replace(news, who=act.who, why=act.why or None)


def trial_news(news_id: str, at_us: int) -> News:
    """Return what there is to tell when somebody tries whether a receiver is reached: nothing."""
    return News(
        id=news_id,
        at_us=at_us,
        occasion=Occasion.TESTED,
        policy="rollout",
        owner="whoever tries this",
        uid="test",
        revision=0,
        baseline="",
        candidates=(),
        phase=Phase.RUNNING,
        step=0,
        steps=0,
        weight_bp=0,
    )


def _news(occasion: Occasion, version: int, run: Experiment, at_us: int) -> News:
    policy = run.policy
    return News(
        id=news_id(run.uid, version),
        at_us=at_us,
        occasion=occasion,
        policy=policy.name,
        owner=policy.owner,
        uid=run.uid,
        revision=run.revision,
        baseline=policy.baseline.version,
        candidates=tuple(one.version for one in policy.candidates),
        phase=run.phase,
        step=run.step + 1,
        steps=len(policy.stages),
        weight_bp=_weight_bp(run),
    )


def _weight_bp(run: Experiment) -> int:
    split = split_of(run)
    if split.is_promoted:
        return WHOLE_BP
    return run.policy.steps[split.steps_on - 1].weight_bp if split.steps_on else 0


def _version(policy: Policy, arm: int | None) -> str | None:
    if arm is None:
        return policy.candidates[0].version if len(policy.candidates) == 1 else None
    return policy.candidates[arm - 1].version


def _deciding(entry: Entry, decision: Decision) -> tuple[Verdict, ...]:
    """Return the verdicts that decided: of the metric spoken of, or all where all of them did."""
    judged = entry.judgement.verdicts if decision.arm is None else entry.judgement.for_arm(decision.arm)
    if decision.metric is not None:
        return tuple(verdict for verdict in judged if verdict.metric == decision.metric)[:1]
    is_measured = decision.action in _MEASURED or decision.reason is Reason.PROMOTION_DONE
    is_trusted = decision.reason not in _UNTRUSTED
    is_a_persons = decision.wish is not None and decision.action is not Action.PROMOTE
    return judged if is_measured and is_trusted and not is_a_persons else ()


_UNTRUSTED: Final = frozenset(
    {
        Reason.MISMATCH_ROLLS_BACK,
        Reason.MISMATCH_PAUSES,
        Reason.NO_DATA_ROLLS_BACK,
        Reason.NO_DATA_PAUSES,
    }
)
"""What was measured did not decide these, and may be wrong."""
_MEASURED: Final = frozenset({Action.PROMOTE, Action.ROLL_BACK, Action.STOP_ARM, Action.AWAIT, Action.PAUSE})


def _figure(policy: Policy, verdict: Verdict) -> Figure:
    metric = next((one for one in policy.metrics if one.name == verdict.metric), None)
    low, high = verdict.interval or (None, None)
    limit = _limit(policy, verdict.metric, metric)
    return Figure(
        metric=verdict.metric,
        candidate=policy.candidates[verdict.arm - 1].version,
        finding=verdict.finding.value,
        scale=_scale(metric, limit),
        estimate=_finite(verdict.estimate),
        low=_finite(low),
        high=_finite(high),
        limit=limit,
    )


def _scale(metric: Metric | None, limit: float | None) -> Scale:
    if metric is not None and metric.type is MetricType.THRESHOLD:
        return Scale.VALUE
    return Scale.LIFT if limit is None else Scale.SHARE


def _limit(policy: Policy, name: str, metric: Metric | None) -> float | None:
    """Return what a metric must keep by itself, or None where it is compared with the control."""
    if metric is None:
        return policy.resilience.max_fallback if name == FALLBACK else None
    if metric.type is MetricType.THRESHOLD:
        return metric.minimum if metric.maximum is None else metric.maximum
    is_limit = metric.max_us is not None and metric.quantile is not None
    return round(1.0 - (metric.quantile or 0.0), 9) if is_limit else None


def _finite(number: float | None) -> float | None:
    return number if number is not None and math.isfinite(number) else None


@dataclass(frozen=True, slots=True)
class Letter:
    """What is sent to a receiver at one time; sent again, it has the same id and the same news."""

    id: str
    news: tuple[News, ...]
