"""Why a request about experiments is not done, in words that say whose move it is."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from rollout.api.problems import Refusal
from rollout.api.shapes import is_over
from rollout.domain.experiment import Experiment, Phase
from rollout.domain.policy import Policy
from rollout.domain.revise import Unrevisable
from rollout.errors import Problem
from rollout.policyfile.digest import digest
from rollout.policyfile.finding import Severity, place, statement
from rollout.policyfile.reading import DESCRIBED, Reading
from rollout.policyfile.unbuilt import unbuilt

MAXIMUM_TRIES: Final = 10


def refuse_unbuilt(policy: Policy) -> None:
    """Refuse what would be ignored: a policy that runs does all that it says."""
    features = unbuilt(policy)
    if features:
        what = f"not supported yet by this control plane: {', '.join(features)}"
        remedy = "remove it from the policy; lint and plan take it already"
        raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, Problem(policy.name, what, remedy))


def problems_of(reading: Reading) -> list[Problem]:
    """Return the mistakes of a policy's text."""
    errors = [finding for finding in reading.findings if finding.severity is Severity.ERROR]
    return [Problem(place(error), statement(error), error.remedy or DESCRIBED) for error in errors]


def stands(run: Experiment, policy: Policy) -> bool:
    """Return whether a run is this policy's already, or false where it may be revised or begin anew."""
    same = digest(run.policy) == digest(policy)
    if same and (run.phase is Phase.PROMOTED or not is_over(run)):
        return True
    served = run.settled_version
    if run.phase is Phase.RETIRED or not is_over(run) or policy.baseline.version == served.version:
        return False
    what = f"its route is served by version {served.version}, not by {policy.baseline.version}"
    remedy = f"name {served.version} as the baseline"
    raise Refusal(HTTPStatus.CONFLICT, Problem(policy.name, what, remedy))


def unrevisable(run: Experiment, cause: Unrevisable) -> Problem:
    """Say why a run cannot go on under the policy that it was given."""
    policy = run.policy
    remedy = f"wait for its end, or end it with `rollout rollback {policy.name} --why …`"
    if cause is Unrevisable.OTHER_SALT:
        remedy = f"keep the salt '{policy.salt}', or start it under another name"
    elif cause is Unrevisable.OTHER_BASELINE:
        remedy = f"name {run.settled_version.version} as the baseline"
    what = f"it is {run.phase} with another policy, as revision {run.revision}: {cause.value}"
    return Problem(policy.name, what, remedy)


def too_restless(name: str) -> Refusal:
    """Return the refusal of what was overtaken too often."""
    what = f"it moved {MAXIMUM_TRIES} times meanwhile"
    return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, Problem(name, what, "ask again"))


def too_late(run: Experiment) -> Problem:
    """Say that there is nothing left to roll back."""
    policy = run.policy
    tried = policy.candidates[(run.winner or 1) - 1]
    versions = f"from {tried.version} to {policy.baseline.version}"
    return Problem(policy.name, f"it has ended as {run.phase}", f"start a policy that leads {versions}")


def is_leaving(run: Experiment) -> bool:
    """Return whether a rollback is wanted, under way or done."""
    return run.rollback_wish is not None or run.phase in {Phase.ROLLING_BACK, Phase.ROLLED_BACK}
