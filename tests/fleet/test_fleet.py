"""All nodes have to confirm; who does not is named, and nobody waits longer than a moment."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

import pytest

from rollout.client.nodes import LiveState, LossState, NodeState, RefusedState, SplitState
from rollout.domain.assignment import Placement, Split
from rollout.fleet import fleet as module
from rollout.fleet.fleet import SILENT_AFTER_S, Fleet
from rollout.fleet.snapshot import Snapshot, Wanted, read_snapshot
from tests.domain.examples import POLICY

OTHER = replace(POLICY, name="other", path="/other", salt="other")
FIRST, SECOND = Placement(POLICY, 1, Split(1)), Placement(OTHER, 1, Split(1))


@dataclass
class Scene:
    """A fleet whose clock stands still unless it is moved; it waits a thousand seconds for no one."""

    now_s: float = 1000.0
    marked: list[str] = field(default_factory=list)
    waits_s: float = 0.0

    def __post_init__(self) -> None:
        self.fleet = Fleet(
            marked=lambda: self.marked,
            now_us=lambda: int(self.now_s * 1e6),
            steady_s=lambda: self.now_s,
            confirmed_within_s=self.waits_s,
        )

    def pass_by(self, seconds: float) -> None:
        self.now_s += seconds
        self.tell("a")

    def tell(self, node: str, *served: Placement, refuses: Iterable[tuple[Placement, str]] = ()) -> None:
        refusals = list(refuses)
        dealt_with = Snapshot.of([*served, *(one for one, _ in refusals)]).version
        live = tuple(
            LiveState(
                experiment=one.policy.name,
                revision=one.revision,
                split=SplitState(steps_on=one.split.steps_on),
                placement=Wanted.of(one).version,
            )
            for one in served
        )
        refused = tuple(
            RefusedState(experiment=one.policy.name, placement=Wanted.of(one).version, reason=why)
            for one, why in refusals
        )
        self.fleet.told(node, NodeState(snapshot=dealt_with, live=live, refused=refused))


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_nothing_is_live_before_a_node_has_said_so(scene: Scene) -> None:
    published = scene.fleet.publish((FIRST,))
    assert not published.is_live
    assert published.refusal == "no node has said yet how it stands"
    assert not published.live


def test_it_is_live_when_every_node_confirms_exactly_this(scene: Scene) -> None:
    scene.tell("a", FIRST, SECOND)
    scene.tell("b", FIRST)
    published = scene.fleet.publish((FIRST, SECOND))
    assert not published.is_live
    assert published.live == {POLICY.name}
    assert published.confirms(POLICY.name)
    assert "not confirmed yet by b" in (published.refusal or "")
    assert scene.fleet.serves(FIRST)
    assert not scene.fleet.serves(SECOND)
    scene.tell("b", FIRST, SECOND)
    assert scene.fleet.publish((FIRST, SECOND)).is_live
    assert scene.fleet.serves(SECOND)
    moved = replace(SECOND, split=Split(2))
    assert not scene.fleet.serves(moved)
    assert not scene.fleet.publish((FIRST, moved)).is_live


def test_a_dead_node_is_named_and_confirms_nothing(scene: Scene) -> None:
    scene.tell("alive", FIRST)
    scene.tell("dead", FIRST)
    assert scene.fleet.publish((FIRST,)).is_live
    scene.now_s += SILENT_AFTER_S + 1
    scene.tell("alive", FIRST)
    published = scene.fleet.publish((FIRST,))
    assert not published.is_live
    assert not published.confirms(POLICY.name)
    assert "silent: dead" in (published.refusal or "")
    assert [(seen.name, silent, live) for seen, silent, live in scene.fleet.nodes()] == [
        ("alive", False, True),
        ("dead", True, False),
    ]
    assert scene.fleet.forget("dead")
    assert not scene.fleet.forget("dead")
    assert scene.fleet.publish((FIRST,)).is_live


def test_a_node_whose_records_are_waited_for_counts_before_it_speaks(scene: Scene) -> None:
    scene.marked = ["old"]
    scene.tell("new", FIRST)
    published = scene.fleet.publish((FIRST,))
    assert not published.is_live
    assert "silent: old" in (published.refusal or "")
    scene.tell("old", FIRST)
    assert scene.fleet.publish((FIRST,)).is_live


def test_a_refusal_is_told_in_the_nodes_words_and_holds_up_only_its_own(scene: Scene) -> None:
    scene.tell("a", FIRST, refuses=[(SECOND, "rds.json: a duration is out of range")])
    published = scene.fleet.publish((FIRST, SECOND))
    assert published.live == {POLICY.name}
    assert published.refusal == "a refuses other: rds.json: a duration is out of range"


def test_a_node_is_through_only_when_it_serves_nothing_else(scene: Scene) -> None:
    scene.tell("a", FIRST, SECOND)
    published = scene.fleet.publish((FIRST,))
    assert not published.is_live
    assert published.confirms(POLICY.name)
    scene.tell("a", FIRST)
    assert scene.fleet.publish((FIRST,)).is_live


def test_only_something_new_is_waited_for() -> None:
    scene = Scene(waits_s=1000.0)
    scene.tell("a", FIRST)
    assert scene.fleet.publish((FIRST,)).is_live
    moved = replace(FIRST, split=Split(2))
    confirming = threading.Timer(0.05, lambda: scene.tell("a", moved))
    confirming.start()
    assert scene.fleet.publish((moved,)).is_live
    scene.tell("a", FIRST)  # it lost it again, say: nobody waits for that
    assert not scene.fleet.publish((moved,)).is_live
    confirming.join()


@pytest.mark.parametrize(
    "ends",
    [
        lambda scene: scene.tell("a", refuses=[(FIRST, "no")]),
        lambda scene: scene.fleet.close(),
        lambda scene: scene.pass_by(2000),
    ],
    ids=["refused", "closed", "over"],
)
def test_waiting_ends_as_soon_as_it_is_pointless(ends: Callable[[Scene], object]) -> None:
    scene = Scene(waits_s=1000.0)
    scene.tell("a")
    ending = threading.Timer(0.05, ends, [scene])
    ending.start()
    assert not scene.fleet.publish((FIRST,)).is_live
    ending.join()


def test_those_who_listen_hear_of_a_change_and_of_nothing_else(scene: Scene) -> None:
    heard: list[int] = []
    end = scene.fleet.listen(lambda: heard.append(1))
    scene.fleet.publish((FIRST,))
    scene.fleet.publish((FIRST,))
    assert len(heard) == 1
    end()
    scene.fleet.publish(())
    assert len(heard) == 1


def test_a_reader_gets_what_it_lacks(scene: Scene) -> None:
    assert scene.fleet.text_after(None) is None
    scene.fleet.publish((FIRST, SECOND))
    whole = read_snapshot(scene.fleet.text_after(None) or "")
    assert scene.fleet.text_after(whole.version) is None
    scene.fleet.publish((replace(FIRST, split=Split(2)), SECOND))
    short = scene.fleet.text_after(whole.version) or ""
    assert OTHER.path not in short
    assert read_snapshot(short, whole.known).placements[1] == SECOND
    assert OTHER.path in (scene.fleet.text_after("0-" + "0" * 32) or "")
    for number in range(module.KNOWN_SNAPSHOTS):
        scene.fleet.publish((replace(FIRST, revision=number + 2), SECOND))
    assert OTHER.path in (scene.fleet.text_after(whole.version) or "")


def test_another_leader_s_readers_learn_its_term_and_get_nothing_twice(scene: Scene) -> None:
    scene.fleet.publish((FIRST, SECOND))
    before = scene.fleet.wanted
    assert before is not None
    follower = Fleet(marked=list, now_us=lambda: 0, confirmed_within_s=0.0, term=7)
    follower.publish((FIRST, SECOND))
    text = follower.text_after(before.version) or ""
    assert FIRST.policy.path not in text
    after = read_snapshot(text, before.known)
    assert (after.term, after.digest, after.parts) == (7, before.digest, before.parts)
    assert follower.text_after(after.version) is None


def test_losses_are_remembered_as_told(scene: Scene) -> None:
    assert scene.fleet.losses("a") == ()
    loss = LossState(kind="exposures", rows=3, from_us=1, to_us=2)
    scene.fleet.told("a", NodeState(losses=(loss,)))
    assert scene.fleet.losses("a") == (loss,)
