"""A controller with a real ledger and real actions, which ends itself without a word at a named point.

`python -m tests.controller.killed FOLDER POINT LOOKS` makes so many ticks, one second apart by its own clock;
it is killed the first time that it passes the point in that folder.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

from rollout.commands.jobs import LocalCommands
from rollout.commands.supervise import BEGUN
from rollout.controller.reconcile import Point, Reconciler, World
from rollout.domain.experiment import Experiment, Phase
from rollout.domain.policy import Actions, LocalCommand, Policy, Resilience
from rollout.store.database import Database
from rollout.store.ledger import SqlLedger
from tests.controller.worlds import Readings
from tests.domain.examples import POLICY
from tests.domain.scenes import HOUR_US, NOW_US, SECOND_US, evidence
from tests.simulation.fakes import MemoryTraffic

UID = "a1b2c3d4"


def policy(folder: Path) -> Policy:
    """Return a policy whose actions leave a line each."""
    promote, rollback = (
        LocalCommand(("/bin/sh", "-c", f"echo {name} $ROLLOUT_UID >> {folder}/effects"))
        for name in ("promote", "rollback")
    )
    actions = Actions(promote, rollback)
    return replace(POLICY, resilience=Resilience(falls_back=False), actions=actions, watch_s=3.0)


def main(folder: Path, point: str, looks: int) -> None:
    """Tick until killed or done."""
    database = Database.writer(folder / "control.db")
    ledger = SqlLedger(database, new_uid=lambda: UID, digest=lambda one: one.name)
    if not ledger.runs():
        started = ledger.start(policy(folder), NOW_US - 72 * HOUR_US)
        last = replace(started.experiment, step=2, step_entered_us=NOW_US - 48 * HOUR_US, fresh_us=NOW_US)
        assert ledger.record(started, last, None)
    readings = Readings()
    readings.reading = evidence(errors=0.2 if (folder / "is-broken").exists() else 0.0005)
    jobs = LocalCommands(folder / "jobs", working_folder=folder)

    def passing(passed: Point, _experiment: Experiment) -> None:
        if passed == point and not (folder / "was-killed").exists():
            (folder / "was-killed").touch()
            os.kill(os.getpid(), signal.SIGKILL)

    reconciler = Reconciler(World(ledger, readings, MemoryTraffic(), jobs), passing=passing)
    for look in range(looks):
        tick = reconciler.tick(UID, NOW_US + look * SECOND_US)
        if tick is None or tick.experiment.phase in {Phase.PROMOTED, Phase.ROLLED_BACK}:
            break
        for folder_of_job in (folder / "jobs").glob("*"):
            while (folder_of_job / BEGUN).exists() and jobs.ended(folder_of_job.name) is None:
                time.sleep(0.01)
    database.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
