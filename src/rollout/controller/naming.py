"""What an action is called and told: the same for the same run, so that doing it again finds it done."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from rollout.domain.assignment import arm_name
from rollout.domain.experiment import Experiment, Phase
from rollout.domain.policy import LocalCommand

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


def action_for(experiment: Experiment, purpose: Purpose) -> LocalCommand | None:
    """Return what the policy runs for a purpose, if anything."""
    actions = experiment.policy.actions
    return actions.promote if purpose is Purpose.PROMOTE else actions.rollback


def job_name(experiment: Experiment, purpose: Purpose, *, arm: int = 1, attempt: int = 1) -> str:
    """Return `ro-<policy>-<uid>-<arm>-<action>-<attempt>`; the uid keeps a shortened policy's name apart."""
    rest = f"-{experiment.uid}-{arm_name(arm)}-{purpose}-{attempt}"
    room = min(POLICY_CHARACTERS, MAXIMUM_CHARACTERS - len("ro-") - len(rest))
    return f"ro-{experiment.policy.name[:room]}{rest}"


def variables(experiment: Experiment, purpose: Purpose) -> dict[str, str]:
    """Return what an action may know of the run that it is for."""
    policy = experiment.policy
    return {
        "ROLLOUT_POLICY": policy.name,
        "ROLLOUT_UID": experiment.uid,
        "ROLLOUT_REVISION": str(experiment.revision),
        "ROLLOUT_ACTION": purpose.value,
        "ROLLOUT_VERSION": policy.candidates[0].version,
        "ROLLOUT_URL": policy.candidates[0].url,
        "ROLLOUT_BASELINE_VERSION": policy.baseline.version,
    }
