"""From a look to what the API says of its evidence: pure functions that fill the client's shapes."""

from __future__ import annotations

from typing import Final

import numpy as np

from rollout.api.shapes import moment, verdict_answer
from rollout.client.evidence import (
    ArmSampleAnswer,
    BlockAnswer,
    ColumnAnswer,
    EvidenceAnswer,
    FeedAnswer,
    GapAnswer,
    LossAnswer,
    MetricEvidenceAnswer,
    QualityAnswer,
    ReportsAnswer,
    ToldAnswer,
)
from rollout.controller.sights import Sight
from rollout.domain.assignment import blocks
from rollout.domain.doubt import feeds_needed
from rollout.domain.exhibit import ArmSample, Column, exhibit
from rollout.domain.policy import Policy
from rollout.domain.quality import Quality, Reports, Told
from rollout.domain.question import Question, questions
from rollout.stats import reporting

LOWEST_LOG_E: Final = -1e9
"""What JSON is told instead of "nothing at all speaks for it"."""


def evidence_answer(sight: Sight) -> EvidenceAnswer:
    """Say everything that a look rests on."""
    policy, seen, judged = sight.experiment.policy, sight.evidence, sight.judgement
    marks = (seen.watermark_us, seen.fast_watermark_us, seen.first_enrolled_us)
    watermark, fast, first = (None if mark is None else moment(int(mark)) for mark in marks)
    return EvidenceAnswer(
        name=policy.name,
        revision=sight.experiment.revision,
        at=moment(sight.at_us),
        watermark=watermark,
        fast_watermark=fast,
        first_enrolled=first,
        evidence_is_fresh=judged.evidence_is_fresh,
        held_by=judged.held_by,
        split_holds=judged.split_holds,
        log_e_mismatch=judged.log_e_mismatch,
        versions=(policy.baseline.version, *(one.version for one in policy.candidates)),
        units_in_step=judged.units_in_step,
        enrolled=tuple(np.asarray(seen.enrolled).sum(axis=0).tolist()),
        metrics=tuple(
            _metric(sight, question, arm) for arm in range(1, policy.arms) for question in questions(policy)
        ),
        quality=_quality(policy, seen.quality, sight.at_us),
    )


def _metric(sight: Sight, question: Question, arm: int) -> MetricEvidenceAnswer:
    policy, quality = sight.experiment.policy, sight.evidence.quality
    found = exhibit(question, sight.evidence.arms[arm - 1])
    verdict = next(
        (
            one
            for one in (*sight.judgement.verdicts, *sight.judgement.observed)
            if (one.metric, one.arm) == (question.name, arm)
        ),
        None,
    )
    numbers = sorted({block.number for block in blocks(policy)})
    return MetricEvidenceAnswer(
        metric=question.name,
        candidate=policy.candidates[arm - 1].version,
        source=None if question.metric is None else question.metric.source.value,
        type=None if question.metric is None else question.metric.type.value,
        window_s=question.window_s,
        verdict=None if verdict is None else verdict_answer(policy, verdict),
        is_measured=found is not None,
        control=None if found is None else _sample(found.control, numbers),
        candidate_sample=None if found is None else _sample(found.candidate, numbers),
        early={} if found is None else dict(found.early),
        told=_told(quality.told.get(question.name)),
        reports=_reports(quality.reports.get(question.name)),
    )


def _sample(found: ArmSample | None, numbers: list[int]) -> ArmSampleAnswer | None:
    if found is None:
        return None
    return ArmSampleAnswer(
        units=found.units,
        nonzero=found.nonzero,
        columns=_columns(found.columns),
        blocks=tuple(
            BlockAnswer(block=numbers[one.place], units=one.units, columns=_columns(one.columns))
            for one in found.strata
        ),
    )


def _columns(found: tuple[Column, ...]) -> tuple[ColumnAnswer, ...]:
    return tuple(
        ColumnAnswer(name=one.name, total=one.total, mean=one.mean, variance=one.variance) for one in found
    )


def _told(found: Told | None) -> ToldAnswer | None:
    if found is None:
        return None
    return ToldAnswer(
        rows=found.rows,
        repeated=found.repeated,
        conflicting=found.conflicting,
        wrong_value=found.wrong_value,
    )


def _reports(found: Reports | None) -> ReportsAnswer | None:
    if found is None:
        return None
    log_e = float(reporting.log_e_fallen(found.units, found.reporting))
    return ReportsAnswer(
        units=int(found.units.sum()),
        reporting=int(found.reporting.sum()),
        log_e=max(log_e, LOWEST_LOG_E),
        bar=reporting.bar(),
    )


def _quality(policy: Policy, quality: Quality, now_us: int) -> QualityAnswer:
    slowest = quality.slowest(feeds_needed(policy))
    return QualityAnswer(
        feeds=tuple(
            FeedAnswer(
                name=one.name,
                kind=one.kind,
                watermark=None if one.watermark_us is None else moment(one.watermark_us),
                age_s=None if one.watermark_us is None else (now_us - one.watermark_us) / 1e6,
                seen=moment(one.seen_us),
                bad_lines=one.bad_lines,
                holds=one == slowest,
            )
            for one in quality.feeds
        ),
        gaps=tuple(
            GapAnswer(kind=one.kind, node=one.node, log=one.log, start=one.start, end=one.end)
            for one in quality.gaps
        ),
        losses=tuple(
            LossAnswer(kind=one.kind, node=one.node, rows=one.rows, until=moment(one.to_us))
            for one in quality.losses
        ),
        units=quality.units,
        two_armed=quality.two_armed,
        ahead=quality.ahead,
    )
