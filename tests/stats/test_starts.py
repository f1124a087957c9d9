"""Many starts: their weights, their lives, and the first event since each."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.stats import starts


def test_the_weights_spend_the_whole_and_never_more() -> None:
    weights = starts.weight_of(np.arange(1_000_000))
    assert weights[0] == 0.5
    assert weights[1] == pytest.approx(0.5 / (2.10974 * 2 * np.log(2) ** 2), rel=1e-5)
    # What is left belongs to starts beyond a million: ½ ∫ dk/(C k ln² k) from there on.
    assert weights.sum() == pytest.approx(1 - 0.5 / 2.109742801 / np.log(1_000_000.5), rel=1e-9)


def test_the_strongest_start_pays_for_its_number() -> None:
    penalty = float(starts.penalty_of(7))
    assert starts.strongest([10.0, 10.0 + penalty], [0, 7]) == pytest.approx(10.0)
    assert starts.strongest([10.0, 9.0 + penalty], [0, 7]) == pytest.approx(10.0 - np.log(2))
    assert starts.strongest(np.zeros((4, 0)), []).tolist() == [0.0] * 4


def _obvious(now: int, begin: int, changes: tuple[int, ...], every: int, life: int) -> list[tuple[int, int]]:
    """Walk through time, one start after another."""
    found, number = [], 0
    bounds = (begin, *(change for change in changes if change <= now), None)
    for segment, following in itertools.pairwise(bounds):
        assert segment is not None
        at = segment
        while at <= now and (following is None or at < following):
            alive = number == 0 or (following is None and at > now - life)
            if alive:
                found.append((number, at))
            number, at = number + 1, at + every
    return found


@given(
    st.integers(0, 20_000),
    st.integers(-500, 500),
    st.lists(st.integers(1, 20_000), max_size=4, unique=True),
    st.integers(1, 900),
    st.integers(1, 5000),
)
def test_live_starts_equal_a_walk_through_time(
    now: int, begin: int, changes: list[int], every: int, life: int
) -> None:
    changes = sorted(change + begin for change in changes)
    now = begin + now
    found = starts.live_starts(now, begin, split_changes=tuple(changes), every=every, life=life)
    pairs = list(zip(found.index.tolist(), found.begin.tolist(), strict=True))
    assert pairs == _obvious(now, begin, tuple(changes), every, life)


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 4), st.booleans(), st.integers(0, 1)), max_size=60)
)
def test_first_events_equal_sets_of_units(history: list[tuple[int, int, bool, int]]) -> None:
    history = sorted(history)
    begins = [0, 10, 30]
    previous: dict[int, int] = {}
    before = []
    for time, unit, _, _ in history:
        before.append(previous.get(unit, starts.NEVER))
        previous[unit] = time
    candidate, comparison = starts.first_event_counts(
        [row[0] for row in history],
        before,
        is_candidate=[row[2] for row in history],
        split=[row[3] for row in history],
        begin=begins,
        splits=2,
    )
    for j, begin in enumerate(begins):
        seen: set[int] = set()
        expected = np.zeros((2, 2))
        for time, unit, own, split in history:
            if time >= begin and unit not in seen:
                seen.add(unit)
                expected[int(own), split] += 1
        assert candidate[j].tolist() == expected[1].tolist()
        assert comparison[j].tolist() == expected[0].tolist()


def test_a_schedule_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="split_changes: must ascend"):
        starts.live_starts(100, 0, split_changes=(50, 40))
    with pytest.raises(ValueError, match="every, life"):
        starts.live_starts(100, 0, every=0)
