"""Which split this node's requests met, and when: noted before Envoy may use one, trusted after its word."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from rollout.agent.journal import Journal
from rollout.domain.assignment import Placement, Split
from rollout.envoy.publication import Live


class Stamps:
    """Writes the journal of splits; `writing` and `acknowledged` are for the proxy to call."""

    def __init__(self, journal: Journal, *, now_us: Callable[[], int]) -> None:
        self._journal, self._now_us = journal, now_us
        self._turn = threading.Lock()
        self._revisions: dict[str, int] = {}
        self._known: dict[str, int] = {}
        """The split that is certain; of an experiment in a change, none is."""
        self._written: str | None = None
        self.longest_request_us: int | None = None
        """How long a request may take under anything followed so far; unknown until then."""

    def follow(self, placements: Iterable[Placement]) -> None:
        """Take note of these experiments from now on, and of no others."""
        with self._turn:
            found = tuple(placements)
            self._revisions = {one.policy.name: one.revision for one in found}
            self._known = {name: split for name, split in self._known.items() if name in self._revisions}
            timeouts_us = [int(one.policy.resilience.timeout_s * 1e6) for one in found]
            if timeouts_us:
                self.longest_request_us = max(self.longest_request_us or 0, *timeouts_us)

    def writing(self, live: Live) -> None:
        """Note the splits that Envoy may begin to use at any moment from now on."""
        with self._turn:
            self._written = live.weights
            for name, split in self._splits(live):
                if self._known.pop(name, None) != split:
                    self._journal.published(name, split, self._now_us())
                else:
                    self._known[name] = split

    def acknowledged(self, live: Live) -> None:
        """Note the splits that Envoy uses by its own word, once that is about the weights written last."""
        if live.weights == self._written:
            self._written = None
            self.settle(live)

    def settle(self, live: Live) -> None:
        """Note the splits that Envoy certainly uses."""
        with self._turn:
            for name, split in self._splits(live):
                if self._known.get(name) != split:
                    self._known[name] = split
                    self._journal.acknowledged(name, split, self._now_us())

    def _splits(self, live: Live) -> list[tuple[str, int]]:
        revisions = self._revisions.items()
        return [(name, live.splits.get((name, number), Split()).steps_on) for name, number in revisions]
