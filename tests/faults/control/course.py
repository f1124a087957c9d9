"""The course of one fault over all rounds: what users met, what was decided, and what it broke."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.e2e.memory import Memory
from tests.faults.checking import Broken, Verdict
from tests.faults.control.checking import longest_without
from tests.faults.control.people import Told
from tests.faults.control.records import Kept
from tests.faults.control.watching import Claim
from tests.faults.course import Course, Courses, Struck


@dataclass(slots=True, eq=False)
class Decided:
    """What one fault met and cost, besides what it did to users."""

    users: Course = field(default_factory=Course)
    decisions: int = 0
    """Recorded from its strike until the next one."""
    actions: int = 0
    wishes: int = 0
    """Acknowledged to people: what they asked of runs, and runs that they began."""
    leaderless_us: int = 0
    """The longest that nobody led."""

    def add(self, other: Decided) -> None:
        """Take in another round."""
        self.users.add(other.users)
        self.decisions += other.decisions
        self.actions += other.actions
        self.wishes += other.wishes
        self.leaderless_us = max(self.leaderless_us, other.leaderless_us)


def of_round(  # noqa: PLR0913, PLR0917 (each is one thing that a round leaves behind)
    struck: Sequence[Struck],
    memory: Memory,
    verdict: Verdict,
    told: Told,
    kept: Kept,
    claims: Sequence[Claim],
    began_us: int,
    ended_us: int,
) -> Mapping[str, Decided]:
    """Return what one round comes to, by fault; whatever happens belongs to the one that struck last."""
    courses = Courses(struck)
    courses.tell(memory, verdict)
    found = {name: Decided(course) for name, course in courses.by_name.items()}
    for decision in kept.decisions:
        if began_us <= decision.at_us < ended_us:
            found[courses.name_at(decision.at_us)].decisions += 1
    for line in kept.lines:
        if began_us <= line.at_us < ended_us:
            found[courses.name_at(line.at_us)].actions += 1
    acknowledged = [one.at_us for one in told.words if one.is_acknowledged]
    for at_us in (*acknowledged, *(one.at_us for one in told.begun)):
        if began_us <= at_us < ended_us:
            found[courses.name_at(at_us)].wishes += 1
    ends = [*(one.window.from_us for one in struck[1:]), ended_us]
    for one, end_us in zip(struck, ends, strict=True):
        found[one.name].leaderless_us = longest_without(claims, one.window.from_us, end_us)
    return found


def broken_in(courses: Mapping[str, Decided]) -> Sequence[Broken]:
    """Return everything that was broken."""
    return [one for course in courses.values() for one in course.users.broken]
