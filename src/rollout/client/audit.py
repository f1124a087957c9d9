"""The audit as it is read over HTTP: who did what, when, why and from where; each line holds another."""

from __future__ import annotations

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from rollout.client.answers import Answer, ProblemAnswer

HASH_PATTERN = r"^[0-9a-f]{64}$"


class ActAnswer(Answer):
    """One line."""

    number: int = Field(description="Counts from 1, without gaps.")
    at: AwareDatetime
    who: str = Field(description="The person as named by whoever asked, or the controller.")
    token: str | None = Field(None, description="The name of the token that was shown.")
    origin: str | None = Field(None, description="The address that the request came from.")
    verb: str
    subject: str
    why: str = ""
    about: str | None = Field(None, description="The row that it vouches for: its table and key.")
    content: str | None = Field(None, description="That row's digest.")
    previous: str = Field(description="The hash of the line before.")
    hash: str


class AuditAnswer(Answer):
    """A page of lines, the oldest first."""

    acts: tuple[ActAnswer, ...]
    next_after: int | None = Field(None, description="Ask for the lines after this one; null at the end.")


class KnownHead(BaseModel):
    """A line as it was noted where nobody who may write to the database may write."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", json_schema_extra={"examples": [{"number": 1, "hash": "ab" * 32}]}
    )

    number: int = Field(ge=1, lt=2**53)
    hash: str = Field(pattern=HASH_PATTERN)


class VerifiedAnswer(Answer):
    """What a check of the whole audit found."""

    lines: int
    newest_number: int
    newest_hash: str = Field(description="Note it elsewhere, and give it to the next check.")
    found: int = Field(description="How many problems there are.")
    problems: tuple[ProblemAnswer, ...] = Field((), description="The first of them.")
