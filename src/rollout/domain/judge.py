"""From evidence to verdicts: every metric of every candidate against its bars; nothing is decided here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

import numpy as np

from rollout.domain.doubt import doubt, held_by
from rollout.domain.evidence import ArmEvidence, Evidence
from rollout.domain.experiment import Experiment, Phase
from rollout.domain.look import Looks, Patience, looks
from rollout.domain.measure.measured import Measured, Polled
from rollout.domain.measure.metric import measure, measure_fallback
from rollout.domain.memory import NO_MEMORY, Memory
from rollout.domain.policy import Policy
from rollout.domain.question import FALLBACK, Question, harm_bar, is_limit, questions
from rollout.domain.rows import Answer, Row, Writer
from rollout.domain.verdict import Judgement, MirrorVerdict, Verdict
from rollout.stats import arrays, slo
from rollout.stats.arrays import BoolArray

__all__ = ["FALLBACK", "Patience", "is_limit", "judge", "judge_many"]

MIRROR_LIMIT: Final = 0.2
"""The share of copies that a shadow may fail before people are told."""
MIRROR_PLANNED_COPIES: Final = 100.0


def measured(
    policy: Policy, question: Question, arm: ArmEvidence, memory: Memory = NO_MEMORY
) -> Measured | Polled | None:
    """Return what one candidate's evidence comes to for one question, if it says anything of it."""
    if question.metric is None:
        return measure_fallback(policy, arm, memory)
    return measure(policy, question.metric, arm, memory)


Measuring: TypeAlias = Callable[[Policy, Question, ArmEvidence], Measured | Polled | None]


def judge(
    experiment: Experiment,
    evidence: Evidence,
    now_us: int,
    patience: Patience,
    measuring: Measuring = measured,
) -> Judgement:
    """Return what this look says of every metric, and latch proofs if the look itself can be trusted."""
    return judge_many((experiment,), evidence, now_us, patience, measuring)[0]


def judge_many(
    experiments: Sequence[Experiment],
    evidence: Evidence,
    now_us: int,
    patience: Patience,
    measuring: Measuring = measured,
) -> tuple[Judgement, ...]:
    """Judge one look at each of many experiments of the same policy; evidence has them as leading axis.

    `measuring` is nearly all the work, and depends on nothing but its arguments: who judges the same evidence
    many thousand times may remember what it came to.
    """
    if not experiments:
        return ()
    policy = experiments[0].policy
    if any(one.policy is not policy and one.policy != policy for one in experiments):
        raise ValueError("experiments: must all have the same policy")
    return judge_looks(
        experiments, evidence, looks(experiments, evidence, now_us, patience), now_us, measuring
    )


def judge_looks(
    experiments: Sequence[Experiment], evidence: Evidence, seen: Looks, now_us: int, measuring: Measuring
) -> tuple[Judgement, ...]:
    """Judge looks of which it is known already whether they can be trusted."""
    policy = experiments[0].policy
    asked = [(question, doubt(question, evidence.quality)) for question in questions(policy)]
    reasons = evidence.quality.unmeasured
    answers = [
        Answer(
            question,
            arm,
            measuring(policy, question, evidence.arms[arm - 1]),
            is_asked,
            doubted,
            reasons.get(question.name),
        )
        for arm, is_judged in enumerate(_judged(experiments), start=1)
        for question, doubted in asked
        # After the promotion only limits stay armed.
        if (is_asked := is_judged & (~seen.is_watching | question.is_limit)).any()
    ]
    rows = Writer(experiments, answers, seen).rows()
    acting = [row for row in rows if not row.question.is_observed]
    columns = (
        _columns(acting, len(experiments)),
        _columns([row for row in rows if row.question.is_observed], len(experiments)),
        _latches(experiments, acting),
        _mirrors(policy, evidence, len(experiments)),
        seen.log_e_mismatch.tolist(),
        seen.split_holds.tolist(),
        seen.is_fresh.tolist(),
        np.broadcast_to(evidence.units_in_step, (len(experiments), policy.arms)).tolist(),
    )
    held = held_by(policy, evidence.quality, now_us, stale_after_us=seen.patience.stale_after_us)
    return tuple(
        Judgement(
            verdicts=verdicts,
            log_e_mismatch=mismatch,
            split_holds=holds,
            evidence_is_fresh=is_fresh,
            units_in_step=tuple(units),
            latches=latches,
            observed=observed,
            mirrors=mirrors,
            held_by=None if is_fresh else held,
        )
        for verdicts, observed, latches, mirrors, mismatch, holds, is_fresh, units in zip(
            *columns, strict=True
        )
    )


def _judged(experiments: Sequence[Experiment]) -> list[BoolArray]:
    """Return, for each candidate, in which replicates it is judged: while it has traffic."""
    active = [one.active_arms for one in experiments]
    arms = range(1, experiments[0].policy.arms)
    return [np.array([arm in own for own in active], dtype=np.bool_) for arm in arms]


def _columns(rows: Sequence[Row], replicates: int) -> list[tuple[Verdict, ...]]:
    """Return each replicate's verdicts of what it was asked."""
    if not rows:
        return [()] * replicates
    if all(row.is_asked_of_all for row in rows):
        return list(zip(*(row.verdicts for row in rows), strict=True))
    return [
        tuple([row.verdicts[replicate] for row in rows if row.is_asked[replicate]])
        for replicate in range(replicates)
    ]


def _latches(experiments: Sequence[Experiment], rows: Sequence[Row]) -> list[dict[str, float]]:
    """Return the proofs after this look; evidence of a revision ends at its promotion."""
    latches = [dict(one.latches) for one in experiments]
    for row in rows:
        if row.latch is not None:
            for own, one, value, is_asked in zip(
                latches, experiments, row.latched, row.is_asked, strict=True
            ):
                if is_asked and one.phase is not Phase.WATCHING:
                    own[row.latch] = value
    return latches


def _mirrors(policy: Policy, evidence: Evidence, replicates: int) -> list[tuple[MirrorVerdict, ...]]:
    """Return how the shadows fare with their copies, for each replicate."""
    bar, columns = harm_bar(policy), []
    for arm, own in enumerate(evidence.arms, start=1):
        if own.mirrored is None:
            continue
        copies, failures = (
            np.broadcast_to(arrays.counts(name, part).astype(np.int64), (replicates,))
            for name, part in (("copies", own.mirrored.copies), ("failures", own.mirrored.failures))
        )
        log_e = slo.log_e_violation(failures, copies, limit=MIRROR_LIMIT, planned_units=MIRROR_PLANNED_COPIES)
        numbers = zip(copies.tolist(), failures.tolist(), log_e.tolist(), strict=True)
        columns.append([MirrorVerdict(arm, sent, failed, found, bar) for sent, failed, found in numbers])
    return list(zip(*columns, strict=True)) if columns else [()] * replicates
