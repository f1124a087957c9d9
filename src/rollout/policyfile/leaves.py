"""What the keys of a policy file are made of: forms, words, and the mapping that knows its keys."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Annotated, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict
from pydantic.alias_generators import to_camel

from rollout.domain.metric import Direction
from rollout.domain.policy import Choice, Event, Opening
from rollout.errors import choices
from rollout.policyfile import addresses, openings, quantities, texts
from rollout.policyfile.forms import Form, one_of
from rollout.policyfile.quantities import Span


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


def whole(pattern: re.Pattern[str]) -> str:
    """Return a pattern that all of a text must match, as a JSON Schema has it."""
    return f"^(?:{pattern.pattern})$"


def words(
    known: Iterable[StrEnum], where: str = "", later: Mapping[str, tuple[str, str]] | None = None
) -> tuple[BeforeValidator, Form]:
    """Return what lets a key take a few words only."""
    written = tuple(word.value for word in known)
    return (
        BeforeValidator(one_of(known, where, later)),
        Form(choices(f"`{word}`" for word in written), words=written),
    )


def _percentages(text: str, *examples: str) -> Form:
    """Return the form of a percentage that is never negative; a sign has an error of its own."""
    return Form(text, pattern=f"^{quantities.DIGITS}%$", examples=examples)


Text: TypeAlias = Annotated[str, BeforeValidator(texts.text), Form("text")]
Label: TypeAlias = Annotated[
    str,
    BeforeValidator(texts.label),
    Form("a DNS label, at most 63 characters", pattern=whole(texts.LABEL), examples=("churn-v2",)),
]
Name: TypeAlias = Annotated[
    str,
    BeforeValidator(texts.name),
    Form("a name", pattern=whole(texts.NAME), examples=("growth-leads",)),
]
Template: TypeAlias = Annotated[
    str,
    BeforeValidator(texts.resource),
    Form("a resource's name", pattern=whole(texts.RESOURCE), examples=("promote-model",)),
]
NameKey: TypeAlias = Annotated[str, BeforeValidator(texts.name_key)]
MetricName: TypeAlias = Annotated[
    str,
    BeforeValidator(texts.metric_name),
    Form("a name", pattern=whole(texts.METRIC_NAME), examples=("converted",)),
]
Truth: TypeAlias = Annotated[bool, BeforeValidator(texts.truth), Form("`true` or `false`", kind="boolean")]
Count: TypeAlias = Annotated[
    int, BeforeValidator(quantities.whole_number), Form("a whole number", kind="integer", examples=(500,))
]
Positive: TypeAlias = Annotated[
    float,
    BeforeValidator(quantities.positive),
    Form("a number", "number", f"^{quantities.DIGITS}%$", examples=(500,)),
]
Bound: TypeAlias = Annotated[
    float,
    BeforeValidator(quantities.bound),
    Form("a number: `0.9`", "number", whole(quantities.PERCENTAGE), examples=(0.9,)),
]
Known: TypeAlias = Annotated[
    float | Span,
    BeforeValidator(quantities.level),
    Form(
        "a number, a percentage or, for a latency's quantile, a duration",
        "number",
        f"{whole(quantities.PERCENTAGE)}|{whole(quantities.DURATION)}",
        examples=("12%", 3.1, "180ms"),
    ),
]
Duration: TypeAlias = Annotated[
    float,
    BeforeValidator(quantities.duration_s),
    Form("a duration: `30m`", pattern=whole(quantities.DURATION), examples=("30m",)),
]
Limit: TypeAlias = Annotated[
    int,
    BeforeValidator(quantities.duration_us),
    Form("a duration: `250ms`", pattern=whole(quantities.DURATION), examples=("250ms",)),
]
Share: TypeAlias = Annotated[
    float, BeforeValidator(quantities.share), _percentages("a percentage: `5%`", "5%")
]
Ceiling: TypeAlias = Annotated[
    float, BeforeValidator(quantities.ceiling), _percentages("a percentage below 100%", "1%")
]
Chance: TypeAlias = Annotated[
    float, BeforeValidator(quantities.chance), _percentages("a percentage below 50%", "5%")
]
Weight: TypeAlias = Annotated[
    int,
    BeforeValidator(quantities.weight_bp),
    _percentages("a percentage, at most `50%`; `33.33%`, `25%`, `20%` with 2, 3, 4 candidates", "10%"),
]
Part: TypeAlias = Annotated[
    int, BeforeValidator(quantities.part_bp), _percentages("a percentage: `10%`", "10%")
]
Quantile: TypeAlias = Annotated[
    float,
    BeforeValidator(quantities.quantile),
    Form("from 0.5 to 0.9999", kind="number", examples=(0.99,)),
]
PerDay: TypeAlias = Annotated[
    float,
    BeforeValidator(quantities.per_day),
    Form("`400000/day`", pattern=f"^{quantities.DIGITS}/day$", examples=("400000/day",)),
]
PerSecond: TypeAlias = Annotated[
    float,
    BeforeValidator(quantities.per_second),
    Form("`200/s`", pattern=f"^{quantities.DIGITS}/s$", examples=("200/s",)),
]
Quoted: TypeAlias = Annotated[
    str, BeforeValidator(texts.version), Form('quoted: `"1.4.2"`', examples=("1.4.2",))
]
Url: TypeAlias = Annotated[
    str,
    BeforeValidator(addresses.url),
    Form(
        "`http://host:port` or `https://…`", pattern=whole(addresses.URL), examples=("http://churn-v2:8000",)
    ),
]
RoutePath: TypeAlias = Annotated[
    str,
    BeforeValidator(addresses.route_path),
    Form("a path: `/churn`", pattern=whole(addresses.ROUTE), examples=("/churn",)),
]
HealthPath: TypeAlias = Annotated[
    str,
    BeforeValidator(addresses.health_path),
    Form("a path: `/healthz`", pattern=whole(addresses.HEALTH), examples=("/healthz",)),
]
Domain: TypeAlias = Annotated[
    str,
    BeforeValidator(addresses.domain),
    Form(
        "a host's name: `churn.example.com`", pattern=whole(addresses.DOMAIN), examples=("churn.example.com",)
    ),
]
Unit: TypeAlias = Annotated[
    str,
    BeforeValidator(addresses.unit_header),
    Form("`header:x-user-id`", pattern=whole(addresses.UNIT), examples=("header:x-user-id",)),
]
Header: TypeAlias = Annotated[
    str,
    BeforeValidator(addresses.header),
    Form("a header's name: `x-tier`", pattern=whole(addresses.HEADER), examples=("x-tier",)),
]
HeaderKey: TypeAlias = Annotated[str, BeforeValidator(addresses.header_key)]
HeaderValue: TypeAlias = Annotated[str, BeforeValidator(addresses.header_value), Form("text")]
Advance: TypeAlias = Annotated[
    Opening,
    BeforeValidator(openings.opening),
    Form(f"`{openings.EXAMPLE}`", pattern=whole(openings.OPENING), examples=(openings.EXAMPLE,)),
]
Action: TypeAlias = Annotated[Choice, *words(Choice)]
Way: TypeAlias = Annotated[Direction, *words(Direction)]
Told: TypeAlias = Annotated[Event, *words(Event)]
Answerer: TypeAlias = Annotated[Fallback, *words(Fallback)]


class Shape(BaseModel):
    """A mapping with known keys, and no others."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        validate_by_name=False,
    )
