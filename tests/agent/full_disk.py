"""Records while no file may grow, and again when they may: python -m tests.agent.full_disk FOLDER ADDRESS."""

from __future__ import annotations

import resource
import sys
import threading
from pathlib import Path

from tests.agent.node import recorder


def main() -> None:
    """Let some steps fail at every file they write, and the others not."""
    folder, address = Path(sys.argv[1]), sys.argv[2]
    _, largest = resource.getrlimit(resource.RLIMIT_FSIZE)
    stop = threading.Event()
    with recorder(folder, address) as (hand, _):
        # What a step writes first is small; what it writes last is larger.
        for limit in (0, 200, 5_000):
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, largest))
            threading.Timer(0.1, stop.set).start()
            hand.run(stop, interval_s=0.01)
            stop.clear()
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
        if not hand.step():
            sys.exit("the last step failed")


if __name__ == "__main__":
    main()
