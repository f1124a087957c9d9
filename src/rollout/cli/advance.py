"""`rollout advance`, `approve` and `promote`: what moves traffic up, with a person's name on it."""

from typing import TYPE_CHECKING

import click

from rollout.cli.wishing import Person, override_option, wish_verb

if TYPE_CHECKING:
    from rollout.client.control_plane import ControlPlane
    from rollout.client.wishes import AskedAnswer


@wish_verb(
    "advance",
    follows="the next step begins at the next look, once every proxy follows and the policy's hours allow",
    options=[override_option],
    examples={
        'rollout advance churn-v2 --why "enough seen"': "the next step, if the policy would take it",
        'rollout advance churn-v2 --override --why "launch at noon"': "whatever the step still waits for",
    },
)
def advance(control: "ControlPlane", name: str, person: Person, *, override: bool) -> "AskedAnswer":
    """Go to the next step now.

    What the policy would not do by itself yet is refused without --override, and says what is lacking.
    """
    return control.advance(name, who=person.who, why=person.why, override=override)


@wish_verb(
    "approve",
    follows="the promotion follows when every group has approved",
    options=[click.option("--group", help="In whose name.  [default: the one group that is waited for]")],
    examples={
        'rollout approve churn-v2 --why "report read"': "for the only group that is waited for",
        'rollout approve churn-v2 --group growth-leads --why "report read"': "for this one",
        "rollout report churn-v2": "what is approved of",
    },
)
def approve(control: "ControlPlane", name: str, person: Person, *, group: str | None) -> "AskedAnswer":
    """Approve of a proven promotion, in the name of a group.

    An approval belongs to this step of this revision; harm is judged meanwhile.
    """
    return control.approve(name, who=person.who, why=person.why, group=group)


@wish_verb(
    "promote",
    follows="it begins at the next look, once every proxy follows and the policy's hours allow",
    options=[
        click.option("--candidate", metavar="VERSION", help="Which one.  [default: the only one left]"),
        override_option,
    ],
    examples={
        'rollout promote churn-v2 --why "proven, and the office is awake"': "if it is proven",
        'rollout promote churn-v2 --override --why "legal deadline"': "although it is not proven",
        'rollout promote churn-v2 --candidate 2.1.0 --override --why "cheaper"': "this one of several",
    },
)
def promote(
    control: "ControlPlane", name: str, person: Person, *, candidate: str | None, override: bool
) -> "AskedAnswer":
    """Promote a version now: everybody gets it.

    What is not proven or not approved is refused without --override, and says what is lacking. Limits stay
    armed while the promotion is watched.
    """
    return control.promote(name, who=person.who, why=person.why, candidate=candidate, override=override)
