"""The state that follows a decision: nothing else ever changes an experiment's recorded state."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from rollout.domain.decision import Action, Decision, Reason
from rollout.domain.experiment import Experiment, Phase
from rollout.domain.verdict import Finding, Judgement


def evolve(experiment: Experiment, judgement: Judgement, decision: Decision, now_us: int) -> Experiment:
    """Return the experiment after a decision, with what this look latched."""
    complete = judgement.evidence_is_fresh and judgement.first(Finding.MISSING) is None
    fresh_us = max(experiment.fresh_us, now_us) if complete else experiment.fresh_us
    seen = replace(experiment, latches=judgement.latches, fresh_us=fresh_us)
    match decision.action:
        case Action.HOLD:
            return seen
        case Action.PAUSE:
            return replace(seen, phase=Phase.PAUSED)
        case Action.ADVANCE:
            return replace(seen, step=experiment.step + 1, step_entered_us=now_us)
        case Action.PROMOTE:
            return replace(seen, phase=Phase.PROMOTING)
        case Action.ROLL_BACK:
            # A person's wish stays: afterwards it says who asked, and why.
            return replace(seen, phase=Phase.ROLLING_BACK)
        case Action.SETTLE:
            return _settled(seen, decision.reason)
        case _:
            assert_never(decision.action)


def _settled(experiment: Experiment, reason: Reason) -> Experiment:
    """Return the phase that an ended action leads to."""
    if reason is Reason.ROLLBACK_DONE:
        return replace(experiment, phase=Phase.ROLLED_BACK)
    if reason is Reason.PROMOTION_DONE:
        return replace(experiment, phase=Phase.PROMOTED)
    failed_rollback = reason is Reason.ROLLBACK_FAILED
    return replace(experiment, phase=Phase.ACTION_FAILED, rollback_failed=failed_rollback)
