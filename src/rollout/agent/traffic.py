"""The controller's traffic on this node: splits go to Envoy, and the journal says which one was live when."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Protocol

from rollout.agent.journal import Journal
from rollout.domain.assignment import Placement, Split
from rollout.envoy.publication import Acknowledged, Refused
from rollout.ports import Published


class Publishing(Protocol):
    """What is needed of the proxy."""

    def publish(self, placements: Sequence[Placement]) -> Acknowledged | Refused:
        """Make Envoy serve these placements and no others."""


class NodeTraffic:
    """Publishes to one Envoy, and notes each change of a split before and after it."""

    def __init__(self, proxy: Publishing, journal: Journal, *, now_us: Callable[[], int]) -> None:
        self._proxy, self._journal, self._now_us = proxy, journal, now_us
        self._turn = threading.Lock()
        self._live: dict[str, int] = {}
        self._served: frozenset[tuple[str, int, Split]] = frozenset()
        self.longest_request_us: int | None = None
        """How long a request may take under anything published so far; unknown until then."""

    def serves(self, placement: Placement) -> bool:
        """Return whether Envoy has confirmed this revision and split of a policy, and no other since."""
        return _identity(placement) in self._served

    def publish(self, placements: tuple[Placement, ...]) -> Published:
        """Make Envoy follow these splits, and say whether it does."""
        with self._turn:
            wanted = {placement.policy.name: placement.split.steps_on for placement in placements}
            changed = {name: split for name, split in wanted.items() if self._live.get(name) != split}
            timeouts_us = [int(placement.policy.resilience.timeout_s * 1e6) for placement in placements]
            self.longest_request_us = max([self.longest_request_us or 0, *timeouts_us])
            for name, split in changed.items():
                self._journal.published(name, split, self._now_us())
            # Some files may become live and others not: no change is certain until a publication succeeds.
            self._live = {name: split for name, split in self._live.items() if name not in changed}
            asked = frozenset(map(_identity, placements))
            self._served &= asked
            answer = self._proxy.publish(placements)
            match answer:
                case Acknowledged():
                    self._live = wanted
                    self._served = asked
                    self._acknowledge(changed)
                    return Published(is_live=True)
                case Refused():
                    self._served = frozenset()
                    return Published(is_live=False, refusal=answer.reason)

    def _acknowledge(self, changed: dict[str, int]) -> None:
        for name, split in changed.items():
            self._journal.acknowledged(name, split, self._now_us())


def _identity(placement: Placement) -> tuple[str, int, Split]:
    return (placement.policy.name, placement.revision, placement.split)
