"""Is killed at a named point of the second segment: python -m tests.intake.crash FOLDER POINT."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from rollout.intake.intake import Point
from tests.intake.house import opened, segment, told
from tests.lake.histories import LIMIT_US, RUN, Request, as_lines, request_at

FIRST = 7
"""Requests of the first segment."""


def history() -> list[Request]:
    """Thirty requests of ten units, some failed, in two arms."""
    return [
        request_at(
            number * 300_000,
            unit=f"unit {number % 10}",
            route=f"ranker/{'control' if number % 2 else 'candidate1'}/1",
            code=500 if number % 7 == 3 else 200,
        )
        for number in range(30)
    ]


def main() -> None:
    """Be killed on the way."""
    folder, point = Path(sys.argv[1]), Point(sys.argv[2])
    passed: list[Point] = []

    def reached(now: Point) -> None:
        passed.append(now)
        if now is point and passed.count(point) == 2:
            os.kill(os.getpid(), signal.SIGKILL)

    first, second = as_lines(history()[:FIRST]), as_lines(history()[FIRST:20])
    with opened(folder, reached=reached) as house:
        house.counts.register(RUN, "latency", limit_us=LIMIT_US, share=0.01)
        house.intake.accept(told(0, len(first)), segment(first))
        house.intake.accept(told(len(first), len(first) + len(second)), segment(second))


if __name__ == "__main__":
    main()
