"""An answer about evidence as `/openapi.json` shows it: one metric that is proven, one that is doubted."""

from __future__ import annotations

from typing import Final

from rollout.api.shapes import moment
from rollout.client.answers import Scale, VerdictAnswer
from rollout.client.evidence import (
    ArmSampleAnswer,
    BlockAnswer,
    ColumnAnswer,
    EvidenceAnswer,
    FeedAnswer,
    LossAnswer,
    MetricEvidenceAnswer,
    QualityAnswer,
    ReportsAnswer,
    ToldAnswer,
)

_AT: Final = moment(1_760_000_400_000_000)


def _sample(units: int, total: float) -> ArmSampleAnswer:
    share = total / units
    columns = (
        ColumnAnswer(
            name="value",
            total=total,
            mean=share,
            variance=round(share * (1 - share) * units / (units - 1), 9),
        ),
    )
    return ArmSampleAnswer(
        units=units,
        nonzero=int(total),
        columns=columns,
        blocks=(BlockAnswer(block=1, units=units, columns=columns),),
    )


_CONVERTED: Final = MetricEvidenceAnswer(
    metric="converted",
    candidate="2.0.0",
    source="outcomes",
    type="binary",
    window_s=1800.0,
    verdict=VerdictAnswer(
        metric="converted",
        role="primary",
        finding="better",
        proof=1.0,
        harm=0.0,
        log_e_proof=14.2,
        log_e_harm=-4.1,
        latched_proof=14.2,
        proof_bar=2.996,
        harm_bar=5.991,
        scale=Scale.LIFT,
        estimate=0.4,
        interval=(0.19, 0.66),
    ),
    is_measured=True,
    control=_sample(2_000, 400.0),
    candidate_sample=_sample(2_000, 560.0),
    told=ToldAnswer(rows=970, repeated=10, conflicting=0, wrong_value=0),
    reports=ReportsAnswer(units=4_000, reporting=960, log_e=-1.4, bar=6.908),
)
_ERRORS: Final = MetricEvidenceAnswer(
    metric="errors",
    candidate="2.0.0",
    source="proxy",
    type="error-rate",
    window_s=600.0,
    verdict=VerdictAnswer(
        metric="errors",
        role="guardrail",
        finding="missing",
        proof=0.0,
        harm=0.02,
        scale=Scale.LIFT,
        why="node-2 lost records (exposures: 12), and they may be this run's",
    ),
    is_measured=True,
    early={"candidate_units_with_an_error": 3, "compared_units_with_an_error": 61},
)
EXAMPLE: Final = EvidenceAnswer(
    name="churn-v2",
    revision=1,
    at=_AT,
    watermark=_AT,
    fast_watermark=_AT,
    first_enrolled=moment(1_759_990_000_000_000),
    evidence_is_fresh=True,
    split_holds=True,
    log_e_mismatch=-2.3,
    versions=("1.4.2", "2.0.0"),
    units_in_step=(2_000, 2_000),
    enrolled=(2_000, 2_000),
    metrics=(_CONVERTED, _ERRORS),
    quality=QualityAnswer(
        feeds=(
            FeedAnswer(
                name="node-2", kind="exposures", watermark=_AT, age_s=1.2, seen=_AT, bad_lines=0, holds=True
            ),
        ),
        losses=(LossAnswer(kind="exposures", node="node-2", rows=12, until=_AT),),
        units=4_003,
        two_armed=3,
        ahead=0,
    ),
).model_dump(mode="json")
