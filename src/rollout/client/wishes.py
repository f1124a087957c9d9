"""What a person asks of a run over HTTP, and what the control plane answers: one shape for every verb."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from rollout.client.answers import (
    MAXIMUM_WHO_CHARACTERS,
    MAXIMUM_WHY_CHARACTERS,
    Answer,
    ExperimentAnswer,
)

MAXIMUM_NAME_CHARACTERS = 253


class WishRequest(BaseModel):
    """What is asked, by whom and why; a verb refuses what it has no use for."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        str_strip_whitespace=True,
        json_schema_extra={"examples": [{"who": "anna", "why": "support sees wrong answers"}]},
    )

    why: str = Field(
        min_length=1, max_length=MAXIMUM_WHY_CHARACTERS, description="It is recorded, shown and reported."
    )
    who: str | None = Field(
        None,
        min_length=1,
        max_length=MAXIMUM_WHO_CHARACTERS,
        description="The person who asks; left out, the name of the token.",
    )
    group: str | None = Field(
        None,
        min_length=1,
        max_length=MAXIMUM_NAME_CHARACTERS,
        description="approve: in whose name; left out where only one group is still waited for.",
    )
    candidate: str | None = Field(
        None,
        min_length=1,
        max_length=MAXIMUM_NAME_CHARACTERS,
        description="promote: which version; left out where only one is left.",
    )
    override: bool = Field(
        default=False,
        description="advance, promote: although the policy does not do it by itself; an admin's token.",
    )


class AskedAnswer(Answer):
    """Where the run stands with the wish, and whether this request recorded it."""

    is_new: bool
    experiment: ExperimentAnswer
