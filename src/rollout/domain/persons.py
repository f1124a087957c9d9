"""What a person's wish comes to: a decision of its own, never the policy's in disguise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from rollout.domain.decision import Decision, Reason
from rollout.domain.experiment import ENDED, Experiment, Phase
from rollout.domain.verdict import Judgement
from rollout.domain.wish import Asked, Wish

_ON_TRIAL: Final = frozenset({Phase.RUNNING, Phase.PAUSED, Phase.AWAITING_APPROVAL})
_FITS: Final[Mapping[Asked, frozenset[Phase]]] = MappingProxyType(
    {
        Asked.PAUSE: frozenset({Phase.RUNNING, Phase.AWAITING_APPROVAL}),
        Asked.RESUME: frozenset({Phase.PAUSED}),
        Asked.ADVANCE: frozenset({Phase.RUNNING}),
        Asked.PROMOTE: _ON_TRIAL,
        Asked.APPROVE: frozenset({Phase.AWAITING_APPROVAL}),
        Asked.RETRY: frozenset({Phase.ACTION_FAILED}),
        Asked.STOP: _ON_TRIAL | {Phase.ACTION_FAILED},
        Asked.RETIRE: ENDED - {Phase.RETIRED},
        Asked.ROLLBACK: frozenset(Phase) - ENDED - {Phase.ROLLING_BACK},
    }
)
"""Where a wish can be fulfilled; what else it takes stands in `fits`."""

_ANSWERS: Final[Mapping[Asked, Reason]] = MappingProxyType(
    {
        Asked.PAUSE: Reason.PERSON_PAUSES,
        Asked.RESUME: Reason.PERSON_RESUMES,
        Asked.ADVANCE: Reason.PERSON_ADVANCES,
        Asked.PROMOTE: Reason.PERSON_PROMOTES,
        Asked.APPROVE: Reason.PERSON_APPROVES,
        Asked.RETRY: Reason.PERSON_RETRIES,
        Asked.STOP: Reason.PERSON_STOPS,
        Asked.RETIRE: Reason.PERSON_RETIRES,
        Asked.ROLLBACK: Reason.PERSON_ROLLS_BACK,
    }
)
_OVERRULED: Final[Mapping[Asked, Reason]] = MappingProxyType(
    {Asked.ADVANCE: Reason.STEP_PASSED, Asked.PROMOTE: Reason.GOAL_PROVEN}
)
"""What a policy does by itself: then nobody has overruled it."""


def answer(experiment: Experiment, judgement: Judgement, usual: Decision, now_us: int) -> Decision:
    """Return the decision that answers a run's wish; `usual` is what is decided without it."""
    wish = experiment.wish
    if wish is None:
        return usual
    if not fits(experiment, wish):
        return Decision(Reason.WISH_UNFIT, wish=wish)
    if wish.kind is Asked.RESUME:
        return Decision(_resumed(experiment, judgement, now_us), wish=wish)
    arm = _chosen(experiment, wish) if wish.kind is Asked.PROMOTE else None
    if usual.reason is _OVERRULED.get(wish.kind) and usual.arm == arm:
        return replace(usual, wish=wish)
    if wish.kind in _OVERRULED and not wish.overrules:
        return Decision(Reason.WISH_UNFIT, wish=wish)
    return Decision(_ANSWERS[wish.kind], arm=arm, wish=wish)


def fits(experiment: Experiment, wish: Wish) -> bool:
    """Return whether a wish can be fulfilled where a run stands; the API refuses it at the door."""
    if experiment.rollback_failed:
        return wish.kind in {Asked.RETRY, Asked.RETIRE}
    if experiment.phase not in _FITS[wish.kind] or _is_from_elsewhere(experiment, wish):
        return False
    match wish.kind:
        case Asked.ADVANCE:
            return not experiment.is_last_step
        case Asked.PROMOTE:
            return bool(experiment.policy.steps) and _chosen(experiment, wish) is not None
        case Asked.APPROVE:
            was_shown = wish.arm is None or wish.arm == experiment.proposed
            return was_shown and wish.group in experiment.policy.approvers
        case _:
            return True


def _is_from_elsewhere(experiment: Experiment, wish: Wish) -> bool:
    """Return whether the run has moved on since something was asked that was meant for where it stood."""
    if wish.kind in {Asked.ADVANCE, Asked.APPROVE} and wish.step not in {None, experiment.step}:
        return True
    is_of_revision = wish.kind in {Asked.ADVANCE, Asked.APPROVE, Asked.PROMOTE}
    return is_of_revision and wish.revision not in {None, experiment.revision}


def _chosen(experiment: Experiment, wish: Wish) -> int | None:
    """Return which candidate should be promoted: the one that is named, or the only one that is left."""
    active = experiment.active_arms
    if wish.arm is None:
        return active[0] if len(active) == 1 else None
    return wish.arm if wish.arm in active else None


def _resumed(experiment: Experiment, judgement: Judgement, now_us: int) -> Reason:
    if not judgement.split_holds:
        return Reason.PERSON_CLEARS_MISMATCH
    return Reason.PERSON_EXTENDS if experiment.is_overdue(now_us) else Reason.PERSON_RESUMES
