"""What should happen next: one flat ladder, safety first, the same answer for the same inputs."""

from __future__ import annotations

from typing import Final

from rollout.domain import proof
from rollout.domain.decision import Action, Decision, Reason
from rollout.domain.experiment import ENDED, SECOND_US, Experiment, JobState, Phase
from rollout.domain.metric import Role
from rollout.domain.persons import answer
from rollout.domain.policy import Choice, MirrorStep
from rollout.domain.question import FALLBACK, is_limit
from rollout.domain.verdict import Judgement, Verdict

MOVES_UP: Final = frozenset(
    {
        Reason.STEP_PASSED,
        Reason.PERSON_ADVANCES,
        Reason.GOAL_PROVEN,
        Reason.PERSON_PROMOTES,
        Reason.PROMOTION_DONE,
        Reason.WATCH_PASSED,
    }
)
"""After these a candidate gets more traffic; nothing else may lead there."""

_UNPROVEN: Final = {
    Role.PRIMARY: Reason.GOAL_UNPROVEN,
    Role.GUARDRAIL: Reason.GUARDRAIL_UNPROVEN,
    Role.SLO: Reason.LIMIT_UNPROVEN,
}


def decide(experiment: Experiment, judgement: Judgement, job: JobState | None, now_us: int) -> Decision:
    """Return the next decision of a run; harm is looked at before anything else."""
    if experiment.phase in ENDED:
        usual = Decision(Reason.ENDED)
    elif experiment.phase is Phase.ROLLING_BACK or experiment.rollback_failed:
        usual = _while_rolling_back(experiment, job)
    elif experiment.rollback_wish is not None:
        return Decision(Reason.PERSON_ROLLS_BACK, wish=experiment.rollback_wish)
    elif harm := _harm(experiment, judgement):
        return harm
    else:
        usual = (
            _standing(experiment, judgement, job, now_us)
            or _untrusted(experiment, judgement, now_us)
            or _progress(experiment, judgement, now_us)
        )
    wanted = usual if experiment.wish is None else answer(experiment, judgement, usual, now_us)
    return _allowed(wanted, usual, judgement)


def _harm(experiment: Experiment, judgement: Judgement) -> Decision | None:
    """Return what harm asks for: that arm stops, and when none is left, everything is rolled back."""
    active, harmed = experiment.active_arms, proof.harmed(experiment, judgement)
    if not harmed:
        return None if active else Decision(Reason.METRIC_HARMED)
    first, breaks_limit = harmed[0], is_limit(experiment.policy, harmed[0].metric)
    if experiment.phase is Phase.WATCHING:
        reason = Reason.WATCH_VIOLATED
    elif {one.arm for one in harmed}.issuperset(active):
        reason = Reason.LIMIT_VIOLATED if breaks_limit else Reason.METRIC_HARMED
    else:
        reason = Reason.ARM_VIOLATES_LIMIT if breaks_limit else Reason.ARM_HARMED
    return Decision(reason, first.metric, first.arm)


def _standing(
    experiment: Experiment, judgement: Judgement, job: JobState | None, now_us: int
) -> Decision | None:
    """Return what a phase other than running waits for, or None while it runs."""
    match experiment.phase:
        case Phase.PROMOTING:
            return _while_promoting(experiment, judgement, job)
        case Phase.WATCHING:
            return _while_watching(experiment, judgement, now_us)
        case Phase.ACTION_FAILED:
            return Decision(Reason.PROMOTION_LATE if experiment.was_late else Reason.PROMOTION_FAILED)
        case Phase.PAUSED:
            return Decision(Reason.PAUSED)
        case _:
            return None


def _untrusted(experiment: Experiment, judgement: Judgement, now_us: int) -> Decision | None:
    """Return why the look cannot be trusted, and what the policy does then, or None when it can."""
    wanted = experiment.policy.decide
    if not judgement.split_holds:
        rolls_back = wanted.mismatch is Choice.ROLL_BACK
        return Decision(Reason.MISMATCH_ROLLS_BACK if rolls_back else Reason.MISMATCH_PAUSES)
    without = _without_evidence(experiment, judgement)
    if without is not None and now_us - experiment.fresh_us >= wanted.no_data_hold_s * SECOND_US:
        rolls_back = wanted.no_data_then is Choice.ROLL_BACK
        return Decision(Reason.NO_DATA_ROLLS_BACK if rolls_back else Reason.NO_DATA_PAUSES)
    return without


def _without_evidence(experiment: Experiment, judgement: Judgement) -> Decision | None:
    """Return what is not known that should be, if anything."""
    if missing := proof.missing(experiment, judgement):
        return Decision(Reason.EVIDENCE_MISSING, missing)
    return None if judgement.evidence_is_fresh else Decision(Reason.EVIDENCE_STALE)


def _progress(experiment: Experiment, judgement: Judgement, now_us: int) -> Decision:
    """Return the way up, or what it waits for, or what the policy does when it has waited long enough."""
    is_mirroring = isinstance(experiment.current_step, MirrorStep)
    held = (_while_mirroring if is_mirroring else _held)(experiment, judgement, now_us)
    wanted = _way_up(experiment, judgement) if held is None else held
    if wanted.action is Action.HOLD and experiment.is_overdue(now_us):
        rolls_back = experiment.policy.decide.inconclusive is Choice.ROLL_BACK
        return Decision(Reason.INCONCLUSIVE_ROLLS_BACK if rolls_back else Reason.INCONCLUSIVE_PAUSES)
    return wanted


def _held(experiment: Experiment, judgement: Judgement, now_us: int) -> Decision | None:
    """Return what a weight step waits for, or None when it is over."""
    if outage := proof.outage(experiment, judgement):
        return Decision(Reason.SHARED_OUTAGE, outage.metric)
    hold = experiment.current_step.hold
    if experiment.dwelt_us(now_us) < hold.for_s * SECOND_US:
        return Decision(Reason.STEP_UNFINISHED)
    if _fewest_units(experiment, judgement) < hold.min_units:
        return Decision(Reason.UNITS_TOO_FEW)
    return None


def _way_up(experiment: Experiment, judgement: Judgement) -> Decision:
    """Return what follows a step that is over: the next one, or after the last what is proven, or lacks."""
    if not experiment.is_last_step:
        return Decision(Reason.STEP_PASSED)
    if isinstance(experiment.current_step, MirrorStep):
        return Decision(Reason.MIRROR_PASSED)
    winner = proof.winner(experiment, judgement)
    if winner is None:
        lacking = proof.lacking(judgement, experiment.active_arms[0])
        return Decision(_waiting_for(experiment, lacking), None if lacking is None else lacking.metric)
    if not experiment.approved_for(winner).issuperset(experiment.policy.approvers):
        return Decision(Reason.APPROVAL_NEEDED, arm=winner)
    return Decision(Reason.GOAL_PROVEN, arm=winner)


def _while_mirroring(experiment: Experiment, judgement: Judgement, now_us: int) -> Decision | None:
    """Return what copies wait for, or None when they arrived for long enough; they prove nothing."""
    delivered = {shadow.arm for shadow in judgement.mirrors if shadow.is_delivered}
    failing = next((shadow.arm for shadow in judgement.mirrors if shadow.is_failing), None)
    if failing is not None:
        rolls_back = experiment.policy.decide.mirror is Choice.ROLL_BACK
        return Decision(Reason.MIRROR_ROLLS_BACK if rolls_back else Reason.MIRROR_FAILS, arm=failing)
    if not delivered.issuperset(experiment.active_arms):
        return Decision(Reason.MIRROR_SILENT)
    if experiment.dwelt_us(now_us) < experiment.current_step.hold.for_s * SECOND_US:
        return Decision(Reason.STEP_UNFINISHED)
    return None


def _waiting_for(experiment: Experiment, lacking: Verdict | None) -> Reason:
    """Return which proof is waited for."""
    if experiment.phase is Phase.AWAITING_APPROVAL:
        return Reason.PROOF_FADED
    if lacking is None:
        return Reason.GOAL_UNPROVEN
    if lacking.is_immature:
        return Reason.WINDOW_OPEN
    if lacking.metric == FALLBACK:
        return Reason.FALLBACK_UNPROVEN
    roles = (metric.role for metric in experiment.policy.metrics if metric.name == lacking.metric)
    return _UNPROVEN.get(next(roles, Role.PRIMARY), Reason.GOAL_UNPROVEN)


def _fewest_units(experiment: Experiment, judgement: Judgement) -> int:
    """Return how many units joined the arm that fewest joined, of the control and every active candidate."""
    units = judgement.units_in_step
    return min((units[arm] if arm < len(units) else 0) for arm in (0, *experiment.active_arms))


def _while_rolling_back(experiment: Experiment, job: JobState | None) -> Decision:
    if experiment.rollback_failed:
        return Decision(Reason.ROLLBACK_LATE if experiment.was_late else Reason.ROLLBACK_FAILED)
    match job:
        case JobState.RUNNING:
            return Decision(Reason.ROLLBACK_RUNNING)
        case JobState.WAITING:
            return Decision(Reason.ROLLBACK_WAITS)
        case JobState.LATE:
            return Decision(Reason.ROLLBACK_LATE)
        case JobState.FAILED:
            return Decision(Reason.ROLLBACK_FAILED)
        case JobState.SUCCEEDED | None:
            return Decision(Reason.ROLLBACK_DONE)


def _while_promoting(experiment: Experiment, judgement: Judgement, job: JobState | None) -> Decision:
    """Return what the promote action waits for; after it, traffic still moves up on known evidence alone."""
    match job:
        case JobState.RUNNING:
            return Decision(Reason.PROMOTION_RUNNING)
        case JobState.WAITING:
            return Decision(Reason.PROMOTION_WAITS)
        case JobState.LATE:
            return Decision(Reason.PROMOTION_LATE)
        case JobState.FAILED:
            return Decision(Reason.PROMOTION_FAILED)
        case JobState.SUCCEEDED | None:
            return _without_evidence(experiment, judgement) or Decision(Reason.PROMOTION_DONE)


def _while_watching(experiment: Experiment, judgement: Judgement, now_us: int) -> Decision:
    """Return whether a promotion was watched long enough, with every limit measured at its end."""
    if without := _without_evidence(experiment, judgement):
        return without
    if outage := proof.outage(experiment, judgement):
        return Decision(Reason.SHARED_OUTAGE, outage.metric)
    if experiment.dwelt_us(now_us) < experiment.policy.watch_s * SECOND_US:
        return Decision(Reason.WATCH_RUNNING)
    early = next((one.metric for one in judgement.verdicts if one.is_immature), None)
    return Decision(Reason.WATCH_PASSED if early is None else Reason.WATCH_RUNNING, early)


def _allowed(wanted: Decision, usual: Decision, judgement: Judgement) -> Decision:
    """Return what is wanted, unless it moves traffic up while proxies or the policy's hours forbid it.

    Then a person's wish waits, and what the policy would do without it, such as a rollback, is done.
    """
    if wanted.reason not in MOVES_UP or (judgement.traffic_is_live and judgement.window_is_open):
        return wanted
    if usual.reason not in MOVES_UP and usual.action is not Action.HOLD:
        return usual
    return Decision(Reason.OUTSIDE_HOURS if judgement.traffic_is_live else Reason.TRAFFIC_NOT_LIVE)
