"""The whole course: faults of two control planes over PostgreSQL and, at the same time, of a single house."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Collection, Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.faults.control.course import Decided
from tests.faults.control.faults import HOUSES, PLANES, Fault
from tests.faults.control.opening import opened
from tests.faults.control.page import lines
from tests.faults.control.rounds import Rounds
from tests.faults.page import Run

SHOWN_EVERY: Final = 5
"""Figures are printed after so many rounds: a long course may be cut off."""


@dataclass(slots=True)
class Lived:
    """What a run came to."""

    courses: dict[str, Decided] = field(default_factory=dict)
    recomputed: int = 0
    """Decisions, each once."""


def live(names: Collection[str], run: Run, kept: Path | None) -> Lived:
    """Strike with all of these in so many rounds; a lease takes its time, which the house makes use of."""
    leaving, lived = threading.Event(), Lived()
    chosen = [{name: one for name, one in faults.items() if name in names} for faults in (PLANES, HOUSES)]
    with ThreadPoolExecutor() as pool:
        parts = [pool.submit(_live, faults, run, kept, leaving) for faults in chosen if faults]
        try:
            wait(parts, return_when=FIRST_EXCEPTION)
        finally:
            leaving.set()  # whoever is told to end, or fails, waits for the other one's present round
    for rounds in (part.result() for part in parts):
        lived.courses |= rounds.courses
        lived.recomputed += rounds.recomputed
    return lived


def _live(faults: Mapping[str, Fault], run: Run, kept: Path | None, leaving: threading.Event) -> Rounds:
    began_s = time.monotonic()
    is_house = any(one.is_of_house for one in faults.values())
    with opened(is_house=is_house) as plane:
        rounds = Rounds(plane, faults, random.Random(run.seed), kept)  # noqa: S311 (a story)
        for number in range(1, run.times + 1):
            if leaving.is_set():
                break
            rounds.live()
            seconds, what = time.monotonic() - began_s, "of a house" if is_house else "of two control planes"
            print(f"round {number} {what}: {seconds:.0f} s, {rounds.broken} broken", flush=True)
            if number % SHOWN_EVERY == 0:
                print("\n".join(lines(rounds.courses, Run(number, run.seed), rounds.recomputed)), flush=True)
        rounds.end()
    return rounds
