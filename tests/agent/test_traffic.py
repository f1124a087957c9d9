"""The journal knows of a split before Envoy may use it, and trusts one only after Envoy's word."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from rollout.agent.journal import Journal, SplitHistory
from rollout.agent.traffic import Stamps
from rollout.domain.assignment import Placement, Split
from rollout.envoy.publication import Live
from tests.domain.examples import POLICY

NAME = POLICY.name


@dataclass
class Node:
    file: Path
    clock: list[int]
    stamps: Stamps

    def change(self, at_us: int, *steps_on: int, is_refused: bool = False) -> None:
        """Go through one change of these experiments' weights; Envoy needs 5 µs for its word."""
        self.follow(*steps_on)
        self.clock[0] = at_us
        self.stamps.writing(live(dict(enumerate(steps_on))))
        self.clock[0] += 5
        if not is_refused:
            self.stamps.acknowledged(live(dict(enumerate(steps_on))))

    def follow(self, *steps_on: int) -> None:
        self.stamps.follow(placement(number, on) for number, on in enumerate(steps_on))

    def splits(self, *times_us: int, name: str = NAME) -> list[int | None]:
        history = SplitHistory(self.file)
        history.refresh()
        return [history.split_at(name, at_us) for at_us in times_us]


def placement(number: int, steps_on: int) -> Placement:
    """Return the policy's placement, or that of another policy."""
    policy = POLICY if number == 0 else replace(POLICY, name="other")
    return Placement(policy, 1, Split(steps_on))


def live(steps_on: Mapping[int, int]) -> Live:
    """Return what Envoy says when these splits are live: nothing of one that is all baseline."""
    found = {(placement(number, on).policy.name, 1): Split(on) for number, on in steps_on.items() if on}
    return Live("c", "r", str(steps_on), found)


@pytest.fixture
def node(tmp_path: Path) -> Node:
    file, clock = tmp_path / "acknowledgements.jsonl", [0]
    return Node(file, clock, Stamps(Journal(file), now_us=lambda: clock[0]))


def test_a_change_is_noted_before_envoy_is_asked_and_after_it_answered(node: Node) -> None:
    node.change(10, 1)
    assert node.splits(9, 10, 14, 15, 99) == [None, None, None, 1, 1]
    node.change(20, 2)
    assert node.splits(19, 20, 24, 25) == [1, None, None, 2]
    node.change(30, 0)
    assert node.splits(29, 30, 34, 35) == [2, None, None, 0]


def test_splits_that_stay_write_nothing(node: Node) -> None:
    node.change(10, 1, 3)
    before = node.file.read_bytes()
    node.change(20, 1, 3)
    assert node.file.read_bytes() == before
    node.change(30, 1, 2)
    assert node.splits(30, 40) == [1, 1]
    assert node.splits(29, 30, 35, name="other") == [3, None, 2]


def test_an_experiment_without_traffic_is_certain_once_all_is_served(node: Node) -> None:
    node.follow(0)
    node.clock[0] = 10
    node.stamps.settle(live({0: 0}))
    assert node.splits(9, 10) == [None, 0]


def test_files_about_something_else_say_nothing_of_a_new_experiment(node: Node) -> None:
    node.change(10, 1)
    node.follow(1, 2)
    node.stamps.acknowledged(live({0: 1}))  # its clusters and routes, say
    assert "other" not in node.file.read_text()
    node.change(20, 1, 2)
    assert node.splits(19, 20, 25, name="other") == [None, None, 2]


def test_files_about_something_else_make_no_split_certain(node: Node) -> None:
    node.change(10, 1, is_refused=True)
    node.stamps.acknowledged(live({}))  # clusters, say: the weights are still those of before
    assert node.splits(10, 99) == [None, None]
    node.stamps.settle(live({}))
    assert node.splits(99) == [0]


def test_the_longest_request_is_that_of_any_policy_followed_so_far(node: Node) -> None:
    assert node.stamps.longest_request_us is None
    slow = replace(POLICY, resilience=replace(POLICY.resilience, timeout_s=20.0))
    for policy, longest_us in ((POLICY, 3_000_000), (slow, 20_000_000), (POLICY, 20_000_000)):
        node.stamps.follow([Placement(policy, 1, Split(1))])
        assert node.stamps.longest_request_us == longest_us


def test_a_restarted_node_notes_everything_anew(node: Node) -> None:
    node.change(10, 1)
    node.stamps = Stamps(Journal(node.file), now_us=lambda: node.clock[0])
    node.change(20, 1)
    assert node.splits(19, 20, 25) == [1, None, 1]


@pytest.mark.parametrize("then", [1, 2])
def test_after_a_refusal_no_split_is_certain_until_a_success(node: Node, then: int) -> None:
    node.change(10, 1, 3)
    node.change(20, 2, 3, is_refused=True)
    assert node.splits(19, 20, 25, 99) == [1, None, None, None]
    assert node.splits(99, name="other") == [3]
    node.change(30, then, 3)
    assert node.splits(29, 30, 34, 35) == [None, None, None, then]
