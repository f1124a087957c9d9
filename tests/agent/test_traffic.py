"""The journal knows of a split before Envoy may use it, and trusts one only after Envoy's word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from rollout.agent.journal import Journal, SplitHistory
from rollout.agent.traffic import NodeTraffic
from rollout.domain.assignment import Placement, Split
from rollout.envoy.publication import Acknowledged, Live, Refused
from rollout.ports import Published
from tests.domain.examples import POLICY

NAME = POLICY.name
LIVE = Live("c", "r", "w", {})
YES, NO = Acknowledged(LIVE), Refused("no such cluster", LIVE)


@dataclass
class Proxy:
    """Answers what it is told to, and remembers what the journal said while it was asked."""

    journal: Path
    clock: list[int]
    answer: Acknowledged | Refused | OSError = YES
    asked: list[Sequence[Placement]] = field(default_factory=list)
    journal_then: bytes = b""

    def publish(self, placements: Sequence[Placement]) -> Acknowledged | Refused:
        self.asked.append(placements)
        self.journal_then = self.journal.read_bytes() if self.journal.exists() else b""
        self.clock[0] += 5
        if isinstance(self.answer, OSError):
            raise self.answer
        return self.answer


@dataclass
class Node:
    file: Path
    clock: list[int]
    proxy: Proxy
    traffic: NodeTraffic

    def publish(
        self, at_us: int, *steps_on: int, answer: Acknowledged | Refused | OSError = YES
    ) -> Published:
        """Publish one experiment with each of these splits; Envoy needs 5 µs to answer."""
        self.clock[0], self.proxy.answer = at_us, answer
        return self.traffic.publish(tuple(placement(number, on) for number, on in enumerate(steps_on)))

    def splits(self, *times_us: int, name: str = NAME) -> list[int | None]:
        history = SplitHistory(self.file)
        history.refresh()
        return [history.split_at(name, at_us) for at_us in times_us]


def placement(number: int, steps_on: int) -> Placement:
    """Return the policy's placement, or that of another policy."""
    policy = POLICY if number == 0 else replace(POLICY, name="other")
    return Placement(policy, 1, Split(steps_on))


@pytest.fixture
def node(tmp_path: Path) -> Node:
    file, clock = tmp_path / "acknowledgements.jsonl", [0]
    proxy = Proxy(file, clock)
    return Node(file, clock, proxy, NodeTraffic(proxy, Journal(file), now_us=lambda: clock[0]))


def test_a_change_is_noted_before_envoy_is_asked_and_after_it_answered(node: Node) -> None:
    assert node.publish(10, 1) == Published(is_live=True)
    assert node.proxy.journal_then.count(b"\n") == 1
    assert b'"published"' in node.proxy.journal_then
    assert node.splits(9, 10, 14, 15, 99) == [None, None, None, 1, 1]
    node.publish(20, 2)
    assert node.splits(19, 20, 24, 25) == [1, None, None, 2]


def test_splits_that_stay_write_nothing_but_are_published_again(node: Node) -> None:
    node.publish(10, 1, 3)
    before = node.file.read_bytes()
    node.publish(20, 1, 3)
    assert node.file.read_bytes() == before
    assert len(node.proxy.asked) == 2
    node.publish(30, 1, 2)
    assert node.splits(30, 40) == [1, 1]
    assert node.splits(29, 30, 35, name="other") == [3, None, 2]


def test_what_envoy_confirmed_is_served_until_something_else_is_asked_of_it(node: Node) -> None:
    assert not node.traffic.serves(placement(0, 1))
    node.publish(10, 1)
    assert node.traffic.serves(placement(0, 1))
    assert not node.traffic.serves(placement(0, 2))
    assert not node.traffic.serves(replace(placement(0, 1), revision=2))
    node.publish(20, 2, answer=NO)
    assert not node.traffic.serves(placement(0, 2))
    assert not node.traffic.serves(placement(0, 1))
    node.publish(30, 2)
    assert node.traffic.serves(placement(0, 2))


def test_the_longest_request_is_that_of_any_policy_published_so_far(node: Node) -> None:
    assert node.traffic.longest_request_us is None
    slow = replace(POLICY, resilience=replace(POLICY.resilience, timeout_s=20.0))
    for policy, longest_us in ((POLICY, 3_000_000), (slow, 20_000_000), (POLICY, 20_000_000)):
        node.traffic.publish((Placement(policy, 1, Split(1)),))
        assert node.traffic.longest_request_us == longest_us


def test_a_restarted_publisher_notes_everything_anew(node: Node) -> None:
    node.publish(10, 1)
    node.traffic = NodeTraffic(node.proxy, Journal(node.file), now_us=lambda: node.clock[0])
    node.publish(20, 1)
    assert node.splits(19, 20, 25) == [1, None, 1]


@pytest.mark.parametrize("then", [1, 2])
def test_after_a_refusal_no_split_is_certain_until_a_success(node: Node, then: int) -> None:
    node.publish(10, 1, 3)
    assert node.publish(20, 2, 3, answer=NO) == Published(is_live=False, refusal="no such cluster")
    assert node.splits(19, 20, 25, 99) == [1, None, None, None]
    assert node.splits(99, name="other") == [3]
    node.publish(30, then, 3)
    assert node.splits(29, 30, 34, 35) == [None, None, None, then]


def test_a_proxy_that_fails_leaves_no_split_certain_until_a_success(node: Node) -> None:
    node.publish(10, 1)
    with pytest.raises(OSError, match="full"):
        node.publish(20, 2, answer=OSError("disk full"))
    node.publish(30, 1)
    assert node.splits(19, 20, 29, 35) == [1, None, None, 1]
