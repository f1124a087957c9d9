"""One decision with all that is kept of it, and what recomputing it comes to."""

from __future__ import annotations

from pydantic import Field, JsonValue

from rollout.client.answers import Answer, EntryAnswer
from rollout.client.waiting import OutlookAnswer


class RecordAnswer(Answer):
    """A decision, and what it rests on as it went in: enough to recompute it."""

    name: str
    uid: str
    entry: EntryAnswer
    policy_digest: str = Field(description="Identifies the policy that it rests on.")
    basis: dict[str, JsonValue] | None = Field(
        None,
        description="The run before and after, the evidence, the action's state, what was asked of a metrics "
        "server; null of old decisions that changed nothing.",
    )
    outlook: OutlookAnswer | None = Field(None, description="What it waited for then; null without a basis.")


class DifferenceAnswer(Answer):
    """One field that came out otherwise."""

    field: str
    recorded: str
    recomputed: str


class ReplayAnswer(Answer):
    """Whether the same was decided, for the same reasons, with the same consequence."""

    name: str
    number: int
    agrees: bool
    differences: tuple[DifferenceAnswer, ...] = ()
    trifles: tuple[DifferenceAnswer, ...] = Field((), description="What means the same, worded otherwise.")
    recorded_by: str = Field(description="The version of the program that decided.")
    recomputed_by: str
