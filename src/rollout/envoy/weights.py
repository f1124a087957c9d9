"""RTDS: the splits as runtime keys, 100 is on and an absent key is off, so that no key means all baseline."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from rollout.domain.assignment import Placement, Split, arm_index, arm_name
from rollout.envoy.document import ROLLOUT, TYPE, Document, Json, Kind

ON: Final = 100
PROMOTED: Final = "promoted"
RELEASED: Final = "released"
MIRROR: Final = "mirror"
OFF: Final = "off"
_KEY: Final = re.compile(
    rf"{ROLLOUT}\.(?P<name>.+)\.(?P<revision>\d+)\.(?:(?P<step>\d+)|{MIRROR}\.(?P<mirror>\d+)"
    rf"|{PROMOTED}\.(?P<winner>\w+)|(?P<released>{RELEASED})|(?P<stopped>\w+)\.{OFF})"
)


def step_key(name: str, revision: int, number: int) -> str:
    """Return the key that switches on what weight step `number` added to every arm at once."""
    return _key(name, revision, str(number))


def mirror_key(name: str, revision: int, number: int) -> str:
    """Return the key that switches on the copies of mirror step `number`."""
    return _key(name, revision, f"{MIRROR}.{number}")


def stopped_key(name: str, revision: int, arm: int) -> str:
    """Return the key that gives the baseline to the units of a stopped candidate."""
    return _key(name, revision, f"{arm_name(arm)}.{OFF}")


def promoted_key(name: str, revision: int, arm: int) -> str:
    """Return the key that sends everyone who matches, but holdout and hold-back, to a candidate."""
    return _key(name, revision, f"{PROMOTED}.{arm_name(arm)}")


def released_key(name: str, revision: int) -> str:
    """Return the key that lifts both exceptions of a promotion, and serves who names no unit too."""
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
    """Return the runtime file that takes traffic from versions and gives none: what nothing may delay.

    Of every key but a stopped arm's, off means less traffic; of that one, on does.
    """
    stops = (key for key in keys_on(wanted) if key.endswith(f".{OFF}"))
    return document_of((keys_on(before) & keys_on(wanted)).union(stops))


def keys_on(document: Document) -> frozenset[str]:
    """Return the keys that a runtime file switches on."""
    layers = (resource.get("layer") for resource in document.resources)
    return frozenset(key for layer in layers if isinstance(layer, Mapping) for key in layer)


def splits(document: Document) -> Mapping[tuple[str, int], Split]:
    """Return, by experiment and revision, the splits that a runtime file means; absent means all baseline."""
    found: dict[tuple[str, int], Split] = {}
    for key in keys_on(document):
        what = _KEY.fullmatch(key)
        if what is not None:
            run = (what["name"], int(what["revision"]))
            found[run] = _with(found.get(run, Split()), what)
    return found


def _with(split: Split, what: re.Match[str]) -> Split:
    """Return the split with one more key on."""
    if what["winner"] is not None:
        return replace(split, is_promoted=True, winner=arm_index(what["winner"]))
    if what["released"] is not None:
        return replace(split, is_released=True)
    if what["stopped"] is not None:
        return replace(split, stopped=split.stopped | {arm_index(what["stopped"])})
    if what["mirror"] is not None:
        return replace(split, mirror_on=int(what["mirror"]))
    return replace(split, steps_on=split.steps_on + 1)


def _keys(placement: Placement) -> Iterable[str]:
    policy, split, revision = placement.policy, placement.split, placement.revision
    for number in range(1, min(split.steps_on, len(policy.steps)) + 1):
        yield step_key(policy.name, revision, number)
    if 0 < split.mirror_on <= len(policy.mirror_steps):
        yield mirror_key(policy.name, revision, split.mirror_on)
    for arm in split.stopped:
        yield stopped_key(policy.name, revision, arm)
    if split.is_promoted:
        yield promoted_key(policy.name, revision, split.winner)
        if split.is_released:
            yield released_key(policy.name, revision)


def _key(name: str, revision: int, what: str) -> str:
    return f"{ROLLOUT}.{name}.{revision}.{what}"
