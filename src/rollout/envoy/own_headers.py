"""Headers that one version of a policy is sent and no other, also when the baseline answers for a candidate.

What the filters of an attempt write stays for the next attempt. So every version of such a policy sets each
of these headers itself: to its own value, or back to what the client sent, which the route has kept.
"""

from __future__ import annotations

from typing import Final

from rollout.domain.policy import Policy, Version
from rollout.envoy.document import TYPE, Json, JsonObject

KEEP: Final = "keep"
"""The filter that a route switches on to remember what the client sent."""
AUTHORIZATION: Final = "authorization"
KEPT_BY_COPY: Final = "x-rollout-kept-"
"""A copy of a request remembers nothing: what the client sent travels with it under this prefix, and is taken
off before it leaves."""
_FILTERS: Final = TYPE + "envoy.extensions.filters.http."
_KEPT: Final = "rollout.kept."


def own_headers(policy: Policy) -> tuple[str, ...]:
    """Return the headers that some version of a policy has for itself."""
    versions = (policy.baseline, *policy.candidates)
    names = {name.lower() for version in versions for name in version.headers}
    return tuple(sorted(names | {AUTHORIZATION for version in versions if version.credential is not None}))


def keep_filter() -> JsonObject:
    """Return the listener's part: it does nothing but where a route says what is to be kept."""
    return {
        "name": KEEP,
        "disabled": True,
        "typed_config": {"@type": _FILTERS + "set_filter_state.v3.Config"},
    }


def kept(names: tuple[str, ...]) -> JsonObject:
    """Return a route's part: what the client sent of these headers is remembered for every attempt."""
    states: list[Json] = [
        {
            "object_key": _KEPT + name,
            "factory_key": "envoy.string",
            "format_string": {
                "text_format_source": {"inline_string": f"%REQ({name})%"},
                "omit_empty_values": True,
            },
            "skip_if_empty": True,
        }
        for name in names
    ]
    return {KEEP: {"@type": _FILTERS + "set_filter_state.v3.Config", "on_request_headers": states}}


def setting(name: str, value: str) -> JsonObject:
    """Return the mutation that sets a header, or leaves it alone when the value turns out empty."""
    header: JsonObject = {"key": name, "value": value}
    return {"append": {"header": header, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}}


def literal(value: str) -> str:
    """Return a value that Envoy takes for itself, and not for a command."""
    return value.replace("%", "%%")


def upstream_filters(policy: Policy, version: Version, credential_file: str | None) -> list[JsonObject]:
    """Return the filters that every attempt at a version passes; none where no version has its own header."""
    names = own_headers(policy)
    if not names:
        return []
    own = {name.lower(): value for name, value in version.headers.items()}
    mutations = [one for name in names for one in _mutations(name, own.get(name))]
    filters: list[JsonObject] = [
        {
            "name": "own-headers",
            "typed_config": {
                "@type": _FILTERS + "header_mutation.v3.HeaderMutation",
                "mutations": {"request_mutations": mutations},
            },
        }
    ]
    if version.credential is not None and credential_file is not None:
        filters.append(_credential(version.credential, credential_file))
    codec = {"@type": _FILTERS + "upstream_codec.v3.UpstreamCodec"}
    return [*filters, {"name": "codec", "typed_config": codec}]


def _mutations(name: str, own: str | None) -> list[JsonObject]:
    copied = KEPT_BY_COPY + name
    if own is not None:
        return [setting(name, literal(own)), {"remove": copied}]
    return [
        {"remove": name},
        setting(name, f"%FILTER_STATE({_KEPT}{name}:PLAIN)%"),
        setting(name, f"%REQ({copied})%"),
        {"remove": copied},
    ]


def _credential(name: str, file: str) -> JsonObject:
    """Return the filter that sends a secret; the secret itself stands in a file of its own."""
    source: JsonObject = {"resource_api_version": "V3", "path_config_source": {"path": file}}
    return {
        "name": "credential",
        "typed_config": {
            "@type": _FILTERS + "credential_injector.v3.CredentialInjector",
            "overwrite": True,
            "credential": {
                "name": "generic",
                "typed_config": {
                    "@type": TYPE + "envoy.extensions.http.injected_credentials.generic.v3.Generic",
                    "header": AUTHORIZATION,
                    "credential": {"name": name, "sds_config": source},
                },
            },
        },
    }
