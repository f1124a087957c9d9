"""Predicates over a request, in Envoy's matching language."""

from __future__ import annotations

from typing import Final, assert_never

from rollout.domain.policy import WHOLE_BP, Condition, Test
from rollout.envoy.document import TYPE, Json, JsonObject

PATH: Final = ":path"
"""The one header that every request has; it carries the query too."""
_HASHING: Final = TYPE + "envoy.extensions.matching.input_matchers.consistent_hashing.v3.ConsistentHashing"
_RUNTIME: Final = TYPE + "envoy.extensions.matching.input_matchers.runtime_fraction.v3.RuntimeFraction"


def header_input(name: str) -> JsonObject:
    """Return the value of a header; doubled ones are joined by a comma."""
    kind = TYPE + "envoy.type.matcher.v3.HttpRequestHeaderMatchInput"
    return {"name": "header", "typed_config": {"@type": kind, "header_name": name}}


def at_boundary(stem: str) -> JsonObject:
    """Hold when the path is the stem, or goes on with a slash or a query."""
    return any_of(_exactly(PATH, stem), *(_begins(PATH, stem + sign) for sign in "/?"))


def bucket_at_least(name: str, seed: int, lowest: int) -> JsonObject:
    """Hold when the header is there and its bucket is not below `lowest`."""
    hashing: JsonObject = {"@type": _HASHING, "threshold": lowest, "modulo": WHOLE_BP, "seed": str(seed)}
    return _single(name, {"custom_match": {"name": "bucket", "typed_config": hashing}})


def bucket_within(name: str, seed: int, lo: int, hi: int) -> list[JsonObject]:
    """Hold, all of them, when lo ≤ bucket < hi; ask only of a header that is there."""
    above = [bucket_at_least(name, seed, lo)] if lo > 0 else []
    return above + bucket_below(name, seed, hi)


def bucket_below(name: str, seed: int, hi: int) -> list[JsonObject]:
    """Hold, all of them, when bucket < hi; ask only of a header that is there."""
    return [_negation(bucket_at_least(name, seed, hi))] if hi < WHOLE_BP else []


def unit_present(name: str, seed: int, lowest: int) -> JsonObject:
    """Hold when the unit header is there, with a bucket not below `lowest`, and names somebody.

    It is not blank, and without blanks and tabs at both ends: HTTP/1 arrives stripped, but HTTP/2 does not,
    and the padded bytes would be another unit in another arm. A negation holds for an absent header, so the
    hash comes first: it does not hold then.
    """
    padded = [_single(name, {"value_match": {end: sign}}) for end in ("prefix", "suffix") for sign in " \t"]
    return all_of(bucket_at_least(name, seed, lowest), _negation(any_of(_exactly(name, ""), *padded)))


def condition_holds(condition: Condition) -> JsonObject:
    """Hold when a header is what a policy asks for; of no header that is absent, but `absent`."""
    name = condition.header
    match condition.test:
        case Test.IN:
            return any_of(*(_exactly(name, value) for value in condition.values))
        case Test.PREFIX:
            return any_of(*(_begins(name, value) for value in condition.values))
        case Test.PRESENT:
            return _present(name)
        case Test.ABSENT:
            return _negation(_present(name))
        case _:
            assert_never(condition.test)


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


def _present(name: str) -> JsonObject:
    # Every bucket is at least 0, and an absent header has none.
    return bucket_at_least(name, 0, 0)


def _exactly(name: str, value: str) -> JsonObject:
    return _single(name, {"value_match": {"exact": value}})


def _begins(name: str, value: str) -> JsonObject:
    return _single(name, {"value_match": {"prefix": value}}) if value else _present(name)


def _negation(predicate: JsonObject) -> JsonObject:
    """Hold when the predicate does not, and for an absent header."""
    return {"not_matcher": predicate}


def _single(name: str, match: JsonObject) -> JsonObject:
    predicate: dict[str, Json] = {"input": header_input(name), **match}
    return {"single_predicate": predicate}
