"""Rounds under load: every fault strikes once in each, in some order, then everything is compared."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.e2e.crowd import now_us
from tests.e2e.memory import Memory
from tests.faults.checking import Broken, Checker, Filed, Promise, Verdict
from tests.faults.course import Course, Courses, Struck
from tests.faults.excuses import Excuses, Window
from tests.faults.stage import Stage, await_true
from tests.faults.strike import Fault

SHOWN: Final = 12
SHOWN_CHARACTERS: Final = 240
SETTLES_WITHIN_S: Final = 30.0
SETTLE_LOOK_S: Final = 0.25
WARM_UP_S: Final = 0.5
BETWEEN_S: Final = (0.1, 0.3)


@dataclass(frozen=True, slots=True)
class Past:
    """A round that was fine: it is looked at once more, later, for what came twice or went away."""

    checker: Checker
    memory: Memory
    last: Course
    """To whom it is told what was not fine after all."""


class Rounds:
    """Rounds on one stage."""

    def __init__(
        self, stage: Stage, faults: Mapping[str, Fault], chance: random.Random, kept: Path | None = None
    ) -> None:
        self._kept = kept
        self._stage, self._faults, self._chance = stage, faults, chance
        self._past: Past | None = None
        self.courses = {name: Course() for name in faults}

    @property
    def broken(self) -> int:
        """How often any promise was broken until now."""
        return sum(len(course.broken) for course in self.courses.values())

    def live(self) -> None:
        """Strike once with each fault while users call, and check what was promised."""
        stage, chance = self._stage, self._chance
        stage.excuses = Excuses()
        struck = []
        with stage.crowd(f"{chance.getrandbits(64):x}") as crowd:
            time.sleep(WARM_UP_S)
            for name in chance.sample(sorted(self._faults), len(self._faults)):
                struck.append(_strike(stage, name, self._faults[name], chance))
                _await_answers(crowd.memory)
                time.sleep(chance.uniform(*BETWEEN_S))
        checker = stage.checker()
        verdict, filed = self._settled(checker, crowd.memory)
        stage.tallied += filed.tallied
        courses = Courses(struck)
        courses.tell(crowd.memory, verdict)
        for name, course in courses.by_name.items():
            self.courses[name].add(course)
        if verdict.broken:
            print(self._story(struck, verdict), flush=True)
            self._keep_what_is_there()
        self.look_again()
        self._past = Past(checker, crowd.memory, self.courses[struck[-1].name])

    def _keep_what_is_there(self) -> None:
        """Keep the state of the first round in which a promise broke, for whoever wants to know why."""
        if self._kept is not None and not self._kept.exists():
            shutil.copytree(self._stage.folder, self._kept, ignore=shutil.ignore_patterns("*.sock"))

    def _story(self, struck: Sequence[Struck], verdict: Verdict) -> str:
        """Return when each fault struck, when what was broken, and the last that the node said."""
        zero_us = struck[0].window.from_us
        times = sorted({(one.at_us - zero_us) // 100_000 for one in verdict.broken if one.at_us})
        return "\n".join(
            [
                "; ".join(
                    f"{one.name} {_seconds(one.window.from_us - zero_us)} to "
                    f"{_seconds(one.window.until_us - zero_us)}"
                    for one in struck
                ),
                "broken at " + ", ".join(f"{tenth / 10:.1f}" for tenth in times[:SHOWN]) + " s",
                *(line[:SHOWN_CHARACTERS] for line in self._stage.node.said(SHOWN)),
            ]
        )

    def look_again(self) -> None:
        """Compare the round before with the lake of now."""
        if self._past is not None:
            past = self._past
            verdict = past.checker.check_again(
                past.memory.asked, past.memory.posted, self._stage.filed(past.memory)
            )
            known = {one for course in self.courses.values() for one in course.broken}
            past.last.broken += [one for one in verdict.broken if one not in known]

    def end(self) -> None:
        """End all; nothing of it may be left."""
        last = next(reversed(self.courses.values()))
        last.broken += [Broken(Promise.LEFT_BEHIND, line) for line in self._stage.end()]
        self.look_again()

    def _settled(self, checker: Checker, memory: Memory) -> tuple[Verdict, Filed]:
        """Look until nothing is missing any more, or it was waited for long enough."""
        ends_s = time.monotonic() + SETTLES_WITHIN_S
        while True:
            filed = self._stage.filed(memory)
            verdict = checker.check(memory.asked, memory.posted, filed)
            if not verdict.broken or time.monotonic() > ends_s:
                return verdict, filed
            time.sleep(SETTLE_LOOK_S)


def _seconds(us: int) -> str:
    return f"{us / 1e6:.2f} s"


def _strike(stage: Stage, name: str, fault: Fault, chance: random.Random) -> Struck:
    began_us = now_us()
    with fault.strike(stage, chance) as found:
        time.sleep(chance.uniform(*fault.dwell_s))
    stage.await_back()
    return Struck(name, Window(began_us, now_us()), found.met)


def _await_answers(memory: Memory) -> None:
    """Wait until whatever was asked during a fault is answered, so that the next one is not blamed for it."""
    pending = [asked for asked in list(memory.asked) if asked.answer is None]
    await_true("every request is answered", lambda: all(asked.answer is not None for asked in pending))
