"""What the control plane says of a policy that is not started: its mistakes, and what it would take."""

from __future__ import annotations

from pydantic import Field, JsonValue

from rollout.client.answers import Answer


class FindingAnswer(Answer):
    """One thing that is wrong with a policy, or worth a second look."""

    file: str
    line: int | None = None
    path: str
    what: str
    got: str | None = None
    remedy: str | None = None
    message: str = Field(description="All of it, for people.")


class LintAnswer(Answer):
    """What was found in a policy; with errors it cannot start."""

    name: str | None = Field(None, description="Null where it cannot be understood.")
    digest: str | None = Field(None, description="Identifies what it says, whatever its comments.")
    errors: tuple[FindingAnswer, ...] = ()
    warnings: tuple[FindingAnswer, ...] = ()


class PlanAnswer(Answer):
    """How long a policy takes, what it can prove, and what to change."""

    name: str
    answer: str = Field(description="In one sentence.")
    is_refused: bool = Field(description="Whether it cannot conclude within its own deadlines.")
    is_known: bool = Field(description="Whether its `expect` says enough to tell.")
    advice: tuple[FindingAnswer, ...] = ()
    document: dict[str, JsonValue] = Field(
        description="All of the plan, as `rollout plan --output json` prints it; times in seconds."
    )
