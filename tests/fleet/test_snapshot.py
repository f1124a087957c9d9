"""Every placement travels as it is; what was cut, changed or invented on the way is refused whole."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.domain.assignment import Placement, Split
from rollout.fleet.snapshot import Snapshot, WrongSnapshot, read_snapshot
from tests.domain.examples import POLICY

st.register_type_strategy(float, st.floats(allow_nan=False))
SPLIT = Split(steps_on=1, stopped=frozenset({2, 1, 10}))
PLACEMENTS = (Placement(POLICY, 3, SPLIT), Placement(replace(POLICY, name="other", path="/o"), 1, Split()))
SENT = Snapshot.of(PLACEMENTS)
TEXT = SENT.text()


@given(st.lists(st.from_type(Placement), max_size=3))
def test_a_snapshot_comes_back(placements: list[Placement]) -> None:
    sent = Snapshot.of(placements)
    back = read_snapshot(sent.text())
    assert back == sent
    assert back.placements == tuple(placements)


def test_a_version_tells_any_difference_and_nothing_else() -> None:
    again = (replace(PLACEMENTS[0], split=replace(SPLIT, stopped=frozenset({10, 1, 2}))), PLACEMENTS[1])
    assert Snapshot.of(again).version == Snapshot.of(PLACEMENTS).version
    other = (replace(PLACEMENTS[0], split=replace(SPLIT, is_promoted=True)), PLACEMENTS[1])
    assert Snapshot.of(other).version != Snapshot.of(PLACEMENTS).version
    assert Snapshot.of(other).wanted[1].version == Snapshot.of(PLACEMENTS).wanted[1].version


def test_a_version_begins_with_the_term_and_the_same_is_wanted_under_any() -> None:
    later = Snapshot.of(PLACEMENTS, before=SENT, term=12)
    assert later.version == f"12-{SENT.digest}"
    assert read_snapshot(later.text(SENT.known), SENT.known) == later
    assert Snapshot.of(PLACEMENTS[:1], before=later).term == 12


def test_what_the_reader_knows_is_only_named() -> None:
    moved = Snapshot.of([replace(PLACEMENTS[0], split=Split(2)), PLACEMENTS[1]], before=SENT)
    assert moved.parts[1] is SENT.parts[1]
    short = moved.text(SENT.known)
    assert POLICY.salt in short
    assert '"/o"' not in short
    assert read_snapshot(short, read_snapshot(TEXT).known) == moved
    with pytest.raises(WrongSnapshot, match="not sent"):
        read_snapshot(short)


def test_a_whole_number_written_as_one_keeps_its_version() -> None:
    whole = replace(POLICY, resilience=replace(POLICY.resilience, timeout_s=3))
    sent = Snapshot.of([Placement(whole, 1, Split())])
    assert read_snapshot(sent.text()).wanted[0].version == sent.wanted[0].version


@pytest.mark.parametrize(
    "content",
    [
        "",
        "not JSON",
        "[]",
        '{"placements": []}',
        TEXT[: len(TEXT) // 2],
        TEXT.replace('"steps_on":1', '"steps_on":2', 1),
        TEXT.replace('"version":"', '"version":"0', 1),
        TEXT.replace('"steps_on":1', '"steps_on":NaN', 1),
        '{"placements":' + "[" * 100_000 + "]" * 100_000 + "}",
    ],
    ids=["empty", "text", "list", "no version", "cut", "changed", "misnamed", "not a number", "deep"],
)
def test_garbage_is_no_snapshot(content: str) -> None:
    with pytest.raises(WrongSnapshot):
        read_snapshot(content)


def test_a_placement_of_a_newer_program_leaves_the_others() -> None:
    first, second = (json.loads(one.text) for one in Snapshot.of(PLACEMENTS).wanted)
    first["split"]["tilt"] = 3
    back = read_snapshot(_sealed([first, second]))
    assert [one.policy.name for one in back.placements] == ["other"]
    assert [one.experiment for one in back.unread] == [POLICY.name]
    assert "tilt" in back.unread[0].reason


def test_what_is_kept_names_a_policy_and_says_nothing_of_it() -> None:
    snapshot = Snapshot.of(PLACEMENTS[:1], kept=["b", "a"])
    assert snapshot.version != Snapshot.of(PLACEMENTS[:1]).version
    back = read_snapshot(snapshot.text())
    assert (back.version, back.placements) == (snapshot.version, tuple(PLACEMENTS[:1]))
    assert [one.experiment for one in back.unread] == ["a", "b"]
    assert read_snapshot(snapshot.text(snapshot.known), snapshot.known) == snapshot


def _sealed(placements: list[object]) -> str:
    """Return a snapshot's text as a control plane of another version would write it."""
    texts = [json.dumps(one, sort_keys=True, separators=(",", ":"), ensure_ascii=False) for one in placements]
    versions = [hashlib.blake2b(text.encode(), digest_size=16).hexdigest() for text in texts]
    version = hashlib.blake2b("\n".join(versions).encode(), digest_size=16).hexdigest()
    return json.dumps({"placements": placements, "version": f"0-{version}"})
