"""`rollout pause` and `rollout resume`: a person stops the clock, and lets it run again."""

from typing import TYPE_CHECKING

from rollout.cli.wishing import Person, wish_verb

if TYPE_CHECKING:
    from rollout.client.control_plane import ControlPlane
    from rollout.client.wishes import AskedAnswer


@wish_verb(
    "pause",
    follows="traffic stays as it is, and harm still rolls back",
    examples={
        'rollout pause churn-v2 --why "sale week"': "no move up until it is resumed",
        'rollout resume churn-v2 --why "sale is over"': "and on",
    },
)
def pause(control: "ControlPlane", name: str, person: Person) -> "AskedAnswer":
    """Pause an experiment where it is.

    Traffic stays as it is, evidence keeps growing, and proven harm still rolls back. The step's time and its
    deadline stand still until `rollout resume`.
    """
    return control.pause(name, who=person.who, why=person.why)


@wish_verb(
    "resume",
    follows="it goes on at the next look",
    examples={
        'rollout resume churn-v2 --why "sale is over"': "go on where it was",
        "rollout explain churn-v2": "why it was paused, and what resuming means there",
    },
)
def resume(control: "ControlPlane", name: str, person: Person) -> "AskedAnswer":
    """Let a paused experiment go on.

    After a broken split this says that you trust it: units are counted anew, and it is reported as an
    override. After a step whose time was over it gives the step as much time again.
    """
    return control.resume(name, who=person.who, why=person.why)
