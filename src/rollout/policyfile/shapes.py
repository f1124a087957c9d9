"""The keys of a policy file, one class for each mapping: what each means, how it is written, its default.

Leaves arrive as `Scalar` and leave in the units of `rollout.domain.policy`. The reference page is made from
these descriptions.
"""

from __future__ import annotations

from typing import Annotated, Final, TypeAlias

from pydantic import BeforeValidator, ConfigDict, Discriminator, Field, Tag

from rollout.domain.policy import Choice, Direction, MetricType, Role, Source
from rollout.errors import choices
from rollout.policyfile import quantities
from rollout.policyfile.leaves import (
    Action,
    ApiVersion,
    Chance,
    Duration,
    Fallback,
    Kind,
    Label,
    MetricName,
    Shape,
    Share,
    Text,
    Until,
    word,
)
from rollout.policyfile.nodes import Scalar
from rollout.policyfile.quantities import Form, one_of


class Metadata(Shape):
    """Whose policy it is."""

    name: Label = Field(description="Names the experiment, in the API, the reports and Envoy's routes.")
    owner: Text = Field(description="The team that answers for it.")


class Route(Shape):
    """Which requests take part."""

    path: Annotated[str, BeforeValidator(quantities.route_path), Form("a path: `/churn`")] = Field(
        description="Requests to this path and below it; the longest path of all policies wins."
    )


class Version(Shape):
    """A deployed version of the model."""

    version: Annotated[str, BeforeValidator(quantities.version), Form('quoted: `"1.4.2"`')] = Field(
        description="What this version is called in reports and actions."
    )
    url: Annotated[str, BeforeValidator(quantities.url), Form("`http://host:port`")] = Field(
        description="Where it answers; the request's own path is kept."
    )


class Assignment(Shape):
    """Who gets which version."""

    unit: Annotated[str, BeforeValidator(quantities.unit_header), Form("`header:x-user-id`")] = Field(
        description="The header that names a unit: equal values always get the same version."
    )
    salt: Text | None = Field(
        None, description="Sorts units into arms; left out, it is `metadata.name`. No two policies share one."
    )


class Resilience(Shape):
    """How long a request may take, and who answers when the candidate does not."""

    timeout: Duration = Field(3.0, description="How long a request may take, all attempts together.")
    per_try_timeout: Duration = Field(
        0.3,
        description="How long one attempt may take; with a fallback, two attempts and a pause of 25ms "
        "must fit into `timeout`.",
    )
    fallback: Annotated[
        Fallback, BeforeValidator(one_of(Fallback)), Form(choices(f"`{word}`" for word in Fallback))
    ] = Field(
        Fallback.BASELINE,
        description="Whether the baseline answers when the candidate fails or is late; "
        "the request is then executed twice.",
    )
    max_fallback: Share = Field(0.01, description="The share of the candidate's requests that may fall back.")


def _expanded(value: object) -> object:
    """Read `12%` as `{mean: 12%}`."""
    return {"mean": value} if isinstance(value, Scalar) else value


class Level(Shape):
    """What is known of one metric in the baseline."""

    mean: Annotated[float, BeforeValidator(quantities.level), Form("a number or a percentage")] = Field(
        description="The metric's level in the baseline; `<metric>: 12%` says the same in one line."
    )
    sd: Annotated[float, BeforeValidator(quantities.deviation), Form("a number")] | None = Field(
        None, description="Its standard deviation over units."
    )


class Expect(Shape):
    """What is known of the traffic before the start; it sets plans and tuning, never validity."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Annotated[Level, BeforeValidator(_expanded)]] = Field(init=False)

    units: Annotated[float, BeforeValidator(quantities.per_day), Form("`400000/day`")] | None = Field(
        None, description="Eligible units a day."
    )
    requests: Annotated[float, BeforeValidator(quantities.per_second), Form("`200/s`")] | None = Field(
        None, description="Requests a second."
    )

    @property
    def levels(self) -> dict[str, Level]:
        """What is known of each metric."""
        return dict(self.__pydantic_extra__)


class Binary(Shape):
    """A share of units that did something, from outcomes."""

    name: MetricName = Field(description="The metric's name, also in outcomes and under `expect`.")
    role: Annotated[Role, *word(Role.PRIMARY)] = Field(description="What must be proven to promote.")
    source: Annotated[Source, *word(Source.OUTCOMES)] = Field(description="Who measures it.")
    type: Annotated[MetricType, *word(MetricType.BINARY)] = Field(description="A unit did it or not.")
    direction: Annotated[
        Direction, BeforeValidator(one_of(Direction)), Form(choices(f"`{word}`" for word in Direction))
    ] = Field(description="Which way is better.")
    min_effect: Share | None = Field(
        None, description="To promote, prove that it is better; the test is tuned to this relative change."
    )
    margin: Share | None = Field(
        None, description="Instead of `minEffect`: prove that it is not worse by this relative change."
    )
    window: Duration = Field(description="How long after its first request a unit's outcomes count.")


class ErrorRate(Shape):
    """The share of requests that the assigned version failed, from the proxy."""

    name: MetricName = Field(description="The metric's name, also under `expect`.")
    role: Annotated[Role, *word(Role.GUARDRAIL)] = Field(
        description="What must not get worse: proven harm rolls back, and safety must be proven to promote."
    )
    source: Annotated[Source, *word(Source.PROXY)] = Field(description="Who measures it.")
    type: Annotated[MetricType, *word(MetricType.ERROR_RATE)] = Field(
        description="Failed first attempts of the assigned version."
    )
    margin: Share = Field(0.1, description="The relative change that is still accepted.")
    floor: Share = Field(0.001, description="Below this rate a candidate is safe, whatever the ratio.")
    window: Duration = Field(600.0, description="How far back harm is looked for.")


class Latency(Shape):
    """A limit on a quantile of the response time, from the proxy."""

    name: MetricName = Field(description="The metric's name, also under `expect`.")
    role: Annotated[Role, *word(Role.SLO)] = Field(
        description="A limit: proven violation rolls back, and compliance must be proven to promote."
    )
    source: Annotated[Source, *word(Source.PROXY)] = Field(description="Who measures it.")
    type: Annotated[MetricType, *word(MetricType.LATENCY)] = Field(description="The response time.")
    quantile: Annotated[float, BeforeValidator(quantities.quantile), Form("from 0.5 to 0.9999")] = Field(
        description="The share of requests that must keep the limit."
    )
    max: Annotated[int, BeforeValidator(quantities.duration_us), Form("a duration: `250ms`")] = Field(
        description="The limit."
    )
    window: Duration = Field(600.0, description="How far back a violation is looked for.")


METRICS: Final[dict[str, type[Shape]]] = {
    MetricType.BINARY: Binary,
    MetricType.ERROR_RATE: ErrorRate,
    MetricType.LATENCY: Latency,
}


def type_of(value: object) -> str | None:
    """Return which kind of metric a mapping describes."""
    found = value.get("type") if isinstance(value, dict) else None
    return found.text if isinstance(found, Scalar) and not found.is_null else None


Metric: TypeAlias = Annotated[
    Annotated[Binary, Tag(MetricType.BINARY.value)]
    | Annotated[ErrorRate, Tag(MetricType.ERROR_RATE.value)]
    | Annotated[Latency, Tag(MetricType.LATENCY.value)],
    Discriminator(type_of),
]


class Risk(Shape):
    """How often a decision may be wrong, in all looks of a revision together."""

    wrong_promotion: Chance = Field(0.05, description="Promoting a candidate that is not as good as proven.")
    wrong_rollback: Chance = Field(0.01, description="Rolling back a candidate that does no harm.")


class Hold(Shape):
    """What a step waits for."""

    for_: Duration | None = Field(None, alias="for", description="Unpaused time with fresh data.")
    min_units: Annotated[int, BeforeValidator(quantities.whole_number), Form("a whole number")] | None = (
        Field(None, description="Distinct units in each arm, enrolled since the step began.")
    )
    until: Annotated[Until, *word(Until.VERDICT)] | None = Field(
        None, description="Wait for proof; on the last step, and only there."
    )
    at_most: Duration | None = Field(
        None, description="The longest stay, then `decide.inconclusive`; the last step needs it."
    )


class Step(Shape):
    """A weight, and how long to stay there."""

    set_weight: Annotated[int, BeforeValidator(quantities.weight_bp), Form("a percentage, at most `50%`")] = (
        Field(description="The candidate's share of the eligible units; the control gets as many.")
    )
    hold: Hold = Field(description="What must be so before the next step.")


class NoData(Shape):
    """What happens when evidence is missing."""

    hold: Duration = Field(1800.0, description="How long to hold and wait for it.")
    then: Action = Field(Choice.PAUSE, description="What to do after that.")


class Decide(Shape):
    """What happens when the evidence does not decide."""

    inconclusive: Action = Field(Choice.PAUSE, description="When the last step ends without a verdict.")
    mismatch: Action = Field(Choice.PAUSE, description="When the split is not what it should be.")
    no_data: NoData = Field(NoData(), description="When evidence is missing.")


class Command(Shape):
    """A command, run on the control plane's own machine."""

    command: list[Text] = Field(
        min_length=1, max_length=100, description="The program and its arguments; never a shell string."
    )
    deadline: Duration = Field(1800.0, description="How long it may take.")


class Actions(Shape):
    """What is run when an experiment ends."""

    promote: Command | None = Field(None, description="Before all traffic goes to the candidate.")
    rollback: Command | None = Field(None, description="After all traffic went back to the baseline.")


class Spec(Shape):
    """The experiment."""

    route: Route = Field(description="Which requests take part.")
    baseline: Version = Field(description="The version that serves today.")
    candidate: Version = Field(description="The version that may replace it.")
    assignment: Assignment = Field(description="Who gets which version.")
    resilience: Resilience = Field(Resilience(), description="What happens to slow and failed requests.")
    expect: Expect = Field(Expect(), description="What is known of the traffic; sets plans, never validity.")
    metrics: list[Metric] = Field(min_length=1, max_length=50, description="The questions that decide.")
    risk: Risk = Field(Risk(), description="How often a decision may be wrong.")
    steps: list[Step] = Field(min_length=1, max_length=50, description="The story: weights only grow.")
    decide: Decide = Field(Decide(), description="What happens when the evidence does not decide.")
    actions: Actions = Field(Actions(), description="What is run when it ends.")


class File(Shape):
    """A policy file."""

    api_version: Annotated[ApiVersion, *word(ApiVersion.V1)] = Field(description="The language's version.")
    kind: Annotated[Kind, *word(Kind.ROLLOUT_POLICY)] = Field(description="What the file describes.")
    metadata: Metadata = Field(description="What it is called and whose it is.")
    spec: Spec = Field(description="The experiment.")
