"""Nodes in a process of their own, each with its own connections; their Envoys take everything at once."""

from __future__ import annotations

import argparse
import threading
from typing import Final

from rollout.agent.applier import split_state
from rollout.client.nodes import LiveState, NodeState
from rollout.client.plane import Plane
from rollout.fleet.snapshot import NOTHING_KNOWN, Snapshot, read_snapshot

TOKEN: Final = "a token for this benchmark"  # noqa: S105 (it opens nothing)


def follow(plane: Plane) -> None:
    """Take every newer snapshot, and say that it is live."""
    snapshot: Snapshot | None = None
    while True:
        plane.tell(_state(snapshot))
        content = None
        while content is None:
            content = plane.snapshot(None if snapshot is None else snapshot.version)
        snapshot = read_snapshot(content, NOTHING_KNOWN if snapshot is None else snapshot.known)


def _state(snapshot: Snapshot | None) -> NodeState:
    if snapshot is None:
        return NodeState(envoy_starts=1)
    live = tuple(
        LiveState(
            experiment=one.placement.policy.name,
            revision=one.placement.revision,
            split=split_state(one.placement.split),
            placement=one.version,
        )
        for one in snapshot.wanted
    )
    return NodeState(snapshot=snapshot.version, live=live, envoy_starts=1)


def main() -> None:
    """Follow until the process is ended."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("nodes", type=int)
    chosen = parser.parse_args()
    planes = [Plane(chosen.url, TOKEN, node=f"node-{number}") for number in range(chosen.nodes)]
    threads = [threading.Thread(target=follow, args=[plane], daemon=True) for plane in planes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
