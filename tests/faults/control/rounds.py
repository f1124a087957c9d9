"""Rounds in which every fault strikes once while runs are decided, and then everything is compared."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.e2e.crowd import now_us
from tests.e2e.memory import Memory
from tests.faults.checking import Broken, Checker, Promise, Verdict
from tests.faults.control.checking import Vow, check
from tests.faults.control.course import Decided, of_round
from tests.faults.control.faults import Fault
from tests.faults.control.moving import check_moving
from tests.faults.control.people import Person, Told
from tests.faults.control.plane import Plane
from tests.faults.control.policies import BAD, CROWDS, GOOD, HANDS
from tests.faults.control.records import Kept, Records
from tests.faults.control.watching import Watch, Watched
from tests.faults.course import Struck
from tests.faults.excuses import Window
from tests.faults.stage import NAME, await_true

MOVING: Final = (GOOD, BAD, HANDS)
SERVED_WITHIN_S: Final = 30.0
SETTLES_WITHIN_S: Final = 60.0
SETTLE_LOOK_S: Final = 0.5
BETWEEN_S: Final = (0.4, 1.6)
SHOWN: Final = 12
SHOWN_CHARACTERS: Final = 240


@dataclass(slots=True)
class Memories:
    """What users of each name remember, of one round."""

    steady: Memory = field(default_factory=Memory)
    moving: dict[str, Memory] = field(default_factory=dict)

    @property
    def whole(self) -> Memory:
        """What all of them remember."""
        return together([self.steady, *self.moving.values()])


class Rounds:
    """Rounds on one plane."""

    def __init__(
        self, plane: Plane, faults: Mapping[str, Fault], chance: random.Random, kept: Path | None = None
    ) -> None:
        self._plane, self._faults, self._chance, self._kept = plane, faults, chance, kept
        self._told, self._watched = Told(), Watched()
        self._records = Records(plane.database, plane.texts.effects)
        self._late = list[Broken]()
        self._past: tuple[Checker, Memory, str] | None = None
        self.courses = {name: Decided() for name in faults}
        self.number = 0

    @property
    def broken(self) -> int:
        """How often any promise was broken until now."""
        return sum(len(one.users.broken) for one in self.courses.values())

    @property
    def recomputed(self) -> int:
        """How many decisions were recomputed."""
        return self._records.recomputed

    def live(self) -> None:
        """Strike once with each fault that is due, and check what was promised."""
        self.number += 1
        due = sorted(name for name, one in self._faults.items() if (self.number - 1) % one.every == 0)
        self._watched.claims.clear()
        began_us, struck = now_us(), list[Struck]()
        memories = self._lived(self._chance.sample(due, len(due)), struck)
        ended_us = now_us()
        verdict, kept = self._settled(memories)
        verdict.broken += self._late
        self._late.clear()
        found = of_round(
            *(struck, memories.whole, verdict, self._told, kept, self._watched.claims, began_us, ended_us)
        )
        for name, course in found.items():
            self.courses[name].add(course)
        if verdict.broken:
            print(self._story(struck, verdict), flush=True)
            self._keep_what_is_there()
        self._look_again()
        self._past = (self._plane.checker(), memories.steady, struck[-1].name)

    def end(self) -> None:
        """End all; nothing of it may be left, and everything still holds."""
        last = next(reversed(self.courses.values())).users
        last.broken += [Broken(Promise.LEFT_BEHIND, line) for line in self._plane.end()]
        self._look_again()

    def _lived(self, names: Sequence[str], struck: list[Struck]) -> Memories:
        """Have users call and people ask while these faults strike; return what users remember."""
        plane, seed, memories = self._plane, f"{self._chance.getrandbits(64):x}", Memories()
        with ExitStack() as crowds:
            crowds.enter_context(Watch(plane, self._watched))
            with ExitStack() as persons:
                people = [Person(plane, name, self._told, f"{seed}") for name in MOVING]
                for one in people:
                    persons.enter_context(one)
                await_true(
                    "every run has begun",
                    lambda: all(one.is_served.is_set() for one in people),
                    SERVED_WITHIN_S,
                )
                parts = self._crowds(crowds, seed)
                for name in names:
                    time.sleep(self._chance.uniform(*BETWEEN_S))
                    struck.append(self._strike(name))
                time.sleep(self._chance.uniform(*BETWEEN_S))
        memories.steady = together(parts.pop(NAME))
        memories.moving = {name: together(own) for name, own in parts.items()}
        return memories

    def _crowds(self, held: ExitStack, seed: str) -> dict[str, list[Memory]]:
        """Let users of every name in; the steady run's call both nodes, the others' one each."""
        first, second = self._plane.edges
        calls = {NAME: (first, second), GOOD: (first,), BAD: (second,), HANDS: (first,)}
        self._plane.await_served(NAME, *MOVING)
        return {
            name: [
                held.enter_context(self._plane.crowd(CROWDS[name], edge, f"{seed}-{name}-{edge.name}")).memory
                for edge in edges
            ]
            for name, edges in calls.items()
        }

    def _strike(self, name: str) -> Struck:
        fault, began_us, met = self._faults[name], now_us(), 1
        try:
            with fault.strike(self._plane, self._chance) as found:
                time.sleep(self._chance.uniform(*fault.dwell_s))
            met = found.met or 0
            self._plane.await_back()
        except TimeoutError as error:
            self._late.append(Broken(Vow.LATE, f"{name}: {error}", now_us()))
            self._plane.mend()
        return Struck(name, Window(began_us, self._plane.await_back()), met)

    def _settled(self, memories: Memories) -> tuple[Verdict, Kept]:
        """Look until nothing is missing any more, or it was waited for long enough."""
        plane, checker, ends_s = self._plane, self._plane.checker(), time.monotonic() + SETTLES_WITHIN_S
        while True:
            filed = plane.filed(memories.steady)
            verdict = checker.check(memories.steady.asked, memories.steady.posted, filed)
            counted = {}
            for name, memory in memories.moving.items():
                own = plane.filed_of(name, memory)
                counted[name] = own.tallied
                verdict.broken += check_moving(checker, memory, own)
            kept = self._records.read()
            known = {one for course in self.courses.values() for one in course.users.broken}
            verdict.broken += [one for one in check(self._told, self._watched, kept) if one not in known]
            if not verdict.broken or time.monotonic() > ends_s:
                plane.tallied += filed.tallied
                for name, requests in counted.items():
                    plane.counted[name] = plane.counted.get(name, 0) + requests
                return verdict, kept
            time.sleep(SETTLE_LOOK_S)

    def _look_again(self) -> None:
        """Compare what users of the round before remember with the lake of now."""
        if self._past is not None:
            checker, memory, last = self._past
            verdict = checker.check_again(memory.asked, memory.posted, self._plane.filed(memory))
            known = {one for course in self.courses.values() for one in course.users.broken}
            self.courses[last].users.broken += [one for one in verdict.broken if one not in known]

    def _story(self, struck: Sequence[Struck], verdict: Verdict) -> str:
        """Return when each fault struck, what was broken when, and the last that everybody said."""
        zero_us = struck[0].window.from_us
        lines = [
            f"{one.name} {(one.window.from_us - zero_us) / 1e6:.2f} to "
            f"{(one.window.until_us - zero_us) / 1e6:.2f} s"
            for one in struck
        ]
        lines += [f"{(one.at_us - zero_us) / 1e6:.2f} s: {one}" for one in verdict.broken[:SHOWN]]
        for who, said in self._plane.said(SHOWN).items():
            lines += [f"{who}: {line[:SHOWN_CHARACTERS]}" for line in said]
        return "\n".join(lines)

    def _keep_what_is_there(self) -> None:
        """Keep the state of the first round in which a promise broke, for whoever wants to know why."""
        if self._kept is not None and not self._kept.exists():
            shutil.copytree(self._plane.folder, self._kept, ignore=shutil.ignore_patterns("*.sock"))


def together(memories: Sequence[Memory]) -> Memory:
    """Return what several crowds remember; nobody is of two of them."""
    whole = Memory()
    for one in memories:
        whole.asked += one.asked
        whole.posted |= one.posted
    return whole
