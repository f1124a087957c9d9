"""Beside the intake: what ended runs have counted in detail makes room for those that run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Final

import structlog

from rollout.domain.records import Run
from rollout.ports import Standing, Unread
from rollout.store.counts import Counts

EVERY_S: Final = 600.0
_LOG = structlog.get_logger(part="intake")


class Retiring:
    """Asks now and then which runs are served, and has the counts drop the details of the others."""

    def __init__(
        self, counts: Counts, served: Callable[[], Iterable[Standing | Unread]], *, now_us: Callable[[], int]
    ) -> None:
        self._counts, self._served, self._now_us = counts, served, now_us

    def run(self, ending: threading.Event) -> None:
        """Do so until it ends."""
        while not ending.wait(EVERY_S):
            try:
                self.once()
            except Exception as error:  # noqa: BLE001 (what cannot be dropped now can be later)
                _LOG.warning("the details of ended runs stay for now", problem=str(error))

    def once(self) -> None:
        """Drop what no served run needs; while one cannot be read, nobody knows, and everything stays."""
        found = tuple(self._served())
        runs = [one.experiment for one in found if isinstance(one, Standing)]
        if len(runs) == len(found):
            self._counts.retire({Run(one.policy.name, one.revision) for one in runs}, self._now_us())
