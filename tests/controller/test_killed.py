"""A controller that is killed at any of the named points goes on as if nothing had been: on real parts."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rollout.controller.reconcile import Point
from rollout.domain.experiment import Phase
from rollout.store.database import Database
from rollout.store.ledger import SqlLedger
from tests.command import ROOT
from tests.controller.killed import UID

ENDINGS = {
    "promote": (Phase.PROMOTED, ["GOAL_PROVEN", "PROMOTION_DONE", "WATCH_PASSED"]),
    "rollback": (Phase.ROLLED_BACK, ["METRIC_HARMED", "ROLLBACK_DONE"]),
}


@pytest.mark.parametrize("point", Point)
@pytest.mark.parametrize("ending", ENDINGS)
def test_each_decision_and_each_action_is_done_once(ending: str, point: Point, tmp_path: Path) -> None:
    if ending == "rollback":
        (tmp_path / "is-broken").touch()
    arguments = [sys.executable, "-m", "tests.controller.killed", str(tmp_path), point, "9"]
    killed = subprocess.run(arguments, cwd=ROOT, timeout=120, check=False)
    assert killed.returncode == -signal.SIGKILL
    again = subprocess.run(arguments, cwd=ROOT, timeout=120, check=False)
    assert again.returncode == 0
    database = Database.writer(tmp_path / "control.db")
    ledger = SqlLedger(database, new_uid=lambda: UID, digest=lambda policy: policy.name)
    phase, reasons = ENDINGS[ending]
    (run,) = ledger.runs()
    entries = ledger.history(UID)
    database.close()
    assert run.experiment.phase is phase
    decided = [entry.decision.reason.name for entry in entries]
    assert [reason for reason in decided if not reason.endswith("_RUNNING")] == reasons
    assert (tmp_path / "effects").read_text() == f"{ending} {UID}\n"
