"""The actions of a policy file: a local command, or a workflow of a template."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, TypeAlias

from pydantic import Discriminator, Field, Tag

from rollout.policyfile.leaves import Duration, NameKey, Shape, Template, Text

DEADLINE: Final = "How long it may take."


class Command(Shape):
    """A command, run on the control plane's own machine."""

    command: list[Text] = Field(
        min_length=1,
        max_length=100,
        description="The program and its arguments; never a shell string.",
        examples=["./promote.sh"],
    )
    deadline: Duration = Field(1800.0, description=DEADLINE)


class Workflow(Shape):
    """A workflow of a template in the cluster."""

    workflow_template: Template = Field(description="Instead of `command`: which template.")
    parameters: dict[NameKey, Text] = Field(
        {}, max_length=50, description="What the workflow is told.", examples=["churn"]
    )
    deadline: Duration = Field(1800.0, description=DEADLINE)


AnyAction: TypeAlias = Command | Workflow

COMMAND: Final = "a command"
WORKFLOW: Final = "a workflow"

ACTIONS: Final[Mapping[str, type[AnyAction]]] = {COMMAND: Command, WORKFLOW: Workflow}


def means_of(value: object) -> str:
    """Return how an action is carried out."""
    keys = value if isinstance(value, dict) else {}
    if "command" in keys:
        return COMMAND
    return WORKFLOW if {"workflowTemplate", "parameters"} & keys.keys() else COMMAND


Action: TypeAlias = Annotated[
    Annotated[Command, Tag(COMMAND)] | Annotated[Workflow, Tag(WORKFLOW)], Discriminator(means_of)
]


class Actions(Shape):
    """What is run when an experiment ends."""

    promote: Action | None = Field(None, description="Before all traffic goes to the candidate.")
    rollback: Action | None = Field(None, description="After all traffic went back to the baseline.")
