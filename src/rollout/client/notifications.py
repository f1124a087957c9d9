"""What became of messages, as it is read over HTTP."""

from __future__ import annotations

from pydantic import AwareDatetime, Field

from rollout.client.answers import Answer


class DeliveryAnswer(Answer):
    """One thing that one receiver is told, and how far that has come."""

    number: int
    id: str = Field(description="The same in every letter that tells of it.")
    receiver: str = Field(description="The name in the policy's `notify`.")
    experiment: str
    at: AwareDatetime = Field(description="When it happened.")
    title: str
    decision: int | None = Field(None, description="The decision's number, where it tells of one.")
    state: str = Field(description="pending, sent, gave-up, or withdrawn: it passed before it was told.")
    tries: int
    ended_at: AwareDatetime | None = Field(None, description="When it was sent, given up or withdrawn.")
    problem: str | None = Field(None, description="Why the last try failed; without addresses or secrets.")
    next_at: AwareDatetime | None = Field(None, description="When it is tried next, while it is pending.")


class NotificationsAnswer(Answer):
    """A page of them, the newest first."""

    notifications: tuple[DeliveryAnswer, ...]
    next_before: int | None = Field(None, description="Ask for those before this one; null at the end.")
