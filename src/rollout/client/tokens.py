"""Tokens as they are asked for and listed; the secret is in one answer only."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from rollout.client.answers import Answer
from rollout.domain.access import Role

NAME_PATTERN: Final = r"^[a-z0-9][a-z0-9._-]{0,62}$"
MOST_GROUPS: Final = 50
LONGEST_DAYS: Final = 3_650

TokenName = Annotated[str, Field(pattern=NAME_PATTERN)]
Group = Annotated[str, Field(min_length=1, max_length=253)]


class TokenRequest(BaseModel):
    """A token that is wanted."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={"examples": [{"name": "ci", "role": "operator", "expires_days": 90}]},
    )

    name: TokenName = Field(description="Shown wherever it was used; no name is given twice.")
    role: Role
    groups: tuple[Group, ...] = Field(
        (), max_length=MOST_GROUPS, description="An approver's: in whose name it approves."
    )
    expires_days: int | None = Field(
        None, ge=1, le=LONGEST_DAYS, description="After how many days it ends; left out, it does not."
    )


class TokenAnswer(Answer):
    """What is known of a token."""

    name: str
    role: str
    groups: tuple[str, ...] = ()
    created_at: AwareDatetime
    created_by: str
    expires_at: AwareDatetime | None = None
    revoked_at: AwareDatetime | None = None
    used_at: AwareDatetime | None = Field(None, description="About when it was last shown, to the hour.")
    is_live: bool = Field(description="Whether it opens anything now.")


class TokensAnswer(Answer):
    """Every token, by name."""

    tokens: tuple[TokenAnswer, ...]


class CreatedTokenAnswer(Answer):
    """A new token, with its secret: it is kept nowhere, and shown this once."""

    token: TokenAnswer
    secret: str | None = Field(None, description="Null where an answer is given again.")
