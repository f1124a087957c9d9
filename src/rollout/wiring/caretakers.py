"""What looks after lake and counts as long as a control plane leads: merging, expiry, room for what runs."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from rollout.domain.experiment import ENDED
from rollout.intake.evidence import RecordedEvidence
from rollout.intake.retiring import Retiring
from rollout.lake.compact import Compactor
from rollout.lake.expiry import Retention, oldest_needed_us
from rollout.lake.keeping import Keeping
from rollout.ports import Ledger, Unread
from rollout.store.counts import Counts
from rollout.wiring.leading import Mandate
from rollout.wiring.parts import now_us, run


def run_caretakers(  # noqa: PLR0913, PLR0917 (each is one thing that they look at)
    held: ExitStack,
    lake: Path,
    keeping: Keeping,
    counts: Counts,
    ledger: Ledger,
    recorded: RecordedEvidence,
    mandate: Mandate,
) -> None:
    """Have everything looked after until the stack ends."""
    retention = Retention(
        keeping, lambda: oldest_needed_us(ledger.served()), partial(_sum_up, ledger, recorded)
    )
    compactor = Compactor(lake, counts.cursors, now_s=time.time, retention=retention, leads=mandate.holds)
    ending = threading.Event()
    run(held, "compactor", partial(compactor.run, ending), ending.set)
    retiring = Retiring(counts, ledger.served, now_us=now_us)
    run(held, "retiring", partial(retiring.run, ending), ending.set)


def _sum_up(ledger: Ledger, evidence: RecordedEvidence, horizon_us: int) -> bool:
    """Have no running experiment need requests before a horizon; false while one cannot be read."""
    running = []
    for one in ledger.served():
        if isinstance(one, Unread):
            return False
        if one.experiment.phase not in ENDED:
            running.append(one.experiment)
    return evidence.sum_up(running, horizon_us, now_us())
