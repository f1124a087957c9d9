"""So many measured polls in a row decide, as whoever counts them one by one finds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.domain.evidence import Poll, PollEvidence
from rollout.domain.measure.polls import polled
from tests.prometheus.runs import METRIC

POLLS = st.lists(st.sampled_from(Poll), min_size=1, max_size=24)


def counted(polls: list[Poll], limit: int) -> tuple[bool, bool, bool]:
    """Count one by one."""
    in_a_row, is_harmed = 0, False
    for poll in polls:
        if poll is not Poll.GAP:
            in_a_row = in_a_row + 1 if poll is Poll.BREACH else 0
        is_harmed |= in_a_row >= limit
    last = polls[-limit:]
    is_safe = len(last) == limit and set(last) == {Poll.GOOD}
    return is_harmed, is_safe, set(last) == {Poll.GAP}


@given(polls=POLLS, limit=st.integers(1, 6))
def test_polls_are_counted_as_one_counts_them_one_by_one(polls: list[Poll], limit: int) -> None:
    found = polled(replace(METRIC, failure_limit=limit), PollEvidence(np.array(polls, dtype=np.int64)))
    assert (bool(found.is_harmed), bool(found.is_safe), bool(found.is_empty)) == counted(polls, limit)


@given(st.integers(1, 4), st.lists(st.lists(st.sampled_from(Poll), min_size=8, max_size=8), min_size=1))
def test_replicates_are_counted_each_for_itself(limit: int, rows: list[list[Poll]]) -> None:
    found = polled(replace(METRIC, failure_limit=limit), PollEvidence(np.array(rows, dtype=np.int64)))
    expected = [counted(row, limit) for row in rows]
    assert list(zip(found.is_harmed, found.is_safe, found.is_empty, strict=True)) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize("away", range(1, 8))
def test_who_was_away_finds_the_harm_that_whoever_looked_found(away: int) -> None:
    polls = [Poll.GOOD, Poll.BREACH, Poll.GAP, Poll.BREACH, Poll.BREACH, *[Poll.GOOD] * (away - 1)]
    assert polled(METRIC, PollEvidence(np.array(polls, dtype=np.int64))).is_harmed
