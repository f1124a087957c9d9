"""From the domain to what the API says: pure functions that fill the client's shapes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from rollout.api.upstreams import degraded_answers
from rollout.client.answers import (
    DecisionAnswer,
    EntryAnswer,
    ExperimentAnswer,
    HistoryAnswer,
    LayerAnswer,
    LookAnswer,
    Scale,
    VerdictAnswer,
    WishAnswer,
)
from rollout.client.waiting import OutlookAnswer
from rollout.domain.experiment import ENDED, Experiment, Phase, split_of
from rollout.domain.history import Entry
from rollout.domain.judge import FALLBACK
from rollout.domain.metric import Metric, MetricType
from rollout.domain.policy import WHOLE_BP, Policy
from rollout.domain.verdict import Judgement, Verdict
from rollout.domain.wish import Wish
from rollout.fleet.degradation import Degraded
from rollout.ports import Standing

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def experiment_answer(  # noqa: PLR0913 (each is one thing that is known of a run)
    standing: Standing,
    since_us: int,
    *,
    is_live: bool,
    degraded: Sequence[Degraded] = (),
    newest: LookAnswer | None = None,
    outlook: OutlookAnswer | None = None,
) -> ExperimentAnswer:
    """Say where a run stands, since when its last decision has been the same, and what it waits for."""
    experiment, last = standing.experiment, standing.last
    policy = experiment.policy
    counts = experiment.approved_for(experiment.proposed)
    approved = list(dict.fromkeys(one.group for one in experiment.approvals if one.group in counts))
    return ExperimentAnswer(
        name=policy.name,
        uid=experiment.uid,
        version=standing.version,
        revision=experiment.revision,
        owner=policy.owner,
        path=policy.path,
        baseline=policy.baseline.version,
        candidates=tuple(version.version for version in policy.candidates),
        phase=experiment.phase.value,
        has_ended=is_over(experiment),
        step=experiment.step + 1,
        steps=len(policy.stages),
        weight_bp=weight_bp(experiment),
        step_weights_bp=(0,) * len(policy.mirror_steps) + tuple(step.weight_bp for step in policy.steps),
        traffic_is_live=is_live,
        started_at=moment(experiment.started_us),
        step_entered_at=moment(experiment.step_entered_us),
        decision=None if last is None else _decision_answer(last, since_us),
        look=None if last is None else look_answer(last),
        rollback_wish=_wish_answer(experiment.rollback_wish),
        wish=_wish_answer(experiment.wish),
        stopped=tuple(policy.candidates[arm - 1].version for arm in sorted(experiment.stopped)),
        winner=None if experiment.winner is None else policy.candidates[experiment.winner - 1].version,
        approved_by=tuple(approved),
        waits_for=tuple(group for group in policy.approvers if group not in approved)
        if experiment.phase is Phase.AWAITING_APPROVAL
        else (),
        layer=_layer_answer(experiment),
        degraded=degraded_answers(policy, degraded),
        newest=newest,
        outlook=outlook,
    )


def _layer_answer(experiment: Experiment) -> LayerAnswer | None:
    layer, owned = experiment.policy.layer, experiment.layer_range
    return None if layer is None or owned is None else LayerAnswer(name=layer.name, lo=owned.lo, hi=owned.hi)


def is_over(experiment: Experiment) -> bool:
    """Return whether nothing more happens to a run: a failed rollback has taken its traffic all the same."""
    return experiment.phase in ENDED or experiment.rollback_failed


def weight_bp(experiment: Experiment) -> int:
    """Return each candidate's present share of the traffic."""
    split = split_of(experiment)
    if split.is_promoted:
        return WHOLE_BP
    return experiment.policy.steps[split.steps_on - 1].weight_bp if split.steps_on else 0


def history_answer(
    experiment: Experiment, entries: Sequence[Entry], *, after: int, limit: int
) -> HistoryAnswer:
    """Return one page: the entries whose number is greater than `after`."""
    rest = [entry for entry in entries if entry.number > after]
    page = rest[:limit]
    return HistoryAnswer(
        name=experiment.policy.name,
        uid=experiment.uid,
        total=len(entries),
        entries=tuple(entry_answer(entry) for entry in page),
        next_after=page[-1].number if len(rest) > len(page) else None,
    )


def entry_answer(entry: Entry) -> EntryAnswer:
    """Say what was decided at one look, and what was seen."""
    return EntryAnswer(
        number=entry.number,
        revision=entry.revision,
        at=moment(entry.at_us),
        action=entry.decision.action.value,
        reason=entry.decision.reason.name,
        sentence=entry.decision.reason.meaning,
        metric=entry.decision.metric,
        candidate=candidate(entry.policy, entry.decision.arm),
        wish=_wish_answer(entry.decision.wish),
        phase=entry.phase.value,
        step=entry.step + 1,
        steps=len(entry.policy.stages),
        look=look_answer(entry),
    )


def look_answer(entry: Entry) -> LookAnswer:
    """Say what one recorded look saw."""
    return seen_answer(entry.policy, entry.judgement, entry.at_us, entry.watermark_us)


def seen_answer(policy: Policy, judgement: Judgement, at_us: int, watermark_us: int | None) -> LookAnswer:
    """Say what one look saw."""
    return LookAnswer(
        at=moment(at_us),
        watermark=None if watermark_us is None else moment(watermark_us),
        evidence_is_fresh=judgement.evidence_is_fresh,
        held_by=judgement.held_by,
        split_holds=judgement.split_holds,
        log_e_mismatch=_finite(judgement.log_e_mismatch),
        units_in_step=judgement.units_in_step,
        verdicts=tuple(
            verdict_answer(policy, verdict) for verdict in (*judgement.verdicts, *judgement.observed)
        ),
    )


def verdict_answer(policy: Policy, verdict: Verdict) -> VerdictAnswer:
    """Say what the evidence says of one metric."""
    metric = next((metric for metric in policy.metrics if metric.name == verdict.metric), None)
    limit = _limit(policy, verdict.metric, metric)
    return VerdictAnswer(
        metric=verdict.metric,
        candidate=candidate(policy, verdict.arm),
        role=None if metric is None else metric.role.value,
        finding=verdict.finding.value,
        proof=progress(verdict.latched_proof, verdict.proof_bar),
        harm=progress(verdict.log_e_harm, verdict.harm_bar),
        log_e_proof=_finite(verdict.log_e_proof),
        log_e_harm=_finite(verdict.log_e_harm),
        latched_proof=_finite(verdict.latched_proof),
        proof_bar=_finite(verdict.proof_bar),
        harm_bar=_finite(verdict.harm_bar),
        scale=_scale(metric, limit),
        limit=limit,
        estimate=_finite(verdict.estimate),
        interval=None
        if verdict.interval is None
        else (_finite(verdict.interval[0]), _finite(verdict.interval[1])),
        is_immature=verdict.is_immature,
        is_outage=verdict.is_outage,
        why=verdict.why,
    )


def progress(log_e: float, bar: float) -> float:
    """Return how far a log e-value has come to its bar, 0 to 1; nothing is known without a bar."""
    if math.isnan(log_e) or not bar > 0:
        return 0.0
    return min(max(log_e / bar, 0.0), 1.0)


def moment(at_us: int) -> datetime:
    """Return microseconds since the epoch as a moment, exactly."""
    return EPOCH + timedelta(microseconds=at_us)


def unbroken_since_us(last: Entry, entries: Sequence[Entry]) -> int:
    """Return when the decision of the last entry was first taken, without another one since."""
    since_us = last.at_us
    for entry in reversed(entries):
        if entry.decision != last.decision:
            break
        since_us = entry.at_us
    return since_us


def _decision_answer(last: Entry, since_us: int) -> DecisionAnswer:
    return DecisionAnswer(
        number=last.number,
        action=last.decision.action.value,
        reason=last.decision.reason.name,
        sentence=last.decision.reason.meaning,
        metric=last.decision.metric,
        candidate=candidate(last.policy, last.decision.arm),
        wish=_wish_answer(last.decision.wish),
        at=moment(last.at_us),
        since=moment(since_us),
    )


def _wish_answer(wish: Wish | None) -> WishAnswer | None:
    if wish is None:
        return None
    return WishAnswer(
        who=wish.who,
        why=wish.why,
        at=moment(wish.at_us),
        kind=wish.kind.value,
        group=wish.group,
        candidate=wish.arm,
    )


def candidate(policy: Policy, arm: int | None) -> str | None:
    """Return a candidate's version where there are several: one needs no name."""
    return None if arm is None or len(policy.candidates) == 1 else policy.candidates[arm - 1].version


def _limit(policy: Policy, name: str, metric: Metric | None) -> float | None:
    """Return what a metric must keep by itself, or None where it is compared with the control."""
    if metric is not None and metric.type is MetricType.THRESHOLD:
        return metric.minimum if metric.maximum is None else metric.maximum
    if metric is not None and metric.max_us is not None and metric.quantile is not None:
        return round(1.0 - metric.quantile, 9)
    return policy.resilience.max_fallback if name == FALLBACK and metric is None else None


def _scale(metric: Metric | None, limit: float | None) -> Scale:
    if metric is not None and metric.type is MetricType.THRESHOLD:
        return Scale.VALUE
    return Scale.LIFT if limit is None else Scale.SHARE


def _finite(number: float | None) -> float | None:
    """Return a number that JSON can write, or nothing."""
    return number if number is not None and math.isfinite(number) else None
