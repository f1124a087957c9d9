"""A changed policy for a run that has begun: what takes effect at once, and what begins a new revision."""

from __future__ import annotations

from dataclasses import fields, replace
from enum import Enum
from typing import Final

from rollout.domain.experiment import Experiment, Phase
from rollout.domain.policy import Policy

AT_ONCE: Final = frozenset({"owner", "decide", "actions", "notify", "advance"})
"""What may change while a revision runs: nothing that its evidence rests on."""
_ACTING: Final = frozenset({Phase.PROMOTING, Phase.ROLLING_BACK})
_ON_TRIAL: Final = frozenset({Phase.RUNNING, Phase.PAUSED, Phase.AWAITING_APPROVAL})


class Unrevisable(Enum):
    """Why a run cannot go on under a changed policy; the value is a sentence for people."""

    OTHER_NAME = "it is another experiment's policy"
    OTHER_SALT = "its salt differs: units would change their arms"
    OTHER_BASELINE = "its baseline is not the version that is served now"
    ACTION_RUNNING = "the action that it names is running"
    NOT_ON_TRIAL = "only what is on trial can begin a new revision"


def revise(experiment: Experiment, wanted: Policy, now_us: int) -> Experiment | Unrevisable:
    """Return the run under a changed policy, or why it cannot be.

    A new revision starts at the first step without evidence, proofs or approvals, and with an error budget
    of its own; it keeps the run and its salt, so that no unit changes its arm.
    """
    policy = experiment.policy
    if wanted.name != policy.name:
        return Unrevisable.OTHER_NAME
    if experiment.phase in _ACTING and wanted.actions != policy.actions:
        return Unrevisable.ACTION_RUNNING
    changed = {field.name for field in fields(Policy)} - AT_ONCE
    if all(getattr(wanted, name) == getattr(policy, name) for name in changed):
        return replace(experiment, policy=wanted)
    return _against(experiment, wanted) or Experiment(
        uid=experiment.uid,
        policy=wanted,
        revision=experiment.revision + 1,
        phase=Phase.RUNNING,
        step=0,
        started_us=now_us,
        step_entered_us=now_us,
        fresh_us=now_us,
        rollback_wish=experiment.rollback_wish,
        wish=experiment.wish,
        # A changed layer is for the ledger's keeper to allot: until then nobody takes part.
        layer_range=experiment.layer_range if wanted.layer == policy.layer else None,
    )


def _against(experiment: Experiment, wanted: Policy) -> Unrevisable | None:
    """Return what speaks against a new revision, if anything."""
    if experiment.phase not in _ON_TRIAL:
        return Unrevisable.NOT_ON_TRIAL
    if wanted.salt != experiment.policy.salt:
        return Unrevisable.OTHER_SALT
    if wanted.baseline.version != experiment.settled_version.version:
        return Unrevisable.OTHER_BASELINE
    return None
