"""YAML as a tree with lines: nothing hidden, nothing endless."""

from __future__ import annotations

import pytest

from rollout.policyfile.composing import MAXIMUM_DEPTH, MAXIMUM_NODES, compose
from rollout.policyfile.nodes import Items, Keys, Scalar, shown, walk

LAUGHS = "a: &a [x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


def test_values_stay_text() -> None:
    root = compose('a: [on, 010, 1e3, "1.10", null, 12:30]').root
    assert isinstance(root, Keys)
    items = root.entries["a"]
    assert isinstance(items, Items)
    assert [item.text for item in items.items if isinstance(item, Scalar)] == [
        "on",
        "010",
        "1e3",
        "1.10",
        "null",
        "12:30",
    ]
    assert [shown(item) for item in items.items] == ["on", "010", "1e3", "'1.10'", "nothing", "12:30"]


def test_lines_of_keys_items_and_what_is_missing() -> None:
    root = compose("a:\n  b:\n    - 1\n    - c: 2\n").root
    assert walk(root, ("a",))[1] == 1
    assert walk(root, ("a", "b"))[1] == 2
    assert walk(root, ("a", "b", 1))[1] == 4
    assert walk(root, ("a", "b", 1, "c")) == (Scalar("2", 4), 4)
    assert walk(root, ("a", "b", 1, "zzz")) == (None, 4)
    assert walk(root, ("a", "b", 7)) == (None, 2)
    assert walk(None, ("a",)) == (None, None)


@pytest.mark.parametrize(
    "hostile",
    [
        "[" * 200_000,
        "{" * 200_000,
        "- " * 100_000,
        "? " * 100_000,
        "a: " * 80_000,
        "[[a: " * 50_000,
        "- a\n" * 60_000,
        "a: {b: [1, 2, 3]}\n" * 14_000,
        '"\\UFFFFFFFF"',
        "\x00",
        "\ud800",
        "%YAML 9.9\n---\n",
        "",
    ],
    ids=lambda text: repr(text[:8]),
)
def test_hostile_texts_are_refused_at_once(hostile: str) -> None:
    document = compose(hostile)
    assert document.root is None
    assert document.faults


def test_an_alias_is_never_followed() -> None:
    document = compose(LAUGHS)
    assert isinstance(document.root, Keys)
    assert document.root.entries["h"] == Items((Scalar("", 8),) * 9, 8)
    assert len(document.faults) == 9 + 8 * 9
    assert document.hidden == {(name, place) for name in "bcdefghi" for place in range(9)}


def test_what_is_hidden_and_what_is_not() -> None:
    assert compose("a: &a 1\nb: {c: 2}").hidden == frozenset()
    assert compose("a: &a 1\nb: {c: *a}").hidden == {("b", "c")}
    assert compose("a: {b: !!str 1, c: 2}").hidden == {("a", "b")}
    assert compose("a: {<<: {x: 1}, c: 2}").hidden == {("a",)}


def test_the_limits_are_what_a_reader_is_told() -> None:
    (depth,) = compose("[" * (MAXIMUM_DEPTH + 2) + "]" * (MAXIMUM_DEPTH + 2)).faults
    assert depth.what == f"nested deeper than {MAXIMUM_DEPTH} levels"
    (count,) = compose("- a\n" * MAXIMUM_NODES).faults
    assert count.what == f"more than {MAXIMUM_NODES} keys and values"
    assert compose("- a\n" * (MAXIMUM_NODES - 1)).faults == ()


def test_the_first_of_two_equal_keys_is_kept_to_go_on() -> None:
    document = compose("a: 1\na: 2\n")
    assert isinstance(document.root, Keys)
    assert document.root.entries == {"a": Scalar("1", 1)}
    assert [fault.line for fault in document.faults] == [2]
