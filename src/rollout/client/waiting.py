"""What a run waits for, how long the policy's patience lasts, and how a broken split looks, over HTTP."""

from __future__ import annotations

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field


class Part(BaseModel):
    """The base of every part of an outlook; it ignores what it does not know."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class WaitAnswer(Part):
    """One thing that must happen before the next move up."""

    what: str = Field(description="For programs: `dwell`, `units`, `proof`, `approval`, `hours` and others.")
    sentence: str = Field(description="For people, with its numbers.")
    have: float | None = Field(None, description="How much there is of `need`, in `unit`.")
    need: float | None = None
    unit: str | None = Field(None, description="`s`, `units` or `log e`.")
    earliest: AwareDatetime | None = Field(None, description="When it can be over, if all goes well.")
    about: str | None = Field(None, description="The metric, the groups or the action that it speaks of.")
    candidate: str | None = Field(None, description="The version that it speaks of, of several.")


class DeadlineAnswer(Part):
    """When the policy's patience ends, and what it does then."""

    key: str = Field(description="The policy's key that says so.")
    left_s: float
    at: AwareDatetime | None = Field(None, description="Null while a person's pause stops the clock.")
    then: str
    sentence: str


class ArmUnitsAnswer(Part):
    """One arm's distinct units, and how many the split means to give it."""

    version: str
    units: int
    expected: float


class ImbalanceAnswer(Part):
    """A split that is broken."""

    arms: tuple[ArmUnitsAnswer, ...] = Field(description="The control's, then each candidate's.")
    p_value: float = Field(description="How likely a good split ever looks so bad, at any of all looks.")
    log_e: float
    bar: float = Field(description="What log_e is held to.")
    sentences: tuple[str, ...] = Field((), description="The same, for people.")
    causes: tuple[str, ...] = Field(description="What breaks splits, the likeliest first.")


class OutlookAnswer(Part):
    """What happens next, as far as it can be known now."""

    at: AwareDatetime
    waits: tuple[WaitAnswer, ...] = Field((), description="The first obstacle first; nothing once ended.")
    deadlines: tuple[DeadlineAnswer, ...] = ()
    advice: str | None = Field(None, description="What a person can do about the last decision.")
    imbalance: ImbalanceAnswer | None = Field(None, description="Only while units do not fall as split.")
