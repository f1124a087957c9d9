"""`rollout rollback`, `stop`, `retire` and `retry`: how a person ends a run, and mends its end."""

from typing import TYPE_CHECKING

from rollout.cli.wishing import Person, wish_verb

if TYPE_CHECKING:
    from rollout.client.control_plane import ControlPlane
    from rollout.client.wishes import AskedAnswer


@wish_verb(
    "rollback",
    follows="the candidate's traffic goes to zero at the next look",
    examples={
        'rollout rollback churn-v2 --why "support sees wrong answers"': "take the candidate off",
        'rollout rollback churn-v2 --why "incident 4711" --who anna': "in another person's name",
        "rollout status churn-v2 --watch": "see it happen",
    },
)
def rollback(control: "ControlPlane", name: str, person: Person) -> "AskedAnswer":
    """Roll an experiment back, whatever the evidence says.

    The candidate's traffic goes to zero at the next look, within seconds; then the rollback action runs.
    Asking twice is asking once.
    """
    return control.rollback(name, who=person.who, why=person.why)


@wish_verb(
    "stop",
    follows="the candidate's traffic goes to zero at the next look, without a verdict",
    examples={
        'rollout stop churn-v2 --why "the model is withdrawn"': "no more traffic, and no action runs",
        'rollout rollback churn-v2 --why "it does harm"': "where the rollback action should run",
    },
)
def stop(control: "ControlPlane", name: str, person: Person) -> "AskedAnswer":
    """End an experiment without a verdict.

    The baseline serves everybody, and no action runs. Its route stays until it is retired.
    """
    return control.stop(name, who=person.who, why=person.why)


@wish_verb(
    "retire",
    follows="its route goes at the next look",
    examples={
        'rollout retire churn-v2 --why "the endpoint is gone"': "remove the route of an ended experiment",
        "rollout list --phase promoted,stopped": "what may be retired",
    },
)
def retire(control: "ControlPlane", name: str, person: Person) -> "AskedAnswer":
    """Remove the route of an experiment that has ended.

    Until then the version that was settled on is served there. Whoever still calls it gets 404 afterwards.
    """
    return control.retire(name, who=person.who, why=person.why)


@wish_verb(
    "retry",
    follows="the action begins again under a new number at the next look",
    examples={
        'rollout retry churn-v2 --why "quota raised"': "run the action that failed once more",
        "rollout explain churn-v2": "which action failed, and why",
    },
)
def retry(control: "ControlPlane", name: str, person: Person) -> "AskedAnswer":
    """Run a failed action once more.

    Each try is a job of its own; what the failed one did is not undone.
    """
    return control.retry(name, who=person.who, why=person.why)
