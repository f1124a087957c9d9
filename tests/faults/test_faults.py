"""A few faults under load, once each; `make faults` strikes with all of them, again and again."""

from __future__ import annotations

from random import Random

import pytest

from tests.faults.faults import FAULTS
from tests.faults.opening import opened
from tests.faults.processes import IS_WATCHED
from tests.faults.rounds import Rounds

FEW = ("candidate-killed", "candidate-resetting", "envoy-killed", "log-renamed")


@pytest.mark.slow
@pytest.mark.skipif(not IS_WATCHED, reason="processes are watched through /proc")
def test_nobody_notices_and_nothing_is_lost() -> None:
    with opened(()) as stage:
        rounds = Rounds(stage, {name: FAULTS[name] for name in FEW}, Random(1))  # noqa: S311 (a story)
        rounds.live()
        rounds.end()
    assert [str(one) for course in rounds.courses.values() for one in course.broken] == []
    assert all(course.met for course in rounds.courses.values())
