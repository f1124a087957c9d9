"""A postman with a real outbox and a real receiver, which ends itself without a word at a named point.

`python -m tests.notify.killed FOLDER POINT AT_US` sends all that is due at that time by its own clock;
POINT is `before-send` or `after-send`.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from rollout.domain.news import Letter
from rollout.notify.couriers import Couriers
from rollout.notify.postman import Postman
from rollout.notify.receivers import Receivers
from rollout.ports import Delivered
from rollout.store.database import Database
from rollout.store.outbox import SqlOutbox


class Doomed:
    """Sends as the real one does, unless it is killed first."""

    def __init__(self, couriers: Couriers, point: str) -> None:
        self._couriers, self._point = couriers, point

    def names(self) -> frozenset[str]:
        return self._couriers.names()

    def stop(self) -> None:
        self._couriers.stop()

    def send(self, receiver: str, letter: Letter) -> Delivered:
        if self._point == "before-send":
            os.kill(os.getpid(), signal.SIGKILL)
        delivered = self._couriers.send(receiver, letter)
        os.kill(os.getpid(), signal.SIGKILL)
        return delivered


def main(folder: Path, point: str, at_us: int) -> None:
    """Send until nothing is due."""
    database = Database.writer(folder / "control.db")
    notifier = Doomed(Couriers(Receivers(folder / "receivers.toml")), point)
    postman = Postman(SqlOutbox(database), notifier, now_us=lambda: at_us, chance=lambda: 0.5)
    while postman.step():
        pass
    database.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
