"""What an action is called and told: the same for the same run, so that doing it again finds it done."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from rollout.domain.assignment import arm_name
from rollout.domain.experiment import Experiment, Phase
from rollout.domain.job import Order
from rollout.domain.policy import Version

MAXIMUM_CHARACTERS: Final = 63
POLICY_CHARACTERS: Final = 30


class Purpose(StrEnum):
    """Why an action is run."""

    PROMOTE = "promote"
    ROLLBACK = "rollback"


def purpose_of(experiment: Experiment) -> Purpose | None:
    """Return why an action should run in the recorded phase, or None when none should."""
    match experiment.phase:
        case Phase.PROMOTING:
            return Purpose.PROMOTE
        case Phase.ROLLING_BACK:
            return Purpose.ROLLBACK
        case _:
            return None


def order_for(experiment: Experiment, purpose: Purpose) -> Order | None:
    """Return what is ordered for a purpose, or None where the policy runs nothing for it."""
    actions = experiment.policy.actions
    action = actions.promote if purpose is Purpose.PROMOTE else actions.rollback
    if action is None:
        return None
    name = job_name(experiment, purpose)
    return Order(name, experiment.uid, action, variables(experiment, purpose))


def job_name(experiment: Experiment, purpose: Purpose) -> str:
    """Return `ro-<policy>-<uid>-<arm>-<action>-<attempt>`; the uid keeps a shortened policy's name apart."""
    is_promotion = purpose is Purpose.PROMOTE
    attempt = experiment.promote_attempt if is_promotion else experiment.rollback_attempt
    rest = f"-{experiment.uid}-{arm_name(experiment.winner or 1)}-{purpose}-{attempt}"
    room = min(POLICY_CHARACTERS, MAXIMUM_CHARACTERS - len("ro-") - len(rest))
    return f"ro-{experiment.policy.name[:room]}{rest}"


def candidate_of(experiment: Experiment) -> Version:
    """Return the candidate that an action is about: the winner, and before there is one, the first."""
    return experiment.policy.candidates[(experiment.winner or 1) - 1]


def variables(experiment: Experiment, purpose: Purpose) -> dict[str, str]:
    """Return what an action may know of the run that it is for."""
    policy, candidate = experiment.policy, candidate_of(experiment)
    return {
        "ROLLOUT_POLICY": policy.name,
        "ROLLOUT_UID": experiment.uid,
        "ROLLOUT_REVISION": str(experiment.revision),
        "ROLLOUT_ACTION": purpose.value,
        "ROLLOUT_VERSION": candidate.version,
        "ROLLOUT_URL": candidate.url,
        "ROLLOUT_BASELINE_VERSION": policy.baseline.version,
    }
