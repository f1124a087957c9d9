"""What happens belongs to the fault that struck last, and a fault that hits nobody is complained of."""

from __future__ import annotations

from dataclasses import fields

import pytest

from tests.e2e.memory import Asked, Attempt, Memory, Posted
from tests.faults.checking import Broken, Forgiven, Promise, Verdict
from tests.faults.course import Course, Courses, Struck
from tests.faults.excuses import Window

STRUCK = [Struck("hung", Window(100, 200), None), Struck("killed", Window(300, 400), 1)]


def told(fallback: Attempt) -> dict[str, Course]:
    asked = Asked("ann", 0, [Attempt(50, 290), Attempt(295, 301, code=200, arm="control")])
    posted = Posted("ann", "converted", 310, 1.0, posts=2, is_acknowledged=True)
    verdict = Verdict(
        [Broken(Promise.FAILED, "a cut", 290), Broken(Promise.LOST, "some tallies")], [Forgiven(299, 300)]
    )
    courses = Courses(STRUCK)
    courses.tell(Memory([asked, Asked("bob", 0, [fallback])], {"ann/0": posted}), verdict)
    return courses.by_name


def test_everything_is_told_to_the_last_fault_before_it() -> None:
    found = told(Attempt(150, 160, code=200, arm="candidate1", version="1"))
    hung, killed = found["hung"], found["killed"]
    assert (hung.cut, killed.cut) == (1, 0)
    assert (hung.requests, killed.requests, killed.longest_us) == (1, 1, 251)
    assert hung.met == 1
    assert (killed.outcomes, killed.again, killed.forgiven, killed.before_us) == (1, 1, 1, 1)
    assert hung.count(list(Promise)) == 2
    assert killed.broken == []


@pytest.mark.parametrize(
    ("began_us", "arm", "version"),
    [(150, "candidate1", "2"), (150, "control", "1"), (350, "candidate1", "1")],
)
def test_a_fault_that_nobody_met_is_complained_of(began_us: int, arm: str, version: str) -> None:
    found = told(Attempt(began_us, began_us + 9, code=200, arm=arm, version=version))
    assert found["hung"].count([Promise.NOT_MET]) == 1
    assert found["killed"].count([Promise.NOT_MET]) == 0


def test_no_figure_of_a_round_is_forgotten() -> None:
    one = Course(1, 2, 3, 4, 5, 6, 7, 8, 9, [Broken(Promise.FAILED, "it")])
    whole = Course()
    whole.add(one)
    assert all(getattr(whole, each.name) == getattr(one, each.name) for each in fields(Course))
