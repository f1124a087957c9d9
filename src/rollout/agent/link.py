"""A node's talk with its control plane: snapshots come, and how the node stands goes."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import Final, Protocol

from rollout import logs
from rollout.client.nodes import NodeState
from rollout.errors import RolloutError
from rollout.fleet.snapshot import NOTHING_KNOWN, Snapshot, WrongSnapshot, read_snapshot

HEARTBEAT_S: Final = 2.0
SHORTEST_PAUSE_S: Final = 0.05
"""Between two questions of which the first brought nothing, however soon it was answered."""
FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 5.0
_log = logs.get("node")


class Outdated(Exception):
    """Who answered does not lead any more, and need not know it yet."""


class ControlPlane(Protocol):
    """What is needed of the control plane."""

    def snapshot(self, after: str | None, *, waits: bool = True) -> str | None:
        """Return the text of a newer snapshot than this, once there is one."""

    def tell(self, state: NodeState) -> None:
        """Tell how the node stands."""

    def look_elsewhere(self) -> None:
        """Ask at another address from now on, where there is one."""


class Following(Protocol):
    """What is needed of the applier."""

    @property
    def newest(self) -> Snapshot | None:
        """The newest snapshot that came."""

    def take(self, snapshot: Snapshot) -> None:
        """Follow this snapshot from now on."""

    def refuse(self, reason: str) -> None:
        """Tell that what came cannot be a snapshot."""


class Link:
    """Fetches for one applier and tells for it, each in a thread of its own; neither ends by itself."""

    def __init__(
        self,
        plane: ControlPlane,
        applier: Following,
        *,
        state: Callable[[], NodeState],
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._plane, self._applier, self._state, self._chance = plane, applier, state, chance
        self._due, self._stopping = threading.Event(), threading.Event()
        self._said: dict[str, str] = {}
        self.is_connected = False
        """Whether the control plane answered last time."""

    def changed(self) -> None:
        """Tell at once how the node stands."""
        self._due.set()

    def stop(self) -> None:
        """Let both go; an answer that is still waited for is no longer heard."""
        self._stopping.set()
        self._due.set()

    def fetch(self) -> None:
        """Take every newer snapshot as soon as there is one, until stopped."""
        failures, is_garbled = 0, False
        while not self._stopping.is_set():
            newest = self._applier.newest
            after = None if newest is None or is_garbled else newest.version
            is_garbled = False
            try:
                content = self._plane.snapshot(after, waits=failures == 0)
                if self._stopping.is_set():
                    return
                if content is not None:
                    self._take(content, newest)
            except WrongSnapshot as error:
                is_garbled = True  # asked for whole next time
                self._applier.refuse(str(error))
            except Exception as error:  # noqa: BLE001 (it outlives whatever fails)
                self.is_connected = False
                self._say("snapshots", _worded(error))
            else:
                failures = 0
                self._is_heard()
                if content is None:
                    self._stopping.wait(SHORTEST_PAUSE_S)
                continue
            failures += 1
            self._stopping.wait(self._pause_s(failures))

    def _take(self, content: str, newest: Snapshot | None) -> None:
        """Follow what came, unless a newer control plane has been followed already."""
        snapshot = read_snapshot(content, NOTHING_KNOWN if newest is None else newest.known)
        if newest is not None and snapshot.term < newest.term:
            self._plane.look_elsewhere()
            raise Outdated(f"it speaks for term {snapshot.term}, and term {newest.term} has begun")
        self._applier.take(snapshot)

    def tell(self) -> None:
        """Tell at every change and every two seconds how the node stands, until stopped."""
        while not self._stopping.is_set():
            try:
                self._plane.tell(self._state())
            except Exception as error:  # noqa: BLE001 (the same)
                self._say("states", _worded(error))
            else:
                self._say("states", "")
            # Not in step with the other nodes, nor with their control plane's start.
            self._due.wait(HEARTBEAT_S * (0.75 + 0.5 * self._chance()))
            self._due.clear()

    def _is_heard(self) -> None:
        if not self.is_connected:
            self.is_connected = True
            self.changed()  # a control plane that has just begun knows nothing of us
        self._say("snapshots", "")

    def _pause_s(self, failures: int) -> float:
        longest = min(FIRST_PAUSE_S * 2.0 ** min(failures, 20), LONGEST_PAUSE_S)
        return longest * (0.5 + 0.5 * self._chance())

    def _say(self, about: str, problem: str) -> None:
        """Log a problem once, and once when it is over."""
        if problem == self._said.get(about, ""):
            return
        self._said[about] = problem
        if problem:
            _log.warning("the control plane is not heard; what is served stays", about=about, problem=problem)
        else:
            _log.info("the control plane is heard again", about=about)


def _worded(error: Exception) -> str:
    return str(error) if isinstance(error, RolloutError | Outdated) else f"{type(error).__name__}: {error}"
