"""A node: Envoy, what configures it, and what hands in its records; the same code wherever it runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import httpx

from rollout import logs
from rollout.agent import converters
from rollout.agent.applier import Applier
from rollout.agent.custody import Room
from rollout.agent.degradation import Watched
from rollout.agent.journal import Journal, SplitHistory
from rollout.agent.link import Link
from rollout.agent.log import Log
from rollout.agent.losses import Loss, Losses
from rollout.agent.names import Names
from rollout.agent.recorder import Recorder, Stream
from rollout.agent.spool import Spool
from rollout.agent.traffic import Stamps
from rollout.agent.uplink import Unreachable, Uplink
from rollout.api.told import Wanted, wanted
from rollout.client.nodes import LossState, NodeState
from rollout.client.plane import Plane
from rollout.envoy.bootstrap import Address
from rollout.envoy.proxy import Proxy
from rollout.envoy.publication import Live
from rollout.envoy.translate import translate
from rollout.lake.keeping import Keeping
from rollout.lake.segments import Kind
from rollout.lake.units import UnitHash
from rollout.wiring.parts import now_us, run

FLUSH_US: Final = 1_000_000
"""What is noted stands in its log after this: Envoy flushes every 0.2 s, the spool at once."""
RECORD_EVERY_S: Final = 0.5
_log = logs.get("node")


@dataclass(frozen=True, slots=True)
class NodePlace:
    """A node's name, the folder that holds all its state, and where its Envoy listens."""

    name: str
    folder: Path
    listen: Address

    @property
    def outcomes_file(self) -> Path:
        """Where outcomes are kept before they are handed in."""
        return self.folder / "spool" / "outcomes.log"

    @property
    def envoy(self) -> Path:
        """Envoy's working folder."""
        return self.folder / "envoy"

    @property
    def own(self) -> Path:
        """What the node notes about itself."""
        return self.folder / "node"


@dataclass(slots=True)
class Bell:
    """Rings for whoever listens by now; proxy and applier exist before those who tell of them."""

    listeners: list[Callable[[], None]] = field(default_factory=list)

    def ring(self) -> None:
        """Call everybody."""
        for one in tuple(self.listeners):
            one()


@dataclass(frozen=True, slots=True)
class Node:
    """The parts of a running node."""

    place: NodePlace
    proxy: Proxy
    applier: Applier
    bell: Bell
    losses: tuple[Losses, ...]

    def drain(self) -> None:
        """Ask clients to leave as they come; for five seconds nobody is refused."""
        self.proxy.drain()

    def is_left(self) -> bool:
        """Return whether no client is connected any more."""
        return self.proxy.is_left()

    def state(self) -> NodeState:
        """Return how the node stands."""
        lost = tuple(_loss_state(one) for losses in self.losses for one in losses.all())
        return self.applier.state().model_copy(update={"losses": lost})

    def wanted(self) -> Wanted:
        """Return the outcomes that some served policy asks for."""
        newest = self.applier.newest
        policies = () if newest is None else [one.policy for one in newest.placements]
        return wanted(metric for policy in policies for metric in policy.metrics)


@contextmanager
def open_node(  # noqa: PLR0913 (each is one thing that a node is given)
    place: NodePlace,
    *,
    hashing: UnitHash,
    spool: Spool,
    intake: httpx.Client,
    signs_off: bool,
    keeping: Keeping,
    names: Names,
) -> Iterator[Node]:
    """Run Envoy with its last good configuration, its applier and its recorders until the block ends.

    At the end Envoy goes first, so that the recorders hand in its last lines; then, if it `signs_off`, nobody
    waits for this node's records any longer.
    """
    place.own.mkdir(parents=True, exist_ok=True, mode=0o700)
    journal_file = place.own / "splits.journal"
    bell, stamps = Bell(), Stamps(Journal(journal_file), now_us=now_us)

    def acknowledged(live: Live) -> None:
        stamps.acknowledged(live)
        bell.ring()

    proxy = Proxy(
        place.envoy,
        place.listen,
        writing=stamps.writing,
        acknowledged=acknowledged,
        translating=partial(translate, upstreams=names.upstreams),
    )
    uplink = Uplink(intake)
    with ExitStack() as held:
        recorders: list[Recorder] = []
        if signs_off:
            held.callback(_sign_off, uplink, place.name, recorders)
        for stream in _streams(place, proxy, spool, hashing, SplitHistory(journal_file), stamps):
            stop = threading.Event()
            # What applications were promised is never dropped.
            room = Room(keeping.largest_unsent) if stream.kind == Kind.EXPOSURES else None
            recorder = Recorder(stream, uplink, now_us=now_us, room=room)
            recorders.append(recorder)
            run(held, stream.kind, partial(recorder.run, stop, interval_s=RECORD_EVERY_S), stop.set)
        looking = threading.Event()
        run(held, "names", partial(names.run, looking), looking.set)
        held.enter_context(proxy)
        fared = Watched(proxy.degradation, steady_s=time.monotonic)
        applier = Applier(
            proxy, stamps, place.own / "snapshot.json", changed=bell.ring, degradation=fared.states
        )
        if applier.recover():
            applier.step()
        stopping = threading.Event()

        def stop_applying() -> None:
            stopping.set()
            applier.wake()

        run(held, "applier", partial(applier.run, stopping), stop_applying)
        yield Node(place, proxy, applier, bell, tuple(one.losses for one in recorders))


@contextmanager
def joined(node: Node, plane: Plane) -> Iterator[Link]:
    """Have a node follow a control plane until the block ends."""
    link = Link(plane, node.applier, state=node.state)
    node.bell.listeners.append(link.changed)

    def fetch() -> None:
        try:
            link.fetch()
        finally:
            plane.close_asking()

    # Not waited for: the answer that it waits for may be half a minute away, and is no longer wanted.
    threading.Thread(target=fetch, name="snapshots", daemon=True).start()
    with ExitStack() as held:
        held.callback(plane.close)
        run(held, "states", link.tell, link.stop)
        yield link


def _streams(  # noqa: PLR0913, PLR0917 (one for each part)
    place: NodePlace, proxy: Proxy, spool: Spool, hashing: UnitHash, history: SplitHistory, stamps: Stamps
) -> tuple[Stream, Stream]:
    def exposure_lag_us() -> int | None:
        """Return how long after its beginning a request stands in the log at the latest, once known."""
        longest_us = stamps.longest_request_us
        return None if longest_us is None else longest_us + FLUSH_US

    access, outcomes = (
        Log(proxy.access_log, reopen=proxy.reopen_log),
        Log(place.outcomes_file, reopen=spool.reopen, is_spoiled=lambda: spool.is_spoiled),
    )
    converted = converters.exposures(hashing, history)
    return (
        Stream(Kind.EXPOSURES, place.name, access, converted, exposure_lag_us, place.own),
        Stream(Kind.OUTCOMES, place.name, outcomes, converters.outcomes(), lambda: FLUSH_US, place.own),
    )


def _loss_state(loss: Loss) -> LossState:
    return LossState(
        experiment=loss.experiment or None,
        revision=loss.revision if loss.experiment else None,
        kind=loss.kind,
        rows=loss.rows,
        from_us=max(loss.from_us, 0),
        to_us=max(loss.to_us, 0),
    )


def _sign_off(uplink: Uplink, name: str, recorders: Sequence[Recorder]) -> None:
    """Say goodbye, unless records stay behind: then they are still waited for, here or after a start."""
    left = sum(recorder.unsent_bytes() for recorder in recorders)
    if left:
        _log.warning("records wait for the next start, so the node does not sign off", unsent_bytes=left)
        return
    try:
        uplink.sign_off(name)
    except Unreachable as error:
        _log.warning("could not sign off; the control plane goes on waiting for this node", reason=str(error))
