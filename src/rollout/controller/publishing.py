"""What is recorded of all runs goes to the proxies, whole: no route is lost, whatever cannot be read."""

from __future__ import annotations

import threading

from rollout.controller.noting import Noting
from rollout.domain.assignment import Placement
from rollout.domain.experiment import Phase, placement_of
from rollout.errors import Problem, Retry, Stop
from rollout.ports import Ledger, Published, Standing, Traffic, Unread


class Publishing:
    """Publishes in turns, and knows what came of the last one; after a restart nobody knows."""

    def __init__(self, ledger: Ledger, traffic: Traffic) -> None:
        self._ledger, self._traffic = ledger, traffic
        self._turn = threading.Lock()
        self._last: Published | None = None
        self._placed: dict[str, Placement | None] = {}
        """What was derived last of each run: it stays as it is while the run cannot be read."""

    def confirms(self, name: str) -> bool | None:
        """Return whether one policy's split was live everywhere, or None before the first publication."""
        return None if self._last is None else self._last.confirms(name)

    def publish(self, name: str, problems: list[Exception]) -> bool:
        """Publish what is recorded of all runs, and return whether one policy's split is live everywhere."""
        # Read inside the turn: what is published last is then never older than what was recorded first.
        with self._turn, Noting(problems):
            published = Published(is_live=False)
            try:
                wanted = [self._placement(one) for one in self._ledger.served()]
                published = self._traffic.publish(tuple(one for one in wanted if one is not None))
            finally:
                self._last = published
            if published.confirms(name):
                return True
            what = published.refusal or "not every proxy confirms the recorded split"
            raise Retry(Problem("traffic", what, "it is published again; see the proxies' own logs"))
        return False

    def _placement(self, one: Standing | Unread) -> Placement | None:
        """Return a run's route, of one that cannot be read the last known one, or None when it is retired."""
        if isinstance(one, Unread):
            if one.uid in self._placed:
                return self._placed[one.uid]
            what = f"{one.problem.what}, so what its route was is not known"
            remedy = f"nothing is published, so that no route is lost; {one.problem.remedy}"
            raise Stop(Problem(one.problem.where, what, remedy))
        run = one.experiment
        placement = None if run.phase is Phase.RETIRED else placement_of(run)
        self._placed[run.uid] = placement
        return placement
