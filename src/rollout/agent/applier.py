"""One Envoy follows the newest snapshot; what it serves, and what it refuses, is known at any moment."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from rollout import logs
from rollout.agent.private import write_private
from rollout.agent.traffic import Stamps
from rollout.client.nodes import (
    MAXIMUM_REASON_CHARACTERS,
    DegradationState,
    LiveState,
    NodeState,
    RefusedState,
    SplitState,
)
from rollout.domain.assignment import Placement, Split
from rollout.envoy.publication import Acknowledged, Live, Refused, Unserved
from rollout.fleet.snapshot import Snapshot, WrongSnapshot, read_snapshot

LOOK_EVERY_S: Final = 1.0
"""How often Envoy is asked whether it still serves what it acknowledged."""
_log = logs.get("node")


class Serving(Protocol):
    """What is needed of the proxy."""

    @property
    def live(self) -> Live:
        """What Envoy has acknowledged."""

    @property
    def standing(self) -> tuple[Placement, ...]:
        """The placements that were last acknowledged, all of them together."""

    @property
    def starts(self) -> int:
        """How many times Envoy was started."""

    @property
    def has_failed(self) -> bool:
        """Whether Envoy is no longer started."""

    def served(self, placements: Sequence[Placement]) -> tuple[Placement, ...]:
        """Return which of these Envoy has acknowledged as they are."""

    def publish(
        self,
        placements: Sequence[Placement],
        *,
        newest: Callable[[], Sequence[Placement]],
        kept: Collection[str],
    ) -> Acknowledged | Refused:
        """Make Envoy serve these placements and no others."""


@dataclass(frozen=True, slots=True)
class _Newest:
    """A snapshot, and its placements as one value: whether something newer came is whether it is another."""

    snapshot: Snapshot
    placements: tuple[Placement, ...]


class Applier:
    """Brings the newest snapshot to Envoy; `file` keeps what Envoy last took, so that a start needs nobody.

    `changed` hears, from any thread, that there is something new to tell.
    """

    def __init__(
        self,
        proxy: Serving,
        stamps: Stamps,
        file: Path,
        *,
        changed: Callable[[], None] = lambda: None,
        degradation: Callable[[], tuple[DegradationState, ...]] = tuple,
    ) -> None:
        self._proxy, self._stamps, self._file, self._changed = proxy, stamps, file, changed
        self._degradation = degradation
        self._due = threading.Event()
        self._newest: _Newest | None = None
        self._dealt_with: str | None = None
        self._unserved: tuple[Unserved, ...] = ()
        self._refused: tuple[RefusedState, ...] = ()
        self._garbled: str | None = None
        self._kept: Snapshot | None = None
        self._said: tuple[Unserved, ...] = ()

    @property
    def newest(self) -> Snapshot | None:
        """The newest snapshot that came."""
        return None if self._newest is None else self._newest.snapshot

    def take(self, snapshot: Snapshot) -> None:
        """Follow this snapshot from now on; one that came before and is not yet served is passed over."""
        self._garbled = None
        self._newest = _Newest(snapshot, snapshot.placements)
        self._due.set()

    def refuse(self, reason: str) -> None:
        """Tell that what came cannot be a snapshot; what is served stays."""
        if reason != self._garbled:
            _log.error("what came is no snapshot; what is served stays", reason=reason)
        self._garbled = reason
        self._changed()

    def recover(self) -> bool:
        """Follow what Envoy took last, as the disk has it; return whether there was anything."""
        try:
            snapshot = read_snapshot(self._file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return False
        except (OSError, UnicodeDecodeError, WrongSnapshot) as error:
            _log.error(
                "the last snapshot cannot be read; Envoy goes on", file=str(self._file), why=str(error)
            )
            return False
        self._kept = snapshot
        self.take(snapshot)
        return True

    def run(self, stop: threading.Event) -> None:
        """Follow until told to stop, and look every second whether Envoy does; nothing ends this."""
        while not stop.is_set():
            self._due.wait(LOOK_EVERY_S)
            self._due.clear()
            if not stop.is_set():
                self.step()

    def wake(self) -> None:
        """Let `run` look at once."""
        self._due.set()

    def step(self) -> None:
        """Publish what is newest now."""
        newest = self._newest
        if newest is None:
            return
        before = (self._dealt_with, self._unserved, self._proxy.live)
        try:
            self._publish(newest)
        except Exception as error:  # noqa: BLE001 (a full disk, say: it is tried again at the next look)
            self._unserved = (Unserved(None, str(error) or type(error).__name__),)
        self._refused = tuple(_refused(newest.snapshot, self._unserved))
        self._dealt_with = newest.snapshot.version
        self._say()
        if before != (self._dealt_with, self._unserved, self._proxy.live):
            self._changed()

    def state(self) -> NodeState:
        """Return how this node stands."""
        newest = self._newest
        wanted = () if newest is None else newest.snapshot.wanted
        versions = {id(one.placement): one.version for one in wanted}
        served = self._proxy.served(() if newest is None else newest.placements)
        garbled = () if self._garbled is None else (RefusedState(reason=_short(self._garbled)),)
        return NodeState(
            snapshot=self._dealt_with,
            live=tuple(
                LiveState(
                    experiment=one.policy.name,
                    revision=one.revision,
                    split=split_state(one.split),
                    placement=versions[id(one)],
                )
                for one in served
            ),
            refused=(*self._refused, *garbled),
            envoy_starts=self._proxy.starts,
            envoy_has_failed=self._proxy.has_failed,
            degradation=self._degradation(),
        )

    def _publish(self, newest: _Newest) -> None:
        unread = {one.experiment for one in newest.snapshot.unread if one.experiment is not None}
        self._stamps.follow((*self._proxy.standing, *newest.placements))
        answer = self._proxy.publish(newest.placements, newest=self._latest, kept=unread)
        self._unserved = () if isinstance(answer, Acknowledged) else answer.unserved
        if all(one.experiment is not None for one in self._unserved):
            self._stamps.settle(self._proxy.live)
        self._keep(newest.snapshot.term)

    def _latest(self) -> tuple[Placement, ...]:
        newest = self._newest
        return () if newest is None else newest.placements

    def _keep(self, term: int) -> None:
        """Put what Envoy took on the disk, for a start without anybody who says what to serve."""
        kept = Snapshot.of(self._proxy.standing, before=self._kept, term=term)
        if self._kept is None or kept.version != self._kept.version:
            write_private(self._file, kept.text())
            self._kept = kept

    def _say(self) -> None:
        """Log what is not served, once and not every second."""
        if self._unserved != self._said:
            for one in self._unserved:
                _log.error("not served as wanted", experiment=one.experiment, reason=one.reason)
            if not self._unserved:
                _log.info("everything is served as wanted")
            self._said = self._unserved


def _refused(snapshot: Snapshot, unserved: Sequence[Unserved]) -> Iterator[RefusedState]:
    """Say of each part of this snapshot, and of no later one, why it is not served."""
    parts = {one.placement.policy.name: one for one in snapshot.wanted}
    for one in unserved:
        part = parts.get(one.experiment or "")
        yield RefusedState(
            experiment=one.experiment,
            revision=None if part is None else part.placement.revision,
            placement=None if part is None else part.version,
            reason=_short(one.reason),
        )
    for unread in snapshot.unread:
        yield RefusedState(
            experiment=unread.experiment, placement=unread.version, reason=_short(unread.reason)
        )


def _short(reason: str) -> str:
    return reason[:MAXIMUM_REASON_CHARACTERS]


def split_state(split: Split) -> SplitState:
    """Return a split as it is told."""
    return SplitState(
        steps_on=split.steps_on,
        is_promoted=split.is_promoted,
        winner=split.winner,
        stopped=tuple(sorted(split.stopped)),
        mirror_on=split.mirror_on,
        is_released=split.is_released,
    )
