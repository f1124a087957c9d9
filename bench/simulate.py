"""How long a thousand lives of a fortnight take, beside the same lives one at a time.

`python -m bench.simulate` prints the figures, and with `--write` puts them into docs/simulate.md.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from rollout.controller.zones import may_move_up
from rollout.domain.policy import Hold, Policy, Step
from rollout.simulation.lives import Course, Lives
from rollout.simulation.scenario import Scenario
from rollout.simulation.schedule import look_times
from rollout.simulation.simulate import simulate
from tests.domain.examples import POLICY

PAGE = Path(__file__).parents[1] / "docs" / "simulate.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
REPLICATES, PROCESSES, ALONE = 1_000, 2, 3
EVERY_S, HOUR_S, DAY_S = 900.0, 3_600.0, 86_400.0
_STEPS = ((100, 0.5 * DAY_S), (500, DAY_S), (2_000, 1.5 * DAY_S))


@dataclass(frozen=True, slots=True)
class Measured:
    """How long all lives took together, and one of them alone, and how many looks they had."""

    replicates: int
    wall_s: float
    processor_s: float
    """Of all processes together; on a busy machine the wall's clock says less."""
    alone_s: float
    """Processor time of one life, drawn alone."""
    lived: int
    """Looks that were taken in all lives together."""

    @property
    def ratio(self) -> float:
        """How many times as much work the same lives are one at a time."""
        return self.alone_s * self.replicates / self.processor_s


def policy() -> Policy:
    """Return a policy of four steps that gives up after a fortnight."""
    timed = [Step(weight, Hold(for_s=lasts_s)) for weight, lasts_s in _STEPS]
    last_s = 14 * DAY_S - sum(lasts_s for _, lasts_s in _STEPS)
    last = Step(5_000, Hold(until_verdict=True, at_most_s=last_s))
    expect = replace(POLICY.expect, units_per_day=400_000.0, requests_per_s=200.0)
    return replace(POLICY, steps=(*timed, last), expect=expect)


def measured(*, replicates: int = REPLICATES, alone: int = ALONE) -> Measured:
    """Measure A/A lives: they are the longest, for hardly any ends before its deadline."""
    course = Course(policy(), Scenario(), EVERY_S, may_move_up)
    begin, before_s = time.perf_counter(), _children_s()
    found = simulate(course, replicates=replicates, seed=1, processes=PROCESSES, on_progress=lambda _: None)
    wall_s, processor_s = time.perf_counter() - begin, _children_s() - before_s
    begin = time.process_time()
    for seed in range(alone):
        Lives(course, np.random.default_rng(seed), 1).run(lambda _look, _looks: None)
    alone_s = (time.process_time() - begin) / alone
    times = look_times(course.policy, course.scenario, EVERY_S)
    lived = sum(int(np.searchsorted(times, one.at_s, side="right")) for one in found.endings)
    return Measured(replicates, wall_s, processor_s, alone_s, lived)


def _children_s() -> float:
    """Return the processor time of the processes that this one has started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def lines(found: Measured) -> list[str]:
    """Return the figures as Markdown."""
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    each_us = found.processor_s / found.lived * 1e6
    return [
        f"Measured on {machine}, numpy {np.__version__}.",
        "",
        f"| {found.replicates:,} lives of 14 days, 4 steps, a look every 15 minutes | |",
        "|---|---:|",
        f"| together, in {PROCESSES} processes, by the clock on the wall | {found.wall_s:.0f} s |",
        f"| processor time of each process | {found.processor_s / PROCESSES:.0f} s |",
        f"| looks at a life, in the mean | {found.lived // found.replicates:,} |",
        f"| one look at one life: drawn, judged, decided | {each_us:.0f} µs |",
        f"| one life, drawn alone | {found.alone_s:.1f} s |",
        f"| the same lives one at a time: so many times the work | {found.ratio:.0f} |",
    ]


def main() -> None:
    """Measure and show."""
    parser = argparse.ArgumentParser(prog="python -m bench.simulate", description=__doc__)
    parser.add_argument("--write", action="store_true", help="put the figures into docs/simulate.md")
    options = parser.parse_args()
    text = "\n".join(lines(measured()))
    print(text)
    if options.write:
        before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
        page = f"{before}{BEGIN}\n{text}\n{END}{rest.split(END)[1]}"
        PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
