"""The whole house, which ends itself without a word once at each point of a tick, for each run that moves.

`python -m tests.e2e.doomed FOLDER PROXY_PORT CONTROL_PORT` serves until told to end, or ends itself.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from rollout.cli.up import wait_until_told
from rollout.controller.reconcile import Point
from rollout.domain.experiment import Experiment, Phase
from rollout.domain.judge import Patience
from rollout.wiring.house import open_house

PATIENCE = Patience(stale_after_us=15_000_000, grace_us=1_000_000)
MOVING = {Phase.PROMOTING, Phase.ROLLING_BACK}


def main(folder: Path, proxy_port: int, control_port: int) -> None:
    """Serve until told to end."""

    def passing(passed: Point, experiment: Experiment) -> None:
        killed = folder / f"killed-{experiment.policy.name}-{passed}"
        if experiment.phase in MOVING and not killed.exists():
            killed.touch()
            os.kill(os.getpid(), signal.SIGKILL)

    with open_house(
        folder, proxy_port=proxy_port, control_port=control_port, patience=PATIENCE, passing=passing
    ):
        print("open", flush=True)  # noqa: T201 (whoever started this waits for it)
        wait_until_told()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
