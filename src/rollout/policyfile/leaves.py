"""What the keys of a policy file are made of: forms, words, and the mapping that knows its keys."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict
from pydantic.alias_generators import to_camel

from rollout.domain.policy import Choice
from rollout.errors import choices
from rollout.policyfile import quantities
from rollout.policyfile.quantities import Form, one_of


class ApiVersion(StrEnum):
    """The language's version."""

    V1 = "rollout/v1"


class Kind(StrEnum):
    """What a file describes."""

    ROLLOUT_POLICY = "RolloutPolicy"


class Fallback(StrEnum):
    """Who answers when the candidate does not."""

    BASELINE = "baseline"
    NONE = "none"


class Until(StrEnum):
    """What a step may wait for."""

    VERDICT = "verdict"


Text: TypeAlias = Annotated[str, BeforeValidator(quantities.text), Form("text")]
Label: TypeAlias = Annotated[
    str, BeforeValidator(quantities.label), Form("a DNS label, at most 63 characters")
]
MetricName: TypeAlias = Annotated[str, BeforeValidator(quantities.metric_name), Form("a name")]
Duration: TypeAlias = Annotated[float, BeforeValidator(quantities.duration_s), Form("a duration: `30m`")]
Share: TypeAlias = Annotated[float, BeforeValidator(quantities.share), Form("a percentage: `5%`")]
Chance: TypeAlias = Annotated[float, BeforeValidator(quantities.chance), Form("a percentage below 50%")]
Action: TypeAlias = Annotated[
    Choice, BeforeValidator(one_of(Choice)), Form(choices(f"`{word}`" for word in Choice))
]


def word(only: StrEnum) -> tuple[BeforeValidator, Form]:
    """Return what lets a key take one word only."""
    return BeforeValidator(one_of([only])), Form(f"`{only}`")


class Shape(BaseModel):
    """A mapping with known keys, and no others."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        validate_by_name=False,
    )
