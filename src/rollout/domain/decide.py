"""What should happen next: one flat ladder, safety first, the same answer for the same inputs."""

from __future__ import annotations

from rollout.domain.decision import Decision, Reason
from rollout.domain.experiment import Experiment, JobState, Phase
from rollout.domain.judge import FALLBACK, is_limit
from rollout.domain.policy import Choice, Role
from rollout.domain.verdict import Finding, Judgement, Verdict

_SECOND_US = 1_000_000


def decide(experiment: Experiment, judgement: Judgement, job: JobState | None, now_us: int) -> Decision:
    """Return the next decision of a run that has not ended; harm is looked at before anything else."""
    if experiment.phase is Phase.ROLLING_BACK or experiment.rollback_failed:
        return _while_rolling_back(experiment, job)
    if experiment.rollback_wish is not None:
        return Decision(Reason.PERSON_ROLLS_BACK)
    if harmed := judgement.first(Finding.HARMED):
        limit = is_limit(experiment.policy, harmed.metric)
        return Decision(Reason.LIMIT_VIOLATED if limit else Reason.METRIC_HARMED, harmed.metric)
    return (
        _standing(experiment, job)
        or _unready(experiment, judgement, now_us)
        or _ready(experiment, judgement, now_us)
    )


def _standing(experiment: Experiment, job: JobState | None) -> Decision | None:
    """Return what a phase other than running waits for, or None while it runs."""
    match experiment.phase:
        case Phase.PROMOTING:
            return _while_promoting(job)
        case Phase.ACTION_FAILED:
            return Decision(Reason.PROMOTION_FAILED)
        case Phase.PAUSED:
            return Decision(Reason.PAUSED)
        case _:
            return None


def _unready(experiment: Experiment, judgement: Judgement, now_us: int) -> Decision | None:
    """Return why nothing may move up now, or None when the look can be trusted and the step is over."""
    policy, step = experiment.policy, experiment.current_step
    if not judgement.split_holds:
        rolls_back = policy.decide.mismatch is Choice.ROLL_BACK
        return Decision(Reason.MISMATCH_ROLLS_BACK if rolls_back else Reason.MISMATCH_PAUSES)
    if not judgement.evidence_is_fresh or judgement.first(Finding.MISSING):
        return _without_evidence(experiment, judgement, now_us)
    if outage := next((verdict for verdict in judgement.verdicts if verdict.is_outage), None):
        return Decision(Reason.SHARED_OUTAGE, outage.metric)
    if now_us - experiment.step_entered_us < step.hold.for_s * _SECOND_US:
        return Decision(Reason.STEP_UNFINISHED)
    if min(judgement.units_in_step) < step.hold.min_units:
        return Decision(Reason.UNITS_TOO_FEW)
    return None


def _without_evidence(experiment: Experiment, judgement: Judgement, now_us: int) -> Decision:
    """Return what the policy does while evidence is stale or missing."""
    wanted = experiment.policy.decide
    if now_us - experiment.fresh_us >= wanted.no_data_hold_s * _SECOND_US:
        rolls_back = wanted.no_data_then is Choice.ROLL_BACK
        return Decision(Reason.NO_DATA_ROLLS_BACK if rolls_back else Reason.NO_DATA_PAUSES)
    if missing := judgement.first(Finding.MISSING):
        return Decision(Reason.EVIDENCE_MISSING, missing.metric)
    return Decision(Reason.EVIDENCE_STALE)


def _ready(experiment: Experiment, judgement: Judgement, now_us: int) -> Decision:
    """Return the way up: the next step, promotion on proof, or what the policy does without proof."""
    if not experiment.is_last_step:
        return Decision(Reason.STEP_PASSED)
    unproven = next((verdict for verdict in judgement.verdicts if not verdict.is_proven), None)
    if unproven is None:
        return Decision(Reason.GOAL_PROVEN)
    limit_s = experiment.current_step.hold.at_most_s
    if limit_s is not None and now_us - experiment.step_entered_us >= limit_s * _SECOND_US:
        rolls_back = experiment.policy.decide.inconclusive is Choice.ROLL_BACK
        return Decision(Reason.INCONCLUSIVE_ROLLS_BACK if rolls_back else Reason.INCONCLUSIVE_PAUSES)
    return Decision(_waiting_for(experiment, unproven), unproven.metric)


def _waiting_for(experiment: Experiment, unproven: Verdict) -> Reason:
    if unproven.is_immature:
        return Reason.WINDOW_OPEN
    if unproven.metric == FALLBACK:
        return Reason.FALLBACK_UNPROVEN
    role = next(metric.role for metric in experiment.policy.metrics if metric.name == unproven.metric)
    match role:
        case Role.PRIMARY:
            return Reason.GOAL_UNPROVEN
        case Role.GUARDRAIL:
            return Reason.GUARDRAIL_UNPROVEN
        case Role.SLO:
            return Reason.LIMIT_UNPROVEN


def _while_rolling_back(experiment: Experiment, job: JobState | None) -> Decision:
    if experiment.rollback_failed:
        return Decision(Reason.ROLLBACK_FAILED)
    match job:
        case JobState.RUNNING:
            return Decision(Reason.ROLLBACK_RUNNING)
        case JobState.FAILED:
            return Decision(Reason.ROLLBACK_FAILED)
        case JobState.SUCCEEDED | None:
            return Decision(Reason.ROLLBACK_DONE)


def _while_promoting(job: JobState | None) -> Decision:
    match job:
        case JobState.RUNNING:
            return Decision(Reason.PROMOTION_RUNNING)
        case JobState.FAILED:
            return Decision(Reason.PROMOTION_FAILED)
        case JobState.SUCCEEDED | None:
            return Decision(Reason.PROMOTION_DONE)
