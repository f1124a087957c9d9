"""The whole course: faults of two control planes over PostgreSQL, then those of a single house."""

from __future__ import annotations

import random
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.control.course import Decided
from tests.faults.control.faults import FAULTS, Fault
from tests.faults.control.opening import opened
from tests.faults.control.rounds import Rounds
from tests.faults.page import Run


@dataclass(slots=True)
class Lived:
    """What a run came to."""

    courses: dict[str, Decided] = field(default_factory=dict)
    recomputed: int = 0
    """Decisions, each once."""


def live(names: Collection[str], run: Run, kept: Path | None) -> Lived:
    """Strike with all of these in so many rounds; each of them has its own place in the order of all."""
    lived = Lived()
    for is_house in (False, True):
        faults = {
            name: fault for name, fault in FAULTS.items() if name in names and fault.is_of_house is is_house
        }
        if faults:
            _live_in(lived, faults, run, kept, is_house=is_house)
    return lived


def _live_in(
    lived: Lived, faults: Mapping[str, Fault], run: Run, kept: Path | None, *, is_house: bool
) -> None:
    began_s = time.monotonic()
    with opened(is_house=is_house) as plane:
        rounds = Rounds(plane, faults, random.Random(run.seed), kept)  # noqa: S311 (a story)
        for number in range(1, run.times + 1):
            rounds.live()
            seconds, what = time.monotonic() - began_s, "of a house" if is_house else "of two control planes"
            print(f"round {number} {what}: {seconds:.0f} s, {rounds.broken} broken", flush=True)
        rounds.end()
    lived.courses |= rounds.courses
    lived.recomputed += rounds.recomputed
