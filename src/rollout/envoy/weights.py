"""RTDS: the splits as runtime keys, 100 is on and an absent key is off, so that no key means all baseline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from rollout.domain.assignment import Placement, Split
from rollout.envoy.document import ROLLOUT, TYPE, Document, Json, Kind

ON: Final = 100
PROMOTED: Final = "promoted"
RELEASED: Final = "released"


def step_key(name: str, revision: int, number: int) -> str:
    """Return the key that switches on what weight step `number` added to every arm at once."""
    return _key(name, revision, str(number))


def promoted_key(name: str, revision: int) -> str:
    """Return the key that sends everyone but the hold-back to the candidate."""
    return _key(name, revision, PROMOTED)


def released_key(name: str, revision: int) -> str:
    """Return the key that sends the hold-back, and who names no unit, to the candidate too."""
    return _key(name, revision, RELEASED)


def weights(placements: Iterable[Placement]) -> Document:
    """Return the runtime file of these splits."""
    return document_of(key for placement in placements for key in _keys(placement))


def document_of(keys: Iterable[str]) -> Document:
    """Return the runtime file in which exactly these keys are on."""
    layer: dict[str, Json] = dict.fromkeys(sorted(keys), ON)
    runtime = TYPE + "envoy.service.runtime.v3.Runtime"
    return Document.of(Kind.WEIGHTS, [{"@type": runtime, "name": ROLLOUT, "layer": layer}])


def lowered(before: Document, wanted: Document) -> Document:
    """Return the runtime file that takes traffic from versions and gives none: what nothing may delay."""
    return document_of(keys_on(before) & keys_on(wanted))


def keys_on(document: Document) -> frozenset[str]:
    """Return the keys that a runtime file switches on."""
    layers = (resource.get("layer") for resource in document.resources)
    return frozenset(key for layer in layers if isinstance(layer, Mapping) for key in layer)


def splits(document: Document) -> Mapping[tuple[str, int], Split]:
    """Return, by experiment and revision, the splits that a runtime file means; absent means all baseline."""
    found: dict[tuple[str, int], Split] = {}
    for key in keys_on(document):
        name, revision, what = key.removeprefix(f"{ROLLOUT}.").rsplit(".", 2)
        before = found.get((name, int(revision)), Split())
        found[name, int(revision)] = _with(before, what)
    return found


def _with(split: Split, what: str) -> Split:
    """Return the split with one more key on."""
    if what == PROMOTED:
        return replace(split, is_promoted=True)
    if what == RELEASED:
        return replace(split, is_released=True)
    return replace(split, steps_on=split.steps_on + 1)


def _keys(placement: Placement) -> Iterable[str]:
    policy, split = placement.policy, placement.split
    for number in range(1, min(split.steps_on, len(policy.steps)) + 1):
        yield step_key(policy.name, placement.revision, number)
    if split.is_promoted:
        yield promoted_key(policy.name, placement.revision)
        if split.is_released:
            yield released_key(policy.name, placement.revision)


def _key(name: str, revision: int, what: str) -> str:
    return f"{ROLLOUT}.{name}.{revision}.{what}"
