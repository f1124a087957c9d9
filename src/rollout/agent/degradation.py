"""How versions fare on this node, as it tells: read from Envoy now and then, however often it is asked."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Final

from rollout.client.nodes import DegradationState
from rollout.envoy.degradation import Arm, Fared, degraded

READ_EVERY_S: Final = 5.0
"""At a thousand experiments a reading takes Envoy's main thread 10 ms: a five-hundredth of this."""


class Watched:
    """The newest reading; while Envoy does not answer, the one before."""

    def __init__(
        self, read: Callable[[], Mapping[Arm, Fared] | None], *, steady_s: Callable[[], float]
    ) -> None:
        self._read, self._steady_s = read, steady_s
        self._turn = threading.Lock()
        self._read_at_s: float | None = None
        self._states: tuple[DegradationState, ...] = ()

    def states(self) -> tuple[DegradationState, ...]:
        """Return the arms of which there is anything to tell."""
        with self._turn:
            now_s = self._steady_s()
            if self._read_at_s is None or now_s - self._read_at_s >= READ_EVERY_S:
                self._read_at_s = now_s
                found = self._read()
                if found is not None:
                    self._states = tuple(_state(arm, fared) for arm, fared in degraded(found))
            return self._states


def _state(arm: Arm, fared: Fared) -> DegradationState:
    experiment, revision, name = arm
    return DegradationState(
        experiment=experiment,
        revision=revision,
        arm=name,
        fallbacks={cause.value: count for cause, count in fared.failures.items()},
        ejections=fared.ejections,
        hosts=fared.hosts,
        healthy_hosts=fared.healthy_hosts,
        open_breakers=fared.open_breakers,
    )
