"""A scene in which all is well, so that every test states only what differs."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from rollout.domain.evidence import (
    ArmEvidence,
    BinaryEvidence,
    ClosedFractions,
    ClosedRatio,
    ErrorEvidence,
    Evidence,
    FirstErrors,
    LimitEvidence,
)
from rollout.domain.experiment import Experiment, Phase
from rollout.domain.verdict import Finding, Judgement, Verdict
from rollout.stats.moments import JointMoments
from tests.domain.examples import HOUR_S, POLICY

SECOND_US: Final = 1_000_000
HOUR_US: Final = int(HOUR_S) * SECOND_US
NOW_US: Final = 1_900_000_000 * SECOND_US

EXPERIMENT: Final = Experiment(
    uid="a1b2c3d4",
    policy=POLICY,
    revision=1,
    phase=Phase.RUNNING,
    step=2,
    started_us=NOW_US - 72 * HOUR_US,
    step_entered_us=NOW_US - 48 * HOUR_US,
    fresh_us=NOW_US - SECOND_US,
)

FINDINGS: Final = {
    "converted": Finding.BETTER,
    "errors": Finding.SAFE,
    "p99": Finding.SAFE,
    "fallback": Finding.SAFE,
}


def judgement(**changes: Finding) -> Judgement:
    """Return a look at which everything is proven, but for the metrics named."""
    return Judgement(
        verdicts=tuple(Verdict(name, finding) for name, finding in (FINDINGS | changes).items()),
        log_e_mismatch=-3.0,
        split_holds=True,
        evidence_is_fresh=True,
        units_in_step=(9_000, 9_000),
        latches={},
    )


def spoiled(
    judged: Judgement, metric: str, *, is_immature: bool = False, is_outage: bool = False
) -> Judgement:
    """Return the same look with one verdict unclear for a special cause."""
    unclear = Verdict(metric, Finding.UNCLEAR, is_immature=is_immature, is_outage=is_outage)
    return replace(
        judged,
        verdicts=tuple(unclear if verdict.metric == metric else verdict for verdict in judged.verdicts),
    )


def _totals(units: int, requests: float, rate: float) -> JointMoments:
    """Return moments of (events, requests) of like units."""
    spread = units * requests * rate
    return JointMoments(
        np.array(float(units)),
        np.array([requests * rate, requests]),
        np.array([[spread, 0.1 * spread], [0.1 * spread, units * 1.0]]),
    )


def _alone(moments: JointMoments) -> JointMoments:
    """Return the same on an axis of one start, or one block."""
    return JointMoments(moments.n[None], moments.mean[None], moments.scatter[None])


def evidence(
    *,
    converted: float = 0.14,
    errors: float = 0.0005,
    exceeding: float = 0.004,
    fallbacks: float = 0.0005,
    units: int = 40_000,
) -> Evidence:
    """Return evidence about a candidate with these rates, beside a control at 12 % and 0.05 %."""
    requests = 5.0
    fractions = ClosedFractions(units, units * errors, _totals(units, requests, errors))
    slow = ClosedFractions(units, units * exceeding, _totals(units, requests, exceeding))
    per_day = np.full((2, 1), units // 2)
    successes = [np.rint(per_day * rate).astype(np.int64) for rate in (0.12, converted)]
    first = FirstErrors(
        start_index=np.array([0]),
        candidate=np.array([[round(units * errors * requests)]]),
        comparison=np.array([[round(units * 0.0005 * requests)]]),
        share=np.array([0.5]),
        candidate_requests=round(units * requests),
        candidate_errors=round(units * requests * errors),
        comparison_requests=round(units * requests),
        comparison_errors=round(units * requests * 0.0005),
    )
    ratio = ClosedRatio(
        _alone(_totals(units, requests, 0.0005)),
        _alone(fractions.totals),
        round(units * 0.0025),
        round(units * errors * 5),
    )
    limit = LimitEvidence(
        start_index=np.array([0]),
        windows=np.array([units]),
        window_fractions=np.array([units * exceeding]),
        totals=_alone(_totals(units, requests, exceeding)),
        exceeding_units=np.array([round(units * exceeding)]),
        fractions=slow,
        outage_dominates=False,
    )
    arm = ArmEvidence(
        binary={"converted": BinaryEvidence(per_day, successes[0], per_day, successes[1])},
        errors={"errors": ErrorEvidence(first, ratio, fractions)},
        limits={"p99": limit},
        fallbacks=ClosedFractions(units, units * fallbacks, _totals(units, requests, fallbacks)),
    )
    return Evidence(
        watermark_us=NOW_US - SECOND_US,
        fast_watermark_us=NOW_US - SECOND_US,
        first_enrolled_us=NOW_US - 48 * HOUR_US,
        enrolled=np.array([[units, units]]),
        units_in_step=np.array([units // 2, units // 2]),
        arms=(arm,),
    )


def changed(seen: Evidence, **changes: object) -> Evidence:
    """Return the same look with something else known of its first candidate."""
    first, *others = seen.arms
    return replace(seen, arms=(replace(first, **changes), *others))  # type: ignore[arg-type]
