"""The state that follows a decision: nothing else ever changes an experiment's recorded state."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from rollout.domain import proof
from rollout.domain.decision import Action, Decision, Reason
from rollout.domain.experiment import Experiment, Phase
from rollout.domain.verdict import Judgement
from rollout.domain.wish import Approval


def evolve(  # noqa: C901, PLR0911, PLR0912 (one arm for each action)
    experiment: Experiment, judgement: Judgement, decision: Decision, now_us: int
) -> Experiment:
    """Return the experiment after a decision, with what this look latched."""
    seen = _answered(_seen(experiment, judgement, now_us), decision)
    match decision.action:
        case Action.HOLD:
            return seen
        case Action.PAUSE:
            return _paused(seen, decision, now_us)
        case Action.RESUME:
            return _resumed(seen, decision, now_us)
        case Action.ADVANCE:
            moved = replace(seen, step=experiment.step + 1, step_entered_us=_begin_us(seen, now_us))
            return replace(moved, phase=Phase.RUNNING, approvals=(), proposed=None, idle_us=0, excused_us=0)
        case Action.AWAIT:
            return replace(seen, phase=Phase.AWAITING_APPROVAL, proposed=decision.arm)
        case Action.APPROVE:
            return replace(seen, approvals=(*seen.approvals, _approval(seen, decision)))
        case Action.PROMOTE:
            running = _running(seen, now_us)
            return replace(running, phase=Phase.PROMOTING, winner=decision.arm or 1, action_from_us=now_us)
        case Action.STOP_ARM:
            return replace(seen, stopped={**seen.stopped, decision.arm or 1: now_us})
        case Action.ROLL_BACK:
            # Who asked for it, and why, stays; what else was asked for is answered where the run is now.
            asked = seen.rollback_wish or decision.wish
            return replace(seen, phase=Phase.ROLLING_BACK, rollback_wish=asked, action_from_us=now_us)
        case Action.RETRY:
            return replace(_tried_again(seen), action_from_us=now_us)
        case Action.STOP:
            return replace(seen, phase=Phase.STOPPED)
        case Action.RETIRE:
            return replace(seen, phase=Phase.RETIRED, rollback_failed=False)
        case Action.SETTLE:
            return _settled(seen, decision.reason, now_us)
        case _:
            assert_never(decision.action)


def _seen(experiment: Experiment, judgement: Judgement, now_us: int) -> Experiment:
    """Return what a look alone changes: proofs latch, and evidence that was away is back."""
    if not proof.is_complete(experiment, judgement):
        return replace(experiment, latches=judgement.latches)
    # A pause is counted as a whole when it ends.
    away_us = 0 if experiment.phase is Phase.PAUSED else experiment.gap_us(now_us)
    return replace(
        experiment,
        latches=judgement.latches,
        fresh_us=max(experiment.fresh_us, now_us),
        idle_us=experiment.idle_us + away_us,
    )


def _answered(experiment: Experiment, decision: Decision) -> Experiment:
    """Return the run without the wish that this decision answers."""
    is_answered = decision.wish is not None and decision.wish == experiment.wish
    return replace(experiment, wish=None) if is_answered else experiment


def _paused(experiment: Experiment, decision: Decision, now_us: int) -> Experiment:
    return replace(
        experiment,
        phase=Phase.PAUSED,
        paused_us=now_us,
        is_paused_by_person=decision.reason is Reason.PERSON_PAUSES,
        idle_us=experiment.idle_us + experiment.gap_us(now_us),
    )


def _running(experiment: Experiment, now_us: int) -> Experiment:
    """Return a run whose pause, if there was one, is over and counted."""
    if experiment.paused_us is None:
        return experiment
    lasted_us = max(now_us - experiment.paused_us, 0)
    return replace(
        experiment,
        phase=Phase.RUNNING,
        paused_us=None,
        is_paused_by_person=False,
        idle_us=experiment.idle_us + lasted_us,
        excused_us=experiment.excused_us + (lasted_us if experiment.is_paused_by_person else 0),
        # The policy's patience for absent evidence begins anew, or it would pause again at once.
        fresh_us=max(experiment.fresh_us, now_us),
    )


def _resumed(experiment: Experiment, decision: Decision, now_us: int) -> Experiment:
    """Return the run after its pause, with what a person gave or forgave."""
    running = replace(_running(experiment, now_us), phase=Phase.RUNNING)
    match decision.reason:
        case Reason.PERSON_EXTENDS:
            return replace(running, excused_us=max(now_us - running.step_entered_us, 0))
        case Reason.PERSON_CLEARS_MISMATCH:
            return replace(running, balanced_us=now_us)
        case _:
            return running


def _begin_us(experiment: Experiment, now_us: int) -> int:
    """Return when what begins now begins: a clock that was set back must not give it a past."""
    return max(now_us, experiment.fresh_us)


def _approval(experiment: Experiment, decision: Decision) -> Approval:
    wish = decision.wish
    if wish is None or wish.group is None:
        raise ValueError("an approval has a group and a person")
    return Approval(wish.group, wish.who, wish.why, wish.at_us, experiment.proposed)


def _tried_again(experiment: Experiment) -> Experiment:
    """Return the run in which the failed action is wanted once more, under a new number."""
    if experiment.rollback_failed:
        attempt = experiment.rollback_attempt + 1
        return replace(experiment, phase=Phase.ROLLING_BACK, rollback_failed=False, rollback_attempt=attempt)
    return replace(experiment, phase=Phase.PROMOTING, promote_attempt=experiment.promote_attempt + 1)


def _settled(experiment: Experiment, reason: Reason, now_us: int) -> Experiment:
    """Return the phase that an ended action, or an ended watch, leads to."""
    match reason:
        case Reason.ROLLBACK_DONE:
            return replace(experiment, phase=Phase.ROLLED_BACK)
        case Reason.WATCH_PASSED:
            return replace(experiment, phase=Phase.PROMOTED)
        case Reason.PROMOTION_DONE if experiment.policy.watch_s > 0:
            begin_us = _begin_us(experiment, now_us)
            return replace(experiment, phase=Phase.WATCHING, watch_from_us=begin_us, idle_us=0)
        case Reason.PROMOTION_DONE:
            return replace(experiment, phase=Phase.PROMOTED)
        case _:
            return replace(
                experiment,
                phase=Phase.ACTION_FAILED,
                rollback_failed=reason in {Reason.ROLLBACK_FAILED, Reason.ROLLBACK_LATE},
                was_late=reason in {Reason.PROMOTION_LATE, Reason.ROLLBACK_LATE},
            )
