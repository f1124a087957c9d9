"""What a look says of the candidates together: which is harmed, which is proven, and what is not known."""

from __future__ import annotations

from rollout.domain.experiment import Experiment, Phase
from rollout.domain.metric import Role
from rollout.domain.policy import MirrorStep
from rollout.domain.question import FALLBACK
from rollout.domain.verdict import Finding, Judgement, Verdict


def harmed(experiment: Experiment, judgement: Judgement) -> tuple[Verdict, ...]:
    """Return what is proven to harm candidates that still have traffic, in the policy's order."""
    harm = Finding.HARMED
    found = [one for one in judgement.verdicts if one.finding is harm]
    return tuple([one for one in found if one.arm in experiment.active_arms])


def missing(experiment: Experiment, judgement: Judgement) -> str | None:
    """Return what should be known of every active candidate by now and is not; no verdict is none."""
    gone = Finding.MISSING
    known = {(verdict.arm, verdict.metric) for verdict in judgement.verdicts if verdict.finding is not gone}
    needed = _needed(experiment)
    for arm in experiment.active_arms:
        for name in needed:
            if (arm, name) not in known:
                return name
    return None


def is_complete(experiment: Experiment, judgement: Judgement) -> bool:
    """Return whether a look shows everything that should be known by now."""
    return judgement.evidence_is_fresh and missing(experiment, judgement) is None


def outage(experiment: Experiment, judgement: Judgement) -> Verdict | None:
    """Return what baseline and candidate suffer from together, if anything."""
    outages = [one for one in judgement.verdicts if one.is_outage]
    return next((one for one in outages if one.arm in experiment.active_arms), None)


def lacking(judgement: Judgement, arm: int) -> Verdict | None:
    """Return the first thing that a candidate's promotion still lacks."""
    return next((one for one in judgement.verdicts if one.arm == arm and not one.allows_promotion), None)


def winner(experiment: Experiment, judgement: Judgement) -> int | None:
    """Return the proven candidate, of several the one that is surely best in the first goal; or none.

    What a complete look must know is for the caller to ask first.
    """
    goals = (metric.name for metric in experiment.policy.metrics if metric.role is Role.PRIMARY)
    goal = next(goals, None)
    best = None if goal is None else judgement.best_proven_arm(goal)
    return best if best in experiment.active_arms else None


def _needed(experiment: Experiment) -> tuple[str, ...]:
    """Return what a look must know: nothing of copies, and after a promotion the limits alone."""
    policy = experiment.policy
    if experiment.phase is Phase.WATCHING:
        limit = Role.SLO
        return tuple([metric.name for metric in policy.metrics if metric.role is limit])
    if isinstance(experiment.current_step, MirrorStep):
        return ()
    observed = Role.OBSERVE
    names = [metric.name for metric in policy.metrics if metric.role is not observed]
    return (*names, FALLBACK) if policy.resilience.falls_back else tuple(names)
