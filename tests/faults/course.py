"""The course of one fault over all rounds: how often it struck, what it cost, and what it broke."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from tests.e2e.memory import Asked, Memory
from tests.faults.checking import Broken, Promise, Verdict
from tests.faults.excuses import Window
from tests.faults.stage import BASELINE, CANDIDATE


@dataclass(frozen=True, slots=True)
class Struck:
    """When a fault was there, until users were answered again, and how often it was met, if it knows."""

    name: str
    window: Window
    met: int | None


@dataclass(slots=True, eq=False)
class Course:
    """What one fault did in all rounds, and which promises it broke."""

    struck: int = 0
    met: int = 0
    """Requests, or lives, that it hit."""
    requests: int = 0
    """Those that were answered from its strike until the next one."""
    cut: int = 0
    """Answers that broke off, so that the request was sent again."""
    longest_us: int = 0
    """The longest that anybody waited for an answer, from the first attempt."""
    forgiven: int = 0
    """Answered around the break, and not written down."""
    before_us: int = 0
    """How long before the break the first of these was answered."""
    outcomes: int = 0
    """Acknowledged."""
    again: int = 0
    """Outcomes that were sent more than once."""
    broken: list[Broken] = field(default_factory=list)

    def add(self, other: Course) -> None:
        """Take in another round."""
        self.struck += other.struck
        self.met += other.met
        self.requests += other.requests
        self.cut += other.cut
        self.longest_us = max(self.longest_us, other.longest_us)
        self.forgiven += other.forgiven
        self.before_us = max(self.before_us, other.before_us)
        self.outcomes += other.outcomes
        self.again += other.again
        self.broken += other.broken

    def count(self, promises: Collection[StrEnum]) -> int:
        """Return how often any of these promises was broken."""
        return sum(one.promise in promises for one in self.broken)

    def answered(self, asked: Asked) -> None:
        """Count one request."""
        self.requests += 1
        self.longest_us = max(self.longest_us, asked.ended_us - asked.attempts[0].began_us)


class Courses:
    """The courses of one round; whatever happens belongs to the last fault that struck before it."""

    def __init__(self, struck: Sequence[Struck]) -> None:
        self._struck = struck
        self._begins = [one.window.from_us for one in struck]
        self.by_name = {one.name: Course(struck=1) for one in struck}

    def at(self, at_us: int) -> Course:
        """Return whose course a moment belongs to."""
        return self.by_name[self.name_at(at_us)]

    def name_at(self, at_us: int) -> str:
        """Return which fault had struck last; what was before all of them is the first one's."""
        place = bisect_right(self._begins, at_us)
        return self._struck[max(place - 1, 0)].name

    def tell(self, memory: Memory, verdict: Verdict) -> None:
        """Take in a whole round."""
        for asked in memory.asked:
            self.at(asked.ended_us).answered(asked)
            for attempt in asked.attempts:
                self.at(attempt.ended_us).cut += attempt.was_sent and attempt.code is None
        for posted in memory.posted.values():
            course = self.at(posted.ts_us)
            course.outcomes += posted.is_acknowledged
            course.again += posted.posts > 1
        for forgiven in verdict.forgiven:
            course = self.at(forgiven.broke_us)
            course.forgiven += 1
            course.before_us = max(course.before_us, forgiven.broke_us - forgiven.at_us)
        for broken in verdict.broken:
            self.at(broken.at_us).broken.append(broken)
        self._meet(memory)

    def _meet(self, memory: Memory) -> None:
        """Count whom each fault hit: a fault that hit nobody proves nothing."""
        answers = (asked.answer for asked in memory.asked)
        fallbacks = Counter(
            self.at(answer.began_us)
            for answer in answers
            if answer is not None and answer.arm == CANDIDATE and answer.version == BASELINE
        )
        for one in self._struck:
            course = self.by_name[one.name]
            course.met = fallbacks[course] if one.met is None else one.met
            if not course.met:
                course.broken.append(Broken(Promise.NOT_MET, one.name, one.window.from_us))
