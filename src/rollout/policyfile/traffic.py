"""The traffic of a policy file: which requests take part, who is sorted where, how versions are called."""

from __future__ import annotations

from pydantic import Field

from rollout.policyfile.leaves import (
    Domain,
    Header,
    HeaderKey,
    HeaderValue,
    HealthPath,
    Label,
    Name,
    Part,
    Quoted,
    RoutePath,
    Shape,
    Text,
    Truth,
    Unit,
    Url,
)


class Route(Shape):
    """Which requests take part: a path, a host or both."""

    path: RoutePath | None = Field(
        None,
        description="Requests to this path and below it; the longest path of all policies wins. "
        "With `host` it may be left out: then it is `/`.",
    )
    host: Domain | None = Field(
        None, description="Requests to this host only; they are not looked for among policies without a host."
    )


class Tls(Shape):
    """How a version proves who it is; its address begins with https://."""

    ca: Name | None = Field(
        None, description="The name, in the settings, of the certificates that are trusted."
    )
    san: Domain | None = Field(
        None, description="The name that its certificate must have; left out, the address's host."
    )


class Version(Shape):
    """A deployed version of the model, where it answers, and how it is called."""

    version: Quoted = Field(description="What this version is called in reports and actions.")
    url: Url = Field(description="Where it answers; the request's own path is kept.")
    http2: Truth = Field(False, description="Whether it is spoken to in HTTP/2, as gRPC needs.")  # noqa: FBT003 (a default)
    tls: Tls | None = Field(None, description="How it proves who it is.")
    headers: dict[HeaderKey, HeaderValue] = Field(
        {},
        max_length=20,
        description="Set on every request to this version, and on none to another.",
        examples=["2026-q4"],
    )
    credential: Name | None = Field(
        None, description="The name, in the settings, of what is sent as its authorization."
    )
    health_check: HealthPath | None = Field(None, description="What is asked of it before it gets requests.")


class Layer(Shape):
    """A share of the units that no other policy of this layer shares."""

    name: Label = Field(description="Which layer.")
    share: Part = Field(description="How much of it; all policies of a layer have at most 100% together.")


class Condition(Shape):
    """What a request header must be; exactly one of `in`, `prefix`, `present` and `absent`."""

    header: Header = Field(description="Which header.")
    in_: list[Text] | None = Field(
        None, alias="in", min_length=1, max_length=100, description="It is one of these.", examples=["pro"]
    )
    prefix: Text | None = Field(None, description="It begins so.", examples=["pro-"])
    present: Truth | None = Field(None, description="`true`: it is there, whatever its value.")
    absent: Truth | None = Field(None, description="`true`: it is not there.")


class Assignment(Shape):
    """Who gets which version."""

    unit: Unit = Field(description="The header that names a unit: equal values always get the same version.")
    salt: Text | None = Field(
        None,
        description="Sorts units into arms; left out, it is `metadata.name`. "
        "Two policies share one only inside one layer.",
        examples=["churn-2026q4"],
    )
    layer: Layer | None = Field(None, description="Keeps this policy's units apart from its neighbours'.")
    holdout: Part | None = Field(
        None, description="Units that no policy with a holdout ever tries anything on."
    )
    match: list[Condition] = Field(
        [], max_length=20, description="Who takes part: requests for which every condition holds."
    )
