"""Publication: placements become files; one that cannot be served leaves the others theirs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Final, TypeAlias

from rollout.domain.assignment import Placement, Split
from rollout.domain.buckets import Range
from rollout.domain.policy import Policy
from rollout.envoy.document import Configuration, Document, Kind
from rollout.envoy.handover import NO_LIFE, Handover
from rollout.envoy.publication import Acknowledged, Live, Refused, Unserved, plan
from rollout.envoy.sifting import Fault, sift
from rollout.envoy.translate import refuse_impossible, translate
from rollout.envoy.weights import lowered, splits, weights
from rollout.errors import WrongTraffic

TRIED_AGAIN_AFTER_S: Final = 60.0
"""What Envoy refused is left alone for so long; a missing file, for one, may have come."""
Structure: TypeAlias = tuple[Policy, int, Range | None]
Translating: TypeAlias = Callable[[Sequence[Placement]], Configuration]


class Publisher:
    """What one running Envoy serves, and how that changes; safe to call from several threads."""

    def __init__(
        self,
        handover: Handover,
        *,
        gave_up: Callable[[], bool],
        now_s: Callable[[], float],
        translating: Translating = translate,
    ) -> None:
        self._handover, self._gave_up, self._now_s = handover, gave_up, now_s
        self._translating = translating
        self._turn = threading.Lock()
        self._structure: tuple[Structure, ...] | None = None
        self._admitted: tuple[tuple[Structure, ...], tuple[Unserved, ...]] | None = None
        self._refused: dict[str, tuple[Structure, Unserved, float]] = {}
        self._standing: Mapping[str, Placement] = {}
        self._acknowledged: Mapping[str, Placement] = {}
        self._normal: dict[str, tuple[Placement, Split]] = {}
        self._asked: Sequence[Placement] = ()
        self._newest: Callable[[], Sequence[Placement]] = lambda: ()
        self._stand_ins: tuple[Placement, ...] = ()

    @property
    def live(self) -> Live:
        """What Envoy has acknowledged."""
        return self._handover.live

    @property
    def standing(self) -> tuple[Placement, ...]:
        """The placements that were last acknowledged, all of them together."""
        return tuple(self._standing.values())

    def served(self, placements: Sequence[Placement]) -> tuple[Placement, ...]:
        """Return which of these Envoy has acknowledged as they are."""
        acknowledged, live = self._acknowledged, self.live.splits
        return tuple(
            one
            for one in placements
            if (held := acknowledged.get(one.policy.name)) is not None
            and _structure(held) == _structure(one)
            and live.get((one.policy.name, one.revision), Split()) == self._normalised(one)
        )

    def publish(
        self,
        placements: Sequence[Placement],
        *,
        newest: Callable[[], Sequence[Placement]] | None = None,
        kept: Collection[str] = (),
    ) -> Acknowledged | Refused:
        """Make Envoy serve these placements and no others; return once it does, or with what it does not.

        `newest` tells what is wanted by now: whatever goes off in it goes off while Envoy is still busy with
        routes. A placement that is refused, and those named in `kept`, are served as they last were, without
        their candidates.
        """
        with self._turn:
            if self._gave_up():
                return Refused(NO_LIFE, self.live, (Unserved(None, NO_LIFE),))
            self._asked, self._newest = placements, newest or (lambda: placements)
            good, barred = self._at_the_door(placements)
            names = {*kept, *(one.policy.name for one in placements)}
            sound = [one for one in good if self._stands(one)]
            doubtful = [one for one in good if not self._stands(one)]

            def attempt(chosen: Sequence[Placement]) -> Fault | None:
                return self._attempt(_in_order(chosen, placements), names)

            passed, refused = sift(sound, doubtful, attempt)
            self._remember(refused, placements)
            if refused and all(one.experiment for one in refused):
                fault = attempt(passed)
                refused = (*refused, *(() if fault is None else (Unserved(None, fault.reason),)))
            unserved = (*barred, *refused)
            return Refused(unserved[0].reason, self.live, unserved) if unserved else Acknowledged(self.live)

    def _at_the_door(self, placements: Sequence[Placement]) -> tuple[list[Placement], tuple[Unserved, ...]]:
        """Return what may be tried, and what not: it cannot be translated, or Envoy has just refused it."""
        structure = tuple(map(_structure, placements))
        if self._admitted is None or self._admitted[0] != structure:
            standing = [one for one in placements if self._stands(one)]
            others = [one for one in placements if not self._stands(one)]
            _, barred = sift((), [*standing, *others], _impossible)
            self._admitted = (structure, barred)
        barred = (*self._admitted[1], *self._refused_before(placements))
        names = {one.experiment for one in barred}
        return [one for one in placements if one.policy.name not in names], barred

    def _refused_before(self, placements: Sequence[Placement]) -> tuple[Unserved, ...]:
        now_s = self._now_s()
        by_name = {one.policy.name: _structure(one) for one in placements}
        self._refused = {
            name: held
            for name, held in self._refused.items()
            if by_name.get(name) == held[0] and now_s - held[2] < TRIED_AGAIN_AFTER_S
        }
        return tuple(unserved for _, unserved, _ in self._refused.values())

    def _remember(self, refused: Sequence[Unserved], placements: Sequence[Placement]) -> None:
        by_name = {one.policy.name: one for one in placements}
        for one in refused:
            if one.experiment is not None:
                held = (_structure(by_name[one.experiment]), one, self._now_s())
                self._refused[one.experiment] = held

    def _attempt(self, placements: Sequence[Placement], names: Collection[str]) -> Fault | None:
        """Publish these, and stand-ins for those that should be served too and cannot."""
        self._stand_ins = self._standing_in(placements, names)
        whole = [*placements, *self._stand_ins]
        structure = tuple(map(_structure, whole))
        wished = dict(zip((one.policy.name for one in whole), structure, strict=True))
        held = {n: one for n, one in self._acknowledged.items() if wished.get(n) == _structure(one)}
        self._acknowledged = held
        try:
            wanted = self._wanted(whole, structure)
        except WrongTraffic as error:  # a name that this node's settings do not know
            return Fault(_in_a_line(error, whole))
        self._structure = None  # unknown until all of it is acknowledged
        for document in plan(self._handover.configuration, wanted) or self._handover.drifted():
            self._lower()  # a rollback waits for the one update that is under way, not for the next ones
            fault = self._handover.hand_over(self._masked(document), meanwhile=self._lower)
            if fault is not None:
                return fault
        self._structure = structure
        self._standing = self._acknowledged = {one.policy.name: one for one in whole}
        return None

    def _wanted(self, placements: Sequence[Placement], structure: tuple[Structure, ...]) -> Configuration:
        """Return the files of these placements, without making the large ones again for a step."""
        if structure == self._structure:
            return self._handover.configuration.having(weights(placements))
        return self._translating(placements)

    def _masked(self, document: Document) -> Document:
        """Return weights without what is no longer wanted: nothing goes on that should be off by now."""
        latest = self._newest()
        if document.kind is not Kind.WEIGHTS or latest is self._asked:
            return document
        return lowered(document, weights([*latest, *self._stand_ins]))

    def _lower(self) -> None:
        """Take off what should be off by now, while Envoy is busy with something larger."""
        before = self._handover.configuration.weights
        latest = self._newest()
        if latest is self._asked:
            return
        after = lowered(before, weights([*latest, *self._stand_ins]))
        if after.version != before.version:
            self._handover.hand_over(after)

    def _standing_in(self, placements: Sequence[Placement], names: Collection[str]) -> tuple[Placement, ...]:
        """Return what is served of those that should be and cannot: no bad revision costs a route."""
        present = {one.policy.name for one in placements}
        missing = [self._standing[name] for name in self._standing if name in names and name not in present]
        old = [one if one.split.is_promoted else replace(one, split=Split()) for one in missing]
        if old and _impossible([*placements, *old]) is not None:
            passed, _ = sift(placements, old, _impossible)
            old = passed[len(placements) :]
        return tuple(old)

    def _stands(self, placement: Placement) -> bool:
        held = self._standing.get(placement.policy.name)
        return held is not None and _structure(held) == _structure(placement)

    def _normalised(self, placement: Placement) -> Split:
        """Return the split that Envoy can tell of this one: it knows nothing of steps that do not exist."""
        name = placement.policy.name
        known = self._normal.get(name)
        if known is None or known[0] is not placement:
            found = splits(weights([placement])).get((name, placement.revision), Split())
            known = self._normal[name] = (placement, found)
        return known[1]


def _structure(placement: Placement) -> Structure:
    return (placement.policy, placement.revision, placement.layer_range)


def _in_order(chosen: Sequence[Placement], placements: Sequence[Placement]) -> list[Placement]:
    """Return the chosen ones in the order that was asked for, so that no file changes for nothing."""
    names = {one.policy.name for one in chosen}
    seen: set[str] = set()
    ordered = []
    for one in placements:
        if one.policy.name in names and one.policy.name not in seen:
            seen.add(one.policy.name)
            ordered.append(one)
    return ordered


def _impossible(placements: Sequence[Placement]) -> Fault | None:
    try:
        refuse_impossible(placements)
    except WrongTraffic as error:
        return Fault(_in_a_line(error, placements))
    return None


def _in_a_line(error: WrongTraffic, placements: Sequence[Placement]) -> str:
    """Return what is wrong; whose policy's it is, stands beside it wherever it is shown."""
    names = {one.policy.name for one in placements}
    places = ("" if problem.where in names else f"{problem.where}: " for problem in error.problems)
    said = (f"{problem.what} ({problem.remedy})" for problem in error.problems)
    return "; ".join(place + what for place, what in zip(places, said, strict=True))
