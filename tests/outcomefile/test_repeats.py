"""Rows that are one outcome: found as a slow, obvious comparison finds them, in parts of any size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as some

from rollout.api.told import Told
from rollout.outcomefile import repeats
from rollout.outcomefile.repeats import SHOWN, Seen

TEXTS = some.sampled_from(["a", " a", "a\t", "b", "Zoë", "用户", "🦊", "a\nb"])
TOLD = some.builds(
    Told,
    unit=TEXTS,
    metric=some.sampled_from(["bought", "a\nb", "b"]),
    ts_us=some.integers(1, 3),
    value=some.sampled_from([0.0, 1.0, 0.5, 0.50000001]),
    key=some.one_of(some.none(), some.sampled_from(["k", "c1 1000000", "1 1000000"])),
)


@dataclass(frozen=True)
class Expected:
    same: int
    conflicts: Sequence[tuple[int, int]]


def obvious(rows: Sequence[Told]) -> Expected:
    """Compare each row with the first of its unit, metric and key."""
    first: dict[object, tuple[int, object]] = {}
    same, conflicts = 0, []
    for line, told in enumerate(rows, start=1):
        value_u = round(told.value * 1_000_000)
        says = (told.ts_us, value_u)
        key = ("key", told.key) if told.key is not None else ("content", *says)
        line_before, said_before = first.setdefault((told.unit.strip(" \t"), told.metric, key), (line, says))
        if line_before < line:
            same += said_before == says
            if said_before != says:
                conflicts.append((line_before, line))
    return Expected(same, conflicts)


def found(rows: Sequence[Told]) -> repeats.Repeats:
    seen = Seen()
    try:
        for line, told in enumerate(rows, start=1):
            seen.add(line, told)
        return seen.found()
    finally:
        seen.close()


@given(
    rows=some.lists(TOLD, max_size=40), held_rows=some.sampled_from([1, 3, 1000]), part=some.integers(1, 9)
)
def test_repeats_are_those_of_the_obvious_comparison(rows: list[Told], held_rows: int, part: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(repeats, "HELD_ROWS", held_rows)
        patch.setattr(repeats, "ROWS_AT_ONCE", part)
        answer = found(rows)
    expected = obvious(rows)
    assert (answer.same, answer.conflicts) == (expected.same, len(expected.conflicts))
    assert [(one.first, one.line) for one in answer.shown] == list(expected.conflicts)[:SHOWN]
    assert answer.is_complete


def test_without_room_for_it_the_comparison_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**_: object) -> object:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(repeats, "HELD_ROWS", 2)
    monkeypatch.setattr("tempfile.TemporaryFile", full)
    answer = found([Told("a", "bought", 1, 1.0)] * 5)
    assert not answer.is_complete
    assert answer.conflicts == 0
