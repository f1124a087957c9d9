"""Is killed at a named point of recording a log: python -m tests.agent.crash FOLDER ADDRESS POINT."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from rollout.agent.recorder import Point
from tests.agent.node import SETTLE_US, recorder, write
from tests.intake.crash import history
from tests.intake.house import NOW_US
from tests.lake.histories import as_lines


def main() -> None:
    """Be killed on the way."""
    folder, address, point = Path(sys.argv[1]), sys.argv[2], Point(sys.argv[3])
    fatal = 1 if point in {Point.FORGOTTEN, Point.DELETED} else 2
    passed: list[Point] = []
    clock = [NOW_US]

    def reached(now: Point) -> None:
        passed.append(now)
        if now is point and passed.count(point) == fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    requests = history()
    with recorder(folder, address, now_us=lambda: clock[0], reached=reached) as (hand, log):
        write(folder, as_lines(requests[:20]))
        log.rotate(clock[0])
        write(folder, as_lines(requests[20:]))
        hand.step()
        clock[0] += SETTLE_US
        hand.step()


if __name__ == "__main__":
    main()
