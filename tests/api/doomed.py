"""A door for outcomes that its test kills: python -m tests.api.doomed FOLDER prints its address."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from rollout.agent.spool import Spool
from rollout.api.access import application_of
from rollout.api.allowance import Allowance
from rollout.api.app import create_app
from rollout.api.applications import Applications
from rollout.api.outcomes import Door, outcomes_router
from rollout.api.told import Meaning, Remembered
from tests.api.serving import TOKEN, serving
from tests.lake.histories import BEGIN_US, HASHING

METRICS = {
    "bought": frozenset([Meaning.DID_IT]),
    "clicked": frozenset([Meaning.DID_IT]),
    "visits": frozenset([Meaning.TIMES]),
    "revenue": frozenset([Meaning.AMOUNT]),
    "views": frozenset([Meaning.DIVISOR]),
    "both": frozenset([Meaning.DID_IT, Meaning.AMOUNT]),
}
NOW_US = BEGIN_US + 30_000_000


def door(folder: Path, *, per_s: float = 1e6, burst: float = 1e6) -> Door:
    """Return a door whose clocks stand still."""
    allowance = Allowance(per_s, burst, now_s=lambda: 0.0)
    asked = Remembered(lambda: METRICS, now_s=lambda: 0.0)
    return Door(HASHING, Spool(folder / "outcomes.jsonl"), asked, lambda: NOW_US, allowance)


def main() -> None:
    """Serve until killed."""
    app = create_app([outcomes_router(door(Path(sys.argv[1])), application_of([TOKEN], Applications()))])
    with serving(app) as address:
        sys.stdout.write(f"{address}\n")
        sys.stdout.flush()
        threading.Event().wait(60)


if __name__ == "__main__":
    main()
