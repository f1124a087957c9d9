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
                wanted, kept = self._wanted(problems)
                published = self._traffic.publish(wanted, kept=kept)
            finally:
                self._last = published
            if published.confirms(name):
                return True
            what = published.refusal or "not every proxy confirms the recorded split"
            raise Retry(Problem("traffic", what, "it is published again; see the proxies' own logs"))
        return False

    def _wanted(self, problems: list[Exception]) -> tuple[tuple[Placement, ...], frozenset[str]]:
        """Return every route, and whose route stays as it is because nobody here knows what it was."""
        served = self._ledger.served()
        unread = [one for one in served if isinstance(one, Unread)]
        problems += [Stop(one.problem) for one in unread]
        kept = frozenset(one.name for one in unread if one.uid not in self._placed)
        runs = [one.experiment for one in served if isinstance(one, Standing)]
        retired = Phase.RETIRED
        self._placed |= {run.uid: None if run.phase is retired else placement_of(run) for run in runs}
        uids = [one.uid if isinstance(one, Unread) else one.experiment.uid for one in served]
        routes = (self._placed.get(uid) for uid in uids)
        return tuple(route for route in routes if route is not None), kept
