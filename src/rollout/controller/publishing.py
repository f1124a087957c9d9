"""What is recorded of all runs goes to the proxies, whole: no route is lost, whatever cannot be read."""

from __future__ import annotations

import threading
from typing import Final

from rollout.controller.noting import Noting
from rollout.domain.assignment import Placement
from rollout.domain.experiment import Experiment, Phase, placement_of
from rollout.errors import Problem, Retry, Stop
from rollout.ports import Ledger, Published, Standing, Traffic, Unread

FRESH_US: Final = 500_000
"""So long one publication stands for every run that it published as recorded: with many runs many ticks ask
at once, and each publication is of all runs."""


class Publishing:
    """Publishes in turns, and knows what came of the last one; after a restart nobody knows."""

    def __init__(self, ledger: Ledger, traffic: Traffic) -> None:
        self._ledger, self._traffic = ledger, traffic
        self._turn = threading.Lock()
        self._last: Published | None = None
        self._last_us: int | None = None
        """When the last publication was that did not fail."""
        self._last_problems: tuple[Exception, ...] = ()
        self._placed: dict[str, tuple[Experiment, Placement | None]] = {}
        """Of each run the state that was read last and what follows from it, also while it cannot be read."""

    def confirms(self, name: str) -> bool | None:
        """Return whether one policy's split was live everywhere, or None before the first publication."""
        return None if self._last is None else self._last.confirms(name)

    def publish(self, experiment: Experiment, now_us: int, problems: list[Exception]) -> bool:
        """Have all runs published as recorded, and return whether this one's split is live everywhere."""
        with self._turn, Noting(problems):
            # Asked inside the turn: who waited for a publication that had this run in it needs no other.
            if not self._stands(experiment, now_us):
                self._publish_all(now_us)
            problems += self._last_problems
            published = self._last or Published(is_live=False)
            if published.confirms(experiment.policy.name):
                return True
            what = published.refusal or "not every proxy confirms the recorded split"
            raise Retry(Problem("traffic", what, "it is published again; see the proxies' own logs"))
        return False

    def _stands(self, experiment: Experiment, now_us: int) -> bool:
        """Return whether the last publication had this run as it is recorded, and is a moment old at most."""
        if self._last_us is None or abs(now_us - self._last_us) >= FRESH_US:
            return False
        if experiment.uid not in self._placed:
            return False
        placed_from, placement = self._placed[experiment.uid]
        return placed_from is experiment or placement == _placement(experiment)

    def _publish_all(self, now_us: int) -> None:
        """Publish every run; read now, so that what is published last is no older than what was recorded."""
        self._last, self._last_us = Published(is_live=False), None
        problems: list[Exception] = []
        wanted, kept = self._wanted(problems)
        self._last_problems = tuple(problems)
        self._last, self._last_us = self._traffic.publish(wanted, kept=kept), now_us

    def _wanted(self, problems: list[Exception]) -> tuple[tuple[Placement, ...], frozenset[str]]:
        """Return every route, and whose route stays as it is because nobody here knows what it was."""
        served = self._ledger.served()
        unread = [one for one in served if isinstance(one, Unread)]
        problems += [Stop(one.problem) for one in unread]
        kept = frozenset(one.name for one in unread if one.uid not in self._placed)
        runs = [one.experiment for one in served if isinstance(one, Standing)]
        for run in runs:
            if run.uid not in self._placed or self._placed[run.uid][0] is not run:
                self._placed[run.uid] = (run, _placement(run))
        uids = [one.uid if isinstance(one, Unread) else one.experiment.uid for one in served]
        self._placed = {uid: self._placed[uid] for uid in uids if uid in self._placed}
        routes = (route for _, route in self._placed.values())
        return tuple(route for route in routes if route is not None), kept


def _placement(run: Experiment) -> Placement | None:
    """Return what proxies should know of a run: of a retired one nothing."""
    return None if run.phase is Phase.RETIRED else placement_of(run)
