"""From evidence to verdicts: every metric against its bars; nothing is decided here."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rollout.domain import measure
from rollout.domain.evidence import Evidence
from rollout.domain.experiment import Experiment
from rollout.domain.measure import Measured
from rollout.domain.policy import MetricType, Policy
from rollout.domain.verdict import Finding, Judgement, Verdict
from rollout.stats import balance, bars

FALLBACK = "fallback"
"""The name of the requirement that the candidate itself answers, which every policy with a fallback has."""
FALLBACK_WINDOW_S = 600.0


@dataclass(frozen=True, slots=True)
class Patience:
    """How long evidence may lag before a look no longer counts, and how long late records are waited for."""

    stale_after_us: int = 60_000_000
    grace_us: int = 600_000_000

    def grace_for(self, window_s: float) -> int:
        """Return how long after a window's end its unit closes: never longer than the window itself."""
        return min(self.grace_us, int(window_s * 1e6))


def judge(experiment: Experiment, evidence: Evidence, now_us: int, patience: Patience) -> Judgement:
    """Return what this look says of every metric, and latch proofs if the look itself can be trusted."""
    policy = experiment.policy
    mismatch = float(balance.log_e(evidence.enrolled, np.full(policy.arms, 1.0 / policy.arms)))
    holds = mismatch < float(bars.reject_bar(balance.ALPHA))
    fresh = is_fresh(evidence, experiment, now_us, patience)
    found = {metric.name: measure.measure(policy, metric, evidence) for metric in policy.metrics}
    windows = {metric.name: metric.window_s for metric in policy.metrics}
    if policy.resilience.falls_back:
        found[FALLBACK], windows[FALLBACK] = measure.measure_fallback(policy, evidence), FALLBACK_WINDOW_S
    absent = {
        name: _absent(name, windows[name], experiment, evidence, patience)
        for name, measured in found.items()
        if measured is None
    }
    valid = holds and fresh and all(verdict.is_immature for verdict in absent.values())
    latches, verdicts = dict(experiment.latches), []
    for name, measured in found.items():
        if measured is None:
            verdicts.append(absent[name])
            continue
        before = latches.get(name, 0.0)
        may_latch = valid and not measured.is_outage
        latches[name] = float(bars.latch(before, measured.log_e_proof, valid=may_latch))
        verdicts.append(_verdict(policy, name, measured, latches[name]))
    return Judgement(tuple(verdicts), mismatch, holds, fresh, evidence.units_in_step, latches)


def is_fresh(evidence: Evidence, experiment: Experiment, now_us: int, patience: Patience) -> bool:
    """Return whether both watermarks reach into the step and are recent."""
    least = max(experiment.step_entered_us, now_us - patience.stale_after_us)
    marks = (evidence.watermark_us, evidence.fast_watermark_us)
    return all(mark is not None and mark >= least for mark in marks)


def _absent(
    name: str, window_s: float, experiment: Experiment, evidence: Evidence, patience: Patience
) -> Verdict:
    """Return unclear while no window can have closed yet, and missing from then on."""
    began_us = experiment.started_us if evidence.first_enrolled_us is None else evidence.first_enrolled_us
    closes_us = began_us + int(window_s * 1e6) + patience.grace_for(window_s)
    immature = evidence.watermark_us is None or evidence.watermark_us < closes_us
    return Verdict(name, Finding.UNCLEAR if immature else Finding.MISSING, is_immature=immature)


def _verdict(policy: Policy, name: str, found: Measured, latched: float) -> Verdict:
    proof_bar = float(bars.promote_bar(policy.risk.wrong_promotion, arms=len(policy.candidates)))
    harm_bar = float(bars.stop_bar(policy.risk.wrong_rollback, share=1.0 / len(policy.metrics)))
    proven = bars.is_proven(latched, score=found.score, log_e_harm=found.log_e_harm, bar=proof_bar)
    if found.log_e_harm >= harm_bar:
        finding = Finding.HARMED
    elif found.is_outage or not bool(proven):
        finding = Finding.UNCLEAR
    else:
        finding = Finding.BETTER if found.is_superiority else Finding.SAFE
    return Verdict(
        name,
        finding,
        log_e_proof=found.log_e_proof,
        log_e_harm=found.log_e_harm,
        latched_proof=latched,
        proof_bar=proof_bar,
        harm_bar=harm_bar,
        estimate=found.estimate,
        interval=found.interval,
        is_immature=found.is_immature and finding is Finding.UNCLEAR,
        is_outage=found.is_outage,
    )


def is_limit(policy: Policy, name: str) -> bool:
    """Return whether a verdict speaks of an absolute limit."""
    return any(metric.name == name and metric.type is MetricType.LATENCY for metric in policy.metrics)
