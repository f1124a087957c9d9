"""Predicates over a request, in Envoy's matching language."""

from __future__ import annotations

from typing import Final

from rollout.domain.policy import WHOLE_BP
from rollout.envoy.document import TYPE, Json, JsonObject

_HASHING: Final = TYPE + "envoy.extensions.matching.input_matchers.consistent_hashing.v3.ConsistentHashing"
_RUNTIME: Final = TYPE + "envoy.extensions.matching.input_matchers.runtime_fraction.v3.RuntimeFraction"


def header_input(name: str) -> JsonObject:
    """Return the value of a header; `:path` carries the query too."""
    kind = TYPE + "envoy.type.matcher.v3.HttpRequestHeaderMatchInput"
    return {"name": "header", "typed_config": {"@type": kind, "header_name": name}}


def exactly(name: str, value: str) -> JsonObject:
    """Hold when the header has this value."""
    return _single(name, {"value_match": {"exact": value}})


def at_boundary(stem: str) -> JsonObject:
    """Hold when the path is the stem, or goes on with a slash or a query."""
    return any_of(
        exactly(":path", stem),
        *(_single(":path", {"value_match": {"prefix": stem + sign}}) for sign in "/?"),
    )


def bucket_at_least(name: str, seed: int, lowest: int) -> JsonObject:
    """Hold when the header is there and its bucket is not below `lowest`."""
    hashing: JsonObject = {"@type": _HASHING, "threshold": lowest, "modulo": WHOLE_BP, "seed": str(seed)}
    return _single(name, {"custom_match": {"name": "bucket", "typed_config": hashing}})


def bucket_within(name: str, seed: int, lo: int, hi: int) -> list[JsonObject]:
    """Hold, all of them, when lo ≤ bucket < hi; ask only of a header that is there."""
    above = [bucket_at_least(name, seed, lo)] if lo > 0 else []
    below = [negation(bucket_at_least(name, seed, hi))] if hi < WHOLE_BP else []
    return above + below


def unit_present(name: str, seed: int) -> JsonObject:
    """Hold when the unit header is there, not blank, and without blanks and tabs at both ends.

    HTTP/1 arrives stripped. HTTP/2 does not, and the padded bytes would be another unit in another arm.
    A negation holds for an absent header, so the hash comes first: it does not hold then.
    """
    padded = [_single(name, {"value_match": {end: sign}}) for end in ("prefix", "suffix") for sign in " \t"]
    return all_of(bucket_at_least(name, seed, 0), negation(any_of(exactly(name, ""), *padded)))


def key_is_on(name: str, key: str) -> JsonObject:
    """Hold while the runtime file has the key at 100; an absent key is off. `name` is any header there."""
    fraction: JsonObject = {"default_value": {"numerator": 0}, "runtime_key": key}
    config: JsonObject = {"@type": _RUNTIME, "runtime_fraction": fraction}
    return _single(name, {"custom_match": {"name": "on", "typed_config": config}})


def all_of(*predicates: JsonObject) -> JsonObject:
    """Hold when every predicate does."""
    return predicates[0] if len(predicates) == 1 else {"and_matcher": {"predicate": predicates}}


def any_of(*predicates: JsonObject) -> JsonObject:
    """Hold when some predicate does."""
    return predicates[0] if len(predicates) == 1 else {"or_matcher": {"predicate": predicates}}


def negation(predicate: JsonObject) -> JsonObject:
    """Hold when the predicate does not, and for an absent header."""
    return {"not_matcher": predicate}


def _single(name: str, match: JsonObject) -> JsonObject:
    predicate: dict[str, Json] = {"input": header_input(name), **match}
    return {"single_predicate": predicate}
