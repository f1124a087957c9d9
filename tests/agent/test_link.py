"""The talk with the control plane goes on, whatever fails on the way, and a problem is said once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from rollout.agent.link import Link
from rollout.client.nodes import NodeState
from rollout.domain.assignment import Placement, Split
from rollout.errors import ControlPlaneFailed, Problem
from rollout.fleet.snapshot import Snapshot
from tests.domain.examples import POLICY
from tests.envoy.examples import until

SENT = Snapshot.of([Placement(POLICY, 1, Split(1))])
AWAY = ControlPlaneFailed(Problem("http://control", "cannot connect", "is it running?"))


@dataclass
class Taking:
    """Takes snapshots, as an applier does."""

    newest: Snapshot | None = None
    refused: list[str] = field(default_factory=list)

    def take(self, snapshot: Snapshot) -> None:
        self.newest = snapshot

    def refuse(self, reason: str) -> None:
        self.refused.append(reason)


@dataclass
class Plane:
    """Answers what it is told to, one after the other, and then nothing newer."""

    answers: list[str | Exception | None]
    asked: list[str | None] = field(default_factory=list)
    waits: list[bool] = field(default_factory=list)
    told: list[NodeState] = field(default_factory=list)
    moves: int = 0

    def look_elsewhere(self) -> None:
        self.moves += 1

    def snapshot(self, after: str | None, *, waits: bool = True) -> str | None:
        self.asked.append(after)
        self.waits.append(waits)
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        return answer

    def tell(self, state: NodeState) -> None:
        self.told.append(state)


def running(work: Callable[[], None], link: Link, holds: Callable[[], bool]) -> None:
    """Let one of the two go on until something holds."""
    thread = threading.Thread(target=work)
    thread.start()
    try:
        assert until(holds)
    finally:
        link.stop()
        thread.join()


@pytest.mark.parametrize("failure", [AWAY, RuntimeError("a defect"), OSError("no route")])
def test_fetching_outlives_every_failure_and_says_it_once(
    failure: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    plane, taking = Plane([failure, failure, SENT.text()]), Taking()
    link = Link(plane, taking, state=NodeState, chance=lambda: 0.0)
    running(link.fetch, link, lambda: taking.newest == SENT and len(plane.asked) > 4)
    assert link.is_connected
    assert plane.asked[:4] == [None, None, None, SENT.version]
    assert plane.waits[:4] == [True, False, False, True]
    assert capsys.readouterr().out.count("not heard") == 1


def test_after_garbage_the_whole_is_asked_for() -> None:
    plane, taking = Plane([SENT.text(), "garbage", SENT.text()]), Taking()
    link = Link(plane, taking, state=NodeState, chance=lambda: 0.0)
    running(link.fetch, link, lambda: len(plane.asked) > 3)
    assert plane.asked[:4] == [None, SENT.version, None, SENT.version]
    assert len(taking.refused) == 1


def test_who_leads_no_more_is_not_followed_back(capsys: pytest.CaptureFixture[str]) -> None:
    placements = {steps: [Placement(POLICY, 1, Split(steps))] for steps in (1, 2, 3)}
    newer, older = Snapshot.of(placements[2], term=8), Snapshot.of(placements[1], term=7)
    newest = Snapshot.of(placements[3], term=8)
    plane, taking = Plane([newer.text(), older.text(), older.text(), newest.text()]), Taking()
    link = Link(plane, taking, state=NodeState, chance=lambda: 0.0)
    running(link.fetch, link, lambda: taking.newest == newest)
    assert plane.moves == 2
    assert plane.asked[:4] == [None, newer.version, newer.version, newer.version]
    assert plane.waits[:4] == [True, True, False, False]
    assert taking.refused == []
    assert capsys.readouterr().out.count("it speaks for term 7, and term 8 has begun") == 1


def test_a_state_is_told_at_once_when_something_changes_and_a_defect_ends_nothing() -> None:
    states: list[NodeState | Exception] = [NodeState(envoy_starts=1), ValueError("a defect")]

    def state() -> NodeState:
        found = states.pop(0) if states else NodeState(envoy_starts=9)
        if isinstance(found, Exception):
            raise found
        link.changed()
        return found

    plane = Plane([])
    link = Link(plane, Taking(), state=state)
    link.changed()
    running(link.tell, link, lambda: any(one.envoy_starts == 9 for one in plane.told))
    assert plane.told[0].envoy_starts == 1
