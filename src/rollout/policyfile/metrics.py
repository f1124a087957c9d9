"""The metrics of a policy file: one class for each type, with the roles and the source that it may have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, TypeAlias

from pydantic import BeforeValidator, Discriminator, Field, Tag

from rollout.domain.metric import MetricType, Role, Source
from rollout.policyfile.forms import Form
from rollout.policyfile.leaves import (
    Bound,
    Ceiling,
    Count,
    Duration,
    Limit,
    MetricName,
    Positive,
    Quantile,
    Shape,
    Share,
    Text,
    Way,
    words,
)
from rollout.policyfile.nodes import Scalar

NOT_YET: Final = "not supported yet"
LATER: Final[Mapping[str, tuple[str, str]]] = {
    "sql": (f"{NOT_YET}: metrics from SQL", "report the values as outcomes"),
    "drift": (f"{NOT_YET}: guardrails on drift", "remove it"),
    "fairness": (f"{NOT_YET}: guardrails on fairness", "remove it"),
}
"""Sources and types that will be known one day, and what to do until then."""

NAME: Final = "The metric's name, also under `expect`."
ROLE: Final = (
    "`primary` must be proven to promote; a `guardrail` rolls back when proven worse than its margin, and "
    "with `margin` must be proven safe to promote; an `slo` must keep its limit; `observe` is reported only."
)
SOURCE: Final = "Who measures it."


def _type(only: MetricType) -> tuple[BeforeValidator, Form]:
    return words([only])


def _roles(kind: MetricType, *roles: Role) -> tuple[BeforeValidator, Form]:
    return words(roles, f" for type {kind}")


def _source(kind: MetricType, source: Source) -> tuple[BeforeValidator, Form]:
    return words([source], f" for type {kind}", LATER)


class Covariate(Shape):
    """What is known of a unit before its first request; it makes tests faster."""

    pre_window: Duration = Field(
        description="How long before its first request a unit's own outcomes are its covariate (CUPED)."
    )


OUTCOME_ROLES: Final = (Role.PRIMARY, Role.GUARDRAIL, Role.OBSERVE)
MIN_EFFECT: Final = (
    "Primary only. To promote, prove that it is better; the test is tuned to this relative change."
)
MARGIN: Final = (
    "The relative change for the worse that is accepted. A primary has it instead of `minEffect`: prove that "
    "it is not worse; a guardrail without it rolls back when proven worse at all, and needs no proof."
)
DIRECTION: Final = "Which way is better; only an observed metric may leave it out."
WINDOW: Final = "How long after its first request a unit's outcomes count."


class OutcomeMetric(Shape):
    """What every metric from outcomes has; each type says its own role, source and type anew."""

    name: MetricName = Field(description="The metric's name, also in outcomes and under `expect`.")
    role: Role
    source: Source
    type: MetricType
    direction: Way | None = Field(None, description=DIRECTION)
    min_effect: Share | None = Field(None, description=MIN_EFFECT)
    margin: Share | None = Field(None, description=MARGIN)
    window: Duration = Field(description=WINDOW)
    covariate: Covariate | None = Field(None, description="What makes the test faster.")


class Binary(OutcomeMetric):
    """A share of units that did something, from outcomes."""

    role: Annotated[Role, *_roles(MetricType.BINARY, *OUTCOME_ROLES)] = Field(description=ROLE)
    source: Annotated[Source, *_source(MetricType.BINARY, Source.OUTCOMES)] = Field(description=SOURCE)
    type: Annotated[MetricType, *_type(MetricType.BINARY)] = Field(description="A unit did it or not.")


class Mean(OutcomeMetric):
    """A sum of values for each unit, averaged over units, from outcomes."""

    role: Annotated[Role, *_roles(MetricType.MEAN, *OUTCOME_ROLES)] = Field(description=ROLE)
    source: Annotated[Source, *_source(MetricType.MEAN, Source.OUTCOMES)] = Field(description=SOURCE)
    type: Annotated[MetricType, *_type(MetricType.MEAN)] = Field(
        description="The values of a unit's outcomes, summed; then the mean over units."
    )
    cap: Positive | None = Field(
        None, description="A unit's sum above it counts as this; without it a few large values decide."
    )


class Ratio(OutcomeMetric):
    """One sum over another, both over all units, from outcomes."""

    name: MetricName = Field(description=NAME)
    role: Annotated[Role, *_roles(MetricType.RATIO, *OUTCOME_ROLES)] = Field(description=ROLE)
    source: Annotated[Source, *_source(MetricType.RATIO, Source.OUTCOMES)] = Field(description=SOURCE)
    type: Annotated[MetricType, *_type(MetricType.RATIO)] = Field(
        description="All values of one outcome over all values of another; tests still count units."
    )
    numerator: MetricName = Field(description="The outcome that is counted.", examples=["clicks"])
    denominator: MetricName = Field(description="The outcome that it is divided by.", examples=["views"])


class CountOf(OutcomeMetric):
    """A number of outcomes for each unit, from outcomes."""

    role: Annotated[Role, *_roles(MetricType.COUNT, *OUTCOME_ROLES)] = Field(description=ROLE)
    source: Annotated[Source, *_source(MetricType.COUNT, Source.OUTCOMES)] = Field(description=SOURCE)
    type: Annotated[MetricType, *_type(MetricType.COUNT)] = Field(
        description="How often a unit did it, whatever the values; then the mean over units."
    )


class ErrorRate(Shape):
    """The share of requests that the assigned version failed, from the proxy."""

    name: MetricName = Field(description=NAME)
    role: Annotated[Role, *_roles(MetricType.ERROR_RATE, Role.GUARDRAIL, Role.OBSERVE)] = Field(
        description=ROLE
    )
    source: Annotated[Source, *_source(MetricType.ERROR_RATE, Source.PROXY)] = Field(description=SOURCE)
    type: Annotated[MetricType, *_type(MetricType.ERROR_RATE)] = Field(
        description="Failed first attempts of the assigned version."
    )
    margin: Share = Field(0.1, description="The relative change that is still accepted.")
    floor: Ceiling = Field(0.001, description="Below this rate a candidate is safe, whatever the ratio.")
    window: Duration = Field(600.0, description="How far back harm is looked for.")


class Latency(Shape):
    """A quantile of the response time, from the proxy."""

    name: MetricName = Field(description=NAME)
    role: Annotated[Role, *_roles(MetricType.LATENCY, Role.SLO, Role.GUARDRAIL, Role.OBSERVE)] = Field(
        description=ROLE
    )
    source: Annotated[Source, *_source(MetricType.LATENCY, Source.PROXY)] = Field(description=SOURCE)
    type: Annotated[MetricType, *_type(MetricType.LATENCY)] = Field(description="The response time.")
    quantile: Quantile = Field(description="The share of requests that must keep the limit.")
    max: Limit | None = Field(None, description="The limit; an slo needs it, a guardrail has it or `margin`.")
    margin: Share | None = Field(
        None,
        description="A guardrail's limit, relative: the baseline's own quantile, longer by this much.",
    )
    window: Duration = Field(600.0, description="How far back a violation is looked for.")


class Threshold(Shape):
    """A value polled from Prometheus, and the bound that it keeps; outside the error budget."""

    name: MetricName = Field(description="The metric's name.")
    role: Annotated[Role, *_roles(MetricType.THRESHOLD, Role.SLO, Role.OBSERVE)] = Field(description=ROLE)
    source: Annotated[Source, *_source(MetricType.THRESHOLD, Source.PROMETHEUS)] = Field(
        description="Who measures it; its address is in the settings."
    )
    type: Annotated[MetricType, *_type(MetricType.THRESHOLD)] = Field(
        MetricType.THRESHOLD, description="Left out, it is this one."
    )
    query: Text = Field(
        description="What is asked, with templates such as `{{arm.version}}`; it must give one number.",
        examples=["max(gpu_busy_share{version='{{arm.version}}'})"],
    )
    max: Bound | None = Field(None, description="The most that it may be; an slo needs this or `min`.")
    min: Bound | None = Field(None, description="The least that it may be.")
    interval: Duration = Field(30.0, description="How often it is asked.")
    failure_limit: Count = Field(
        3, description="How many measured polls in a row decide; a gap neither counts nor resets."
    )


AnyMetric: TypeAlias = Binary | Mean | Ratio | CountOf | ErrorRate | Latency | Threshold

METRICS: Final[Mapping[str, type[AnyMetric]]] = {
    MetricType.BINARY.value: Binary,
    MetricType.MEAN.value: Mean,
    MetricType.RATIO.value: Ratio,
    MetricType.COUNT.value: CountOf,
    MetricType.ERROR_RATE.value: ErrorRate,
    MetricType.LATENCY.value: Latency,
    MetricType.THRESHOLD.value: Threshold,
}


def type_of(value: object) -> str | None:
    """Return the written type of a metric; what comes from Prometheus need not name its only one."""
    if not isinstance(value, dict):
        return None
    found, source = value.get("type"), value.get("source")
    if isinstance(found, Scalar) and not found.is_null:
        return found.text
    if isinstance(source, Scalar) and "type" not in value:
        return {"prometheus": MetricType.THRESHOLD.value, "sql": "sql"}.get(source.text)
    return None


Metric: TypeAlias = Annotated[
    Annotated[Binary, Tag(MetricType.BINARY.value)]
    | Annotated[Mean, Tag(MetricType.MEAN.value)]
    | Annotated[Ratio, Tag(MetricType.RATIO.value)]
    | Annotated[CountOf, Tag(MetricType.COUNT.value)]
    | Annotated[ErrorRate, Tag(MetricType.ERROR_RATE.value)]
    | Annotated[Latency, Tag(MetricType.LATENCY.value)]
    | Annotated[Threshold, Tag(MetricType.THRESHOLD.value)],
    Discriminator(type_of),
]
