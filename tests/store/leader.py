"""A process that leads and records as fast as it can, until it may not: the tests pause and wake it."""

from __future__ import annotations

import sys
import time

from rollout.errors import NotLeader, Retry
from rollout.store.database import Database
from rollout.store.leadership import Leadership
from rollout.store.postgres import Limits
from tests.store.test_leadership import ledger_of, record_once


def main(address: str, lease_s: float) -> None:
    """Lead, and say so; then record until another one leads, and say how often."""
    database = Database.writer(address, limits=Limits(idle_s=lease_s))
    lease = Leadership(database, holder="child", lease_s=lease_s).stand()
    assert lease is not None
    ledger = ledger_of(lease.database)
    print("leads", flush=True)  # noqa: T201
    written, is_over = 0, False
    while not is_over:
        try:
            written += record_once(ledger)
            is_over = not lease.renew()
        except NotLeader:
            # Its time may only be over: as long as nobody else was elected, it goes on.
            is_over = not lease.renew()
        except Retry:
            # It was paused within a transaction, which the server has ended.
            continue
        time.sleep(0.005)
    print("over", written, lease.renew(), flush=True)  # noqa: T201
    database.close()


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
