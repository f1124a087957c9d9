"""The data plane as the controller sees it: what all nodes should serve, and whether each of them does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from rollout.client.nodes import MAXIMUM_REASON_CHARACTERS, LossState, NodeState
from rollout.domain.assignment import Placement
from rollout.fleet.degradation import Degradations, Degraded
from rollout.fleet.snapshot import Known, Snapshot, Wanted
from rollout.ports import Published

CONFIRMED_WITHIN_S: Final = 1.0
"""How long a publication of something new waits for the nodes; of the same as before, not at all."""
SILENT_AFTER_S: Final = 10.0
"""Nodes tell how they stand every few seconds; one that has not for so long may be gone."""
KNOWN_SNAPSHOTS: Final = 8
"""To nodes that hold one of these, only what has changed is sent."""
MOST_NODES: Final = 10_000
_NAMED: Final = 5


@dataclass(frozen=True, slots=True)
class Seen:
    """What a node said last, and when."""

    name: str
    state: NodeState | None
    at_us: int | None
    at_s: float | None
    versions: frozenset[str] = field(default_factory=frozenset)
    """The placements that it serves."""


class TooManyNodes(Exception):
    """More names than nodes can be: nothing is kept of another one."""


class Fleet:
    """All nodes, in memory: after a restart they tell again. Safe to call from several threads.

    `marked` names the nodes whose records are waited for: until one of them says how it stands, nobody knows.
    `term` is that of the control plane which leads: nodes never go back to a lower one.
    """

    def __init__(
        self,
        *,
        marked: Callable[[], Iterable[str]],
        now_us: Callable[[], int],
        steady_s: Callable[[], float] = time.monotonic,
        confirmed_within_s: float = CONFIRMED_WITHIN_S,
        term: int = 0,
    ) -> None:
        self._term = term
        self._marked, self._now_us, self._steady_s = marked, now_us, steady_s
        self._confirmed_within_s = confirmed_within_s
        self._began_s = steady_s()
        self._changed = threading.Condition()
        self._snapshot: Snapshot | None = None
        self._by_name: Mapping[str, Wanted] = {}
        self._sent: dict[str, Known] = {}
        self._seen: dict[str, Seen] = {}
        self._degradations = Degradations()
        self._listeners: dict[object, Callable[[], None]] = {}
        self._is_closed = False

    @property
    def wanted(self) -> Snapshot | None:
        """What every node should serve; unknown until the first publication."""
        return self._snapshot

    @property
    def is_closed(self) -> bool:
        """Whether nobody publishes any more."""
        return self._is_closed

    def publish(self, placements: tuple[Placement, ...], *, kept: frozenset[str] = frozenset()) -> Published:
        """Want these placements of every node, and say whether all serve them; a new wish waits a second.

        Of the policies named in `kept` every node goes on with what it has: nobody here knows what that is.
        """
        marked = tuple(self._marked())
        with self._changed:
            before = self._snapshot
            snapshot = Snapshot.of(placements, before=before, kept=kept, term=self._term)
            waits_s = 0.0
            if before is None or snapshot.version != before.version:
                waits_s = self._confirmed_within_s
                self._want(snapshot)
            ends_s = self._steady_s() + waits_s
            while True:
                published, is_open = self._standing(snapshot.wanted, marked, snapshot.version)
                left_s = ends_s - self._steady_s()
                if published.is_live or not is_open or left_s <= 0 or self._is_closed:
                    return published
                self._changed.wait(left_s)

    def serves(self, placement: Placement) -> bool:
        """Return whether every node serves this placement as it is; nobody knows it before it is wanted."""
        marked = tuple(self._marked())
        with self._changed:
            wanted = self._by_name.get(placement.policy.name)
            if wanted is None or wanted.placement != placement:
                return False
            return self._standing([wanted], marked, None)[0].is_live

    def told(self, name: str, state: NodeState) -> None:
        """Take in how a node stands."""
        with self._changed:
            if name not in self._seen and len(self._seen) >= MOST_NODES:
                raise TooManyNodes
            versions = frozenset(one.placement for one in state.live)
            self._seen[name] = Seen(name, state, self._now_us(), self._steady_s(), versions)
            self._degradations.heard(name, state.degradation, self._steady_s())
            self._changed.notify_all()

    def losses(self, name: str) -> tuple[LossState, ...]:
        """Return what a node said last that it lost."""
        with self._changed:
            seen = self._seen.get(name)
            return () if seen is None or seen.state is None else seen.state.losses

    def forget(self, name: str) -> bool:
        """Expect nothing of a node any longer: it drained, or a person removed it. False when unknown."""
        with self._changed:
            self._changed.notify_all()
            self._degradations.forget(name)
            return self._seen.pop(name, None) is not None

    def degraded(self, experiment: str, revision: int) -> tuple[Degraded, ...]:
        """Return the arms of a run that do not fare well, on all nodes together."""
        with self._changed:
            return self._degradations.of(experiment, revision, self._steady_s())

    def nodes(self) -> tuple[tuple[Seen, bool, bool], ...]:
        """Return every known node, with whether it is silent, and whether it serves what is wanted."""
        marked = tuple(self._marked())
        with self._changed:
            wanted = () if self._snapshot is None else self._snapshot.wanted
            version = None if self._snapshot is None else self._snapshot.version
            return tuple(
                (one, self._is_silent(one), self._serves_all(one, wanted, version))
                for one in self._known(marked)
            )

    def text_after(self, version: str | None) -> str | None:
        """Return the wanted snapshot for a reader who has this one, or nothing when it is the same."""
        with self._changed:
            snapshot = self._snapshot
            if snapshot is None or snapshot.version == version:
                return None
            if version is None:
                return snapshot.text()
            # Under another term the same is wanted: whoever has it already need only learn the term.
            is_same = version.endswith(f"-{snapshot.digest}")
            return snapshot.text(snapshot.known if is_same else self._sent.get(version, ()))

    def listen(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Call back, from any thread, whenever something else is wanted; return what ends that."""
        key = object()
        with self._changed:
            self._listeners[key] = changed

        def end() -> None:
            with self._changed:
                self._listeners.pop(key, None)

        return end

    def close(self) -> None:
        """Let everybody go who waits."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
            listeners = tuple(self._listeners.values())
        for one in listeners:
            one()

    def _want(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._by_name = {one.placement.policy.name: one for one in snapshot.wanted}
        self._sent.pop(snapshot.version, None)
        self._sent[snapshot.version] = snapshot.known
        for old in list(self._sent)[:-KNOWN_SNAPSHOTS]:
            del self._sent[old]
        for one in tuple(self._listeners.values()):
            one()

    def _known(self, marked: Sequence[str]) -> list[Seen]:
        unheard = [Seen(name, None, None, None) for name in dict.fromkeys(marked) if name not in self._seen]
        return sorted((*self._seen.values(), *unheard), key=lambda one: one.name)

    def _is_silent(self, node: Seen) -> bool:
        return node.at_s is None or self._steady_s() - node.at_s > SILENT_AFTER_S

    def _standing(
        self, wanted: Sequence[Wanted], marked: Sequence[str], version: str | None
    ) -> tuple[Published, bool]:
        """Return whether all is live, and whether waiting a moment may change that.

        With a version a node has to be through with that snapshot: so it serves nothing else any more.
        """
        nodes = self._known(marked)
        heard = [one for one in nodes if not self._is_silent(one)]
        silent = [one.name for one in nodes if self._is_silent(one)]
        if not nodes:
            return Published(is_live=False, refusal="no node has said yet how it stands"), True
        missing = {one.name: [part for part in wanted if part.version not in one.versions] for one in heard}
        through = {one.name: version in {None, one.state and one.state.snapshot} for one in heard}
        behind = {name: parts for name, parts in missing.items() if parts or not through[name]}
        if not behind and not silent:
            return Published(is_live=True), False
        late = {part.placement.policy.name for parts in behind.values() for part in parts}
        served = () if silent else (part.placement.policy.name for part in wanted)
        is_open = self._may_speak(nodes) or any(
            not self._has_refused(self._seen[name], parts) for name, parts in behind.items()
        )
        why = self._why(behind, silent)
        return Published(is_live=False, refusal=why, live=frozenset(served) - late), is_open

    def _serves_all(self, node: Seen, wanted: Sequence[Wanted], version: str | None) -> bool:
        is_through = node.state is not None and node.state.snapshot == version
        return is_through and not self._is_silent(node) and {one.version for one in wanted} <= node.versions

    def _may_speak(self, nodes: Sequence[Seen]) -> bool:
        """Return whether a node that was known before this start may still be about to say how it stands."""
        is_early = self._steady_s() - self._began_s <= SILENT_AFTER_S
        return is_early and any(one.at_s is None for one in nodes)

    def _has_refused(self, node: Seen, parts: Sequence[Wanted]) -> bool:
        """Return whether a node has said of each of these that it will not come."""
        return bool(parts) and all(_reason(node, part) is not None for part in parts)

    def _why(self, behind: Mapping[str, Sequence[Wanted]], silent: Sequence[str]) -> str:
        words = []
        if silent:
            remedy = "remove it with DELETE /v1/nodes/NAME if it is gone for good"
            words.append(f"silent: {_listed(silent)} ({remedy})")
        refusals = [
            f"{name} refuses {part.placement.policy.name}: {reason}"
            for name, parts in behind.items()
            for part in parts
            if (reason := _reason(self._seen[name], part)) is not None
        ]
        words += refusals[:_NAMED]
        late = [name for name, parts in behind.items() if not self._has_refused(self._seen[name], parts)]
        if late:
            words.append(f"not confirmed yet by {_listed(late)}")
        return "; ".join(words)[:MAXIMUM_REASON_CHARACTERS]


def _reason(node: Seen, part: Wanted) -> str | None:
    """Return why a node does not serve a placement, if it said so."""
    refused = () if node.state is None else node.state.refused
    for one in refused:
        if part.version == one.placement or one.experiment is None:
            return one.reason
    return None


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
