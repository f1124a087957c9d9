"""What a change of a policy means, key by key: for its run, for people and for the statistics."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from rollout.domain.alignment import aligned
from rollout.domain.assignment import arm_index, blocks
from rollout.domain.beside import beside
from rollout.domain.consequence import REMOVED, consequence
from rollout.domain.policy import WHOLE_BP, Policy
from rollout.domain.written import share, written

AT_ONCE: Final = ("metadata.owner", "spec.decide", "spec.actions", "spec.notify", "spec.windows")
NAME: Final = "metadata.name"
BASELINE_VERSION: Final = "spec.baseline.version"
SALT: Final = "spec.assignment.salt"
_ENTRY: Final = re.compile(r"spec\.(?:metrics|steps|candidates)\[[^\]]*\]")
_STEP: Final = re.compile(r"spec\.steps\[\d+\]")


class Effect(Enum):
    """What becomes of a change; a later one outweighs those before it."""

    AT_ONCE = "takes effect at once: the run goes on, and keeps its evidence"
    NEW_REVISION = "new revision: the evidence is discarded, the error budget and the steps begin anew"
    REFUSED = "refused: a run cannot go on like this, and nothing of the change is done"
    OTHER_EXPERIMENT = "another experiment: neither policy is a change of the other"

    @property
    def is_at_once(self) -> bool:
        """Whether the run that goes on keeps its evidence."""
        return self is Effect.AT_ONCE


@dataclass(frozen=True, slots=True)
class Change:
    """One key that differs; a value is none where the file is silent."""

    key: str
    before: str | None
    after: str | None
    effect: Effect
    meaning: str


@dataclass(frozen=True, slots=True)
class Difference:
    """Everything that differs between two policies, and what becomes of the people in them."""

    changes: tuple[Change, ...]
    people: tuple[str, ...]

    @property
    def effect(self) -> Effect:
        """What becomes of all changes together: the heaviest of them."""
        order = list(Effect)
        return max((change.effect for change in self.changes), key=order.index, default=Effect.AT_ONCE)


def compare(old: Policy, new: Policy) -> Difference:
    """Return how the second policy differs from the first, in the order of the file."""
    names = _renamed(old, new)
    changes = tuple(
        Change(_shown(key, old, new), before, after, _effect(key, old, new), _meaning(key, old, new))
        for key, before, after in (
            *((f"spec.metrics[{name}].name", name, called) for name, called in names.items()),
            *_differing(old, _called(new, names)),
        )
    )
    found = Difference(changes, ())
    if found.effect is Effect.OTHER_EXPERIMENT:
        return replace(found, people=beside(old, new))
    return replace(found, people=tuple(_people(old, new))) if found.effect is Effect.NEW_REVISION else found


def _renamed(old: Policy, new: Policy) -> dict[str, str]:
    """Return the metrics that differ in nothing but their name: the new one by the old one."""
    known = {metric.name for metric in old.metrics} & {metric.name for metric in new.metrics}
    added = [metric for metric in new.metrics if metric.name not in known]
    found: dict[str, str] = {}
    for metric in old.metrics:
        twin = next((one for one in added if replace(one, name=metric.name) == metric), None)
        if metric.name not in known and twin is not None:
            found[metric.name] = twin.name
            added.remove(twin)
    return found


def _called(new: Policy, names: Mapping[str, str]) -> Policy:
    """Return a policy whose renamed metrics have their old names, wherever a metric is named."""
    before = {called: name for name, called in names.items()}
    levels = new.expect.levels
    return replace(
        new,
        metrics=tuple(replace(one, name=before.get(one.name, one.name)) for one in new.metrics),
        expect=replace(
            new.expect,
            levels=None if levels is None else {before.get(name, name): one for name, one in levels.items()},
        ),
    )


def _differing(old: Policy, new: Policy) -> Iterator[tuple[str, str | None, str | None]]:
    said = (_at_new_places(old, new), written(new))
    before, after = (_collapsed(one, other) for one, other in (said, reversed(said)))
    keys = list(dict.fromkeys([*before, *after]))
    sections = list(dict.fromkeys(map(_section, keys)))
    for key in sorted(keys, key=lambda key: sections.index(_section(key))):
        if before.get(key) != after.get(key):
            yield key, before.get(key), after.get(key)
    names = [[metric.name for metric in policy.metrics] for policy in (old, new)]
    if names[0] != names[1] and sorted(names[0]) == sorted(names[1]):
        yield "spec.metrics", ", ".join(names[0]), ", ".join(names[1])


def _section(key: str) -> str:
    """Return where a key stands: `spec.metrics` for what belongs to any metric."""
    return ".".join(key.partition("[")[0].split(".")[:2])


def _at_new_places(old: Policy, new: Policy) -> dict[str, str]:
    """Return what the old policy says, its steps where the new one has them."""
    places = {f"spec.steps[{before}]": f"spec.steps[{after}]" for before, after in aligned(old, new).items()}
    found: dict[str, str] = {}
    for key, value in written(old).items():
        entry = _STEP.match(key)
        place = key if entry is None else places.get(entry[0], f"{entry[0][:-1]}, {REMOVED}]")
        found[key if entry is None else place + key.removeprefix(entry[0])] = value
    return found


def _collapsed(said: Mapping[str, str], other: Mapping[str, str]) -> Mapping[str, str]:
    """Return what is written, with an entry of a list that the other policy lacks as one value."""
    known = {found[0] for key in other if (found := _ENTRY.match(key))}
    collapsed: dict[str, str] = {}
    for key, value in said.items():
        found = _ENTRY.match(key)
        if found is None or found[0] in known:
            collapsed[key] = value
            continue
        detail = f"{key.removeprefix(found[0] + '.')} {value}"
        collapsed[found[0]] = f"{collapsed[found[0]]}, {detail}" if found[0] in collapsed else detail
    return collapsed


def _effect(key: str, old: Policy, new: Policy) -> Effect:
    if old.name != new.name:
        return Effect.OTHER_EXPERIMENT
    if key in {BASELINE_VERSION, SALT}:
        return Effect.REFUSED
    is_at_once = any(key == stem or key.startswith((stem + ".", stem + "[")) for stem in AT_ONCE)
    return Effect.AT_ONCE if is_at_once else Effect.NEW_REVISION


def _meaning(key: str, old: Policy, new: Policy) -> str:
    """Return what a change means; between two experiments nothing changes."""
    if old.name != new.name:
        return ""
    if key == BASELINE_VERSION:
        return _rebased(old, new)
    if key == SALT:
        return f"every unit would be drawn anew: keep {old.salt}, or give the experiment another name"
    return consequence(key, old, new)


def _rebased(old: Policy, new: Policy) -> str:
    """Say when another baseline would be accepted."""
    served = new.baseline.version
    if served in {candidate.version for candidate in old.candidates}:
        return f"fits once {served} has been promoted; until then {old.baseline.version} is served"
    return f"nobody is served by {served}: name {old.baseline.version}, or a candidate that was promoted"


def _shown(key: str, old: Policy, new: Policy) -> str:
    """Return a key as both files have it: one candidate has no list."""
    alone = len(old.candidates) == len(new.candidates) == 1
    return key.replace("spec.candidates[0]", "spec.candidate") if alone else key


def _people(old: Policy, new: Policy) -> Iterator[str]:
    """Say who changes version: at the last step of each policy, which all earlier ones lead to."""
    if (old.match, old.holdout_bp, old.layer) != (new.match, new.holdout_bp, new.layer):
        yield "other units take part than before; whoever no longer does gets the baseline"
    is_drawn_anew = old.unit_header != new.unit_header
    if is_drawn_anew:
        yield "users are drawn anew: who had a candidate may get the baseline, and the other way round"
    elif old.arms != new.arms:
        yield "the salt stays, but the arms share the users in another way: some users change arms"
    else:
        yield "the salt stays: at each step, a user of an arm that is as large as before stays in that arm"
    moved = _moved_anew(old, new) if is_drawn_anew else _moved(old, new)
    if moved:
        yield f"at the last step, {share(moved)} of the eligible units get another version than before"
    else:
        yield "at the last step, every eligible unit gets the version that it got before"
    if old.steps and new.steps:
        first = share(new.steps[0].weight_bp / WHOLE_BP)
        yield f"until then most get the baseline: the first step has {first} for each candidate again"


def _served(policy: Policy) -> list[str]:
    """Return the version that each bucket gets at the last step."""
    versions = [policy.baseline.version, *(candidate.version for candidate in policy.candidates)]
    served = [versions[0]] * WHOLE_BP
    for block in blocks(policy):
        served[block.lo : block.hi] = [versions[arm_index(block.arm)]] * (block.hi - block.lo)
    return served


def _moved(old: Policy, new: Policy) -> float:
    return sum(one != other for one, other in zip(_served(old), _served(new), strict=True)) / WHOLE_BP


def _moved_anew(old: Policy, new: Policy) -> float:
    """Return the share that moves when the two draws know nothing of each other."""
    before, after = Counter(_served(old)), Counter(_served(new))
    stay = sum(buckets * after[version] for version, buckets in before.items())
    return round(1.0 - stay / WHOLE_BP**2, 3)
