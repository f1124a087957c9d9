"""The fleet keeps the contract of traffic with a real node and with a fake one; so does the fake of all."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from rollout.client.nodes import LiveState, NodeState, SplitState
from rollout.fleet.fleet import Fleet
from rollout.fleet.snapshot import read_snapshot
from rollout.ports import Traffic
from tests.agent.serving_node import control, node
from tests.contracts.traffic import TrafficContract
from tests.envoy.examples import until
from tests.simulation.fakes import MemoryTraffic


class TestRealNode(TrafficContract):
    @pytest.fixture
    def traffic(self, tmp_path: Path) -> Iterator[Traffic]:
        with control(tmp_path / "control") as plane, node(tmp_path / "node", plane.url):
            assert until(plane.is_told)
            yield plane.fleet


class TestFakeNode(TrafficContract):
    @pytest.fixture
    def traffic(self) -> Iterator[Traffic]:
        fleet = Fleet(marked=lambda: (), now_us=lambda: 0)
        changed, stop = threading.Event(), threading.Event()
        fleet.listen(changed.set)

        def follow() -> None:
            while not stop.is_set():
                changed.wait(0.01)
                text = fleet.text_after(None)
                fleet.told("n", NodeState() if text is None else served(text))

        following = threading.Thread(target=follow)
        following.start()
        yield fleet
        stop.set()
        following.join()


class TestMemoryTraffic(TrafficContract):
    @pytest.fixture
    def traffic(self) -> Traffic:
        return MemoryTraffic()


def served(text: str) -> NodeState:
    """Return what a node says that serves all of this."""
    snapshot = read_snapshot(text)
    live = (
        LiveState(
            experiment=one.placement.policy.name,
            revision=one.placement.revision,
            split=SplitState(),
            placement=one.version,
        )
        for one in snapshot.wanted
    )
    return NodeState(snapshot=snapshot.version, live=tuple(live))
