"""A door for outcomes that its test kills: python -m tests.api.doomed FOLDER prints its address."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from rollout.agent.spool import Spool
from rollout.api.access import bearer
from rollout.api.app import create_app
from rollout.api.outcomes import Door, outcomes_router
from rollout.domain.metric import MetricType
from tests.api.serving import TOKEN, serving
from tests.lake.histories import BEGIN_US, HASHING

METRICS = {"bought": MetricType.BINARY, "clicked": MetricType.BINARY}
NOW_US = BEGIN_US + 30_000_000


def door(folder: Path) -> Door:
    """Return a door whose clock stands still."""
    return Door(HASHING, Spool(folder / "outcomes.jsonl"), lambda: METRICS, lambda: NOW_US)


def main() -> None:
    """Serve until killed."""
    app = create_app([outcomes_router(door(Path(sys.argv[1])), bearer([TOKEN]))])
    with serving(app) as address:
        sys.stdout.write(f"{address}\n")
        sys.stdout.flush()
        threading.Event().wait(60)


if __name__ == "__main__":
    main()
