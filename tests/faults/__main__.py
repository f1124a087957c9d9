"""`make faults` and `make chaos`: breaks everything under load, again and again, and shows what it cost."""

from __future__ import annotations

import argparse
import os
import secrets
import signal
import sys
import time
from collections.abc import Collection, Mapping
from enum import StrEnum
from functools import partial
from pathlib import Path
from random import Random

from tests.faults import page
from tests.faults.control import faults as control
from tests.faults.control import page as decided_page
from tests.faults.control.live import live
from tests.faults.course import Course
from tests.faults.faults import FAULTS
from tests.faults.opening import missing, opened
from tests.faults.processes import IS_WATCHED
from tests.faults.rounds import Rounds
from tests.faults.strike import Fault

SHOWN = 20
"""How many broken promises of one fault are printed; all are counted."""


class Part(StrEnum):
    """What is struck at."""

    DATA = "data"
    """Requests and records: models, Envoy, nodes, and one control plane as a whole."""
    CONTROL = "control"
    """Decisions: leaders, standbys and their database."""


def main() -> int:
    """Strike, check and show; return 1 when a promise does not hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--times", type=int, default=1, help="how often each fault strikes")
    parser.add_argument("--seed", type=int, default=None, help="of the order, the pauses and the users")
    parser.add_argument("--course", action="append", choices=list(Part), help="this one alone")
    known = sorted({*FAULTS, *control.FAULTS})
    parser.add_argument("--only", action="append", choices=known, help="this fault; may be repeated")
    parser.add_argument("--write", action="store_true", help=f"put the figures into docs/{page.PAGE.name}")
    parser.add_argument("--keep", type=Path, help="copy the state here when a promise breaks first")
    chosen = parser.parse_args()
    if not IS_WATCHED:
        print("faults: processes are watched through /proc, which this system has not: nothing is checked")
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("faults: told to end"))
    seed = secrets.randbits(32) if chosen.seed is None else chosen.seed
    run = page.Run(chosen.times, seed)
    wanted = set(chosen.only or known)
    courses = {
        Part.DATA: partial(_strike_data, wanted & set(FAULTS), run, chosen.keep),
        Part.CONTROL: partial(_strike_control, wanted & set(control.FAULTS), run, chosen.keep),
    }
    broken = [courses[part](is_written=chosen.write) for part in chosen.course or Part]
    return int(any(broken))


def _strike_data(names: Collection[str], run: page.Run, kept: Path | None, *, is_written: bool) -> bool:
    """Strike at requests and records; return whether a promise broke."""
    faults = _possible({name: fault for name, fault in FAULTS.items() if name in names})
    if not faults:
        return False
    print(f"faults: {len(faults)}, {run.times} times each, in the order of --seed {run.seed}", flush=True)
    courses = _live(faults, run, kept)
    print("\n".join(page.lines(courses, run)))
    if is_written:
        page.write(courses, run)
    return _told(courses)


def _strike_control(names: Collection[str], run: page.Run, kept: Path | None, *, is_written: bool) -> bool:
    """Strike at what decides; return whether a promise broke."""
    if not names:
        return False
    print(f"faults of what decides: {len(names)}, {run.times} rounds of --seed {run.seed}", flush=True)
    lived = live(names, run, kept)
    print("\n".join(decided_page.lines(lived.courses, run, lived.recomputed)))
    if is_written:
        decided_page.write(lived.courses, run, lived.recomputed)
    return _told({name: course.users for name, course in lived.courses.items()})


def _told(courses: Mapping[str, Course]) -> bool:
    for name, course in courses.items():
        for one in course.broken[:SHOWN]:
            print(f"{name}: {one}")
    return any(course.broken for course in courses.values())


def _live(faults: Mapping[str, Fault], run: page.Run, kept: Path | None) -> Mapping[str, Course]:
    began_s = time.monotonic()
    with opened({fault.needs for fault in faults.values() if fault.needs}) as stage:
        rounds = Rounds(stage, faults, Random(run.seed), kept)  # noqa: S311 (a story)
        for number in range(1, run.times + 1):
            rounds.live()
            print(f"round {number}: {time.monotonic() - began_s:.0f} s, {rounds.broken} broken", flush=True)
        rounds.end()
        return rounds.courses


def _possible(faults: Mapping[str, Fault]) -> Mapping[str, Fault]:
    """Return what can be struck with here; whoever guards promises must have all that is needed."""
    lacking = missing({fault.needs for fault in faults.values() if fault.needs})
    for need, why in lacking.items():
        print(f"faults: without {need}: {why}", flush=True)
    if lacking and "CI" in os.environ:
        raise SystemExit(1)
    return {name: fault for name, fault in faults.items() if fault.needs not in lacking}


if __name__ == "__main__":
    sys.exit(main())
