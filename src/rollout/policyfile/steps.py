"""The steps of a policy file: copies, weights, and the approval at the end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, TypeAlias

from pydantic import Discriminator, Field, Tag

from rollout.policyfile.leaves import Count, Duration, Name, Part, Shape, Until, Weight, words


class Hold(Shape):
    """What a weight step waits for."""

    for_: Duration | None = Field(None, alias="for", description="Unpaused time with fresh data.")
    min_units: Count | None = Field(
        None, description="Distinct units in each arm, enrolled since the step began."
    )
    until: Annotated[Until, *words(Until)] | None = Field(
        None, description="Wait for proof; on the last weight step, and only there."
    )
    at_most: Duration | None = Field(
        None, description="The longest stay, then `decide.inconclusive`; the last weight step needs it."
    )


class MirrorHold(Shape):
    """What a mirror step waits for: copies enrol nobody and prove nothing, so a time only."""

    for_: Duration = Field(alias="for", description="Unpaused time with fresh data.")


WARMUP: Final = "At its beginning: left out of every arm's proxy metrics alike."


class WeightStep(Shape):
    """A weight, and how long to stay there."""

    set_weight: Weight = Field(
        description="Each candidate's share of the eligible units; the control gets as many."
    )
    hold: Hold = Field(description="What must be so before the next step.")
    warmup: Duration | None = Field(None, description=WARMUP)


class MirrorStep(Shape):
    """A share of the requests of which the candidate is sent a copy; its answers are thrown away."""

    mirror: Part = Field(description="The share of the requests that are copied; it executes them twice.")
    hold: MirrorHold = Field(description="What must be so before the next step.")
    warmup: Duration | None = Field(None, description=WARMUP)


class ApproveStep(Shape):
    """A person's yes before a proven promotion."""

    approve: list[Name] = Field(
        min_length=1,
        max_length=20,
        description="Groups of which one person must approve the proven promotion; the last step.",
    )


AnyStep: TypeAlias = WeightStep | MirrorStep | ApproveStep

WEIGHT: Final = "weight"
MIRROR: Final = "mirror"
APPROVAL: Final = "approval"

STEPS: Final[Mapping[str, type[AnyStep]]] = {
    MIRROR: MirrorStep,
    WEIGHT: WeightStep,
    APPROVAL: ApproveStep,
}


def kind_of(value: object) -> str:
    """Return which kind of step a mapping describes; of two kinds at once, the one that moves traffic."""
    keys = value if isinstance(value, dict) else {}
    if "setWeight" not in keys and "mirror" in keys:
        return MIRROR
    return APPROVAL if "setWeight" not in keys and "approve" in keys else WEIGHT


Step: TypeAlias = Annotated[
    Annotated[MirrorStep, Tag(MIRROR)]
    | Annotated[WeightStep, Tag(WEIGHT)]
    | Annotated[ApproveStep, Tag(APPROVAL)],
    Discriminator(kind_of),
]
