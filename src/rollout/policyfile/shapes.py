"""The keys of a policy file, one class for each mapping: what each means, how it is written, its default.

Leaves arrive as `Scalar` and leave in the units of `rollout.domain.policy`. The reference page and the JSON
Schema are made from these descriptions. Traffic, metrics, steps and actions have files of their own.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, ConfigDict, Field

from rollout.domain.policy import Choice
from rollout.policyfile.actions import Actions
from rollout.policyfile.leaves import (
    Action,
    Advance,
    Answerer,
    ApiVersion,
    Ceiling,
    Chance,
    Duration,
    Fallback,
    Kind,
    Known,
    Label,
    Name,
    PerDay,
    PerSecond,
    Positive,
    Shape,
    Text,
    Told,
    words,
)
from rollout.policyfile.metrics import Metric
from rollout.policyfile.nodes import Scalar
from rollout.policyfile.steps import Step
from rollout.policyfile.traffic import Assignment, Route, Version


class Metadata(Shape):
    """Whose policy it is."""

    name: Label = Field(description="Names the experiment, in the API, the reports and Envoy's routes.")
    owner: Text = Field(description="The team that answers for it.", examples=["growth-ml"])


class Resilience(Shape):
    """How long a request may take, and who answers when the candidate does not."""

    timeout: Duration = Field(3.0, description="How long a request may take, all attempts together.")
    per_try_timeout: Duration = Field(
        0.3,
        description="How long one attempt may take; with a fallback, two attempts and a pause of 25ms "
        "must fit into `timeout`.",
    )
    fallback: Answerer = Field(
        Fallback.BASELINE,
        description="Whether the baseline answers when the candidate fails or is late; "
        "the request is then executed twice.",
    )
    max_fallback: Ceiling = Field(
        0.01, description="The share of the candidate's requests that may fall back."
    )


def _expanded(value: object) -> object:
    """Read `12%` as `{mean: 12%}`."""
    return {"mean": value} if isinstance(value, Scalar) else value


class Level(Shape):
    """What is known of one metric in the baseline."""

    mean: Known = Field(
        description="The metric's level in the baseline; `<metric>: 12%` says the same in one line."
    )
    sd: Positive | None = Field(None, description="Its standard deviation over units.")


class Expect(Shape):
    """What is known of the traffic before the start; it sets plans and tuning, never validity."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Annotated[Level, BeforeValidator(_expanded)]] = Field(init=False)

    units: PerDay | None = Field(None, description="Eligible units a day.")
    requests: PerSecond | None = Field(None, description="Requests a second.")

    @property
    def levels(self) -> dict[str, Level]:
        """What is known of each metric."""
        return dict(self.__pydantic_extra__)


class Risk(Shape):
    """How often a decision may be wrong, in all looks of a revision together."""

    wrong_promotion: Chance = Field(0.05, description="Promoting a candidate that is not as good as proven.")
    wrong_rollback: Chance = Field(0.01, description="Rolling back a candidate that does no harm.")


class NoData(Shape):
    """What happens when evidence is missing."""

    hold: Duration = Field(1800.0, description="How long to hold and wait for it.")
    then: Action = Field(Choice.PAUSE, description="What to do after that.")


class Decide(Shape):
    """What happens when the evidence does not decide."""

    inconclusive: Action = Field(
        Choice.PAUSE, description="When the last weight step ends without a verdict."
    )
    mismatch: Action = Field(Choice.PAUSE, description="When the split is not what it should be.")
    no_data: NoData = Field(NoData(), description="When evidence is missing.")
    mirror: Action = Field(Choice.PAUSE, description="When the candidate fails the copies that it is sent.")


class Watch(Shape):
    """What happens after a promotion."""

    for_: Duration = Field(
        1800.0, alias="for", description="How long limits stay armed after a promotion; at most 7d."
    )


class Windows(Shape):
    """When what may happen."""

    advance: Advance | None = Field(
        None, description="When traffic may move up, promotion included; it never delays a rollback."
    )


class Notice(Shape):
    """Who is told of what."""

    to: Name = Field(description="A name; its address and secret are in the settings.")
    events: list[Told] = Field(min_length=1, max_length=20, description="What of.")


class Spec(Shape):
    """The experiment."""

    route: Route = Field(description="Which requests take part.")
    baseline: Version = Field(description="The version that serves today.")
    candidate: Version | None = Field(None, description="The version that may replace it.")
    candidates: list[Version] | None = Field(
        None,
        min_length=1,
        max_length=4,
        description="Instead of `candidate`: versions that may replace it, at most 4.",
    )
    assignment: Assignment = Field(description="Who gets which version.")
    resilience: Resilience = Field(Resilience(), description="What happens to slow and failed requests.")
    expect: Expect = Field(Expect(), description="What is known of the traffic; sets plans, never validity.")
    metrics: list[Metric] = Field([], max_length=50, description="The questions that decide.")
    risk: Risk = Field(Risk(), description="How often a decision may be wrong.")
    steps: list[Step] = Field(
        min_length=1,
        max_length=50,
        description="The story: copies, then weights that only grow, then approval.",
    )
    decide: Decide = Field(Decide(), description="What happens when the evidence does not decide.")
    actions: Actions = Field(Actions(), description="What is run when it ends.")
    watch: Watch = Field(Watch(), description="What happens after a promotion.")
    windows: Windows = Field(Windows(), description="When what may happen.")
    notify: list[Notice] = Field([], max_length=20, description="Who is told.")


class File(Shape):
    """A policy file."""

    api_version: Annotated[ApiVersion, *words(ApiVersion)] = Field(description="The language's version.")
    kind: Annotated[Kind, *words(Kind)] = Field(description="What the file describes.")
    metadata: Metadata = Field(description="What it is called and whose it is.")
    spec: Spec = Field(description="The experiment.")
