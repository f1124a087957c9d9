"""The checks can fail: each promise, broken by hand in a world where all was well, is complained of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.lake.units import UnitHash
from tests.e2e.memory import Asked, Attempt, Posted
from tests.faults.checking import Checker, Filed, OutcomeRow, Promise, Row, Seat
from tests.faults.excuses import Excuses, Loss, Offset, Window
from tests.faults.matching import best_matched, matched

HASHING = UnitHash(b"0" * 32)
ANN, BOB, EVE = "ann", "bob", "eve"
SEATS = {
    ANN: Seat("candidate1", has_rows=True),
    BOB: Seat("control", has_rows=True),
    EVE: Seat("control", has_rows=False),
    None: Seat("control", has_rows=False),
}
HOUR_US = 3_600_000_000


def number(unit: str) -> int:
    found = HASHING.unit(unit)
    assert found is not None
    return found


def answered(unit: str | None, request: int, began_us: int) -> Asked:
    attempt = Attempt(began_us, began_us + 10, code=200, arm=SEATS[unit].arm)
    return Asked(unit, request, [attempt])


@dataclass
class World:
    """Six requests and two outcomes, all well: Ann and Bob have rows, Eve and a stranger are tallied."""

    asked: list[Asked] = field(
        default_factory=lambda: [
            answered(ANN, 0, 100),
            answered(ANN, 1, 200),
            answered(BOB, 0, 105),
            answered(BOB, 1, 300),
            answered(EVE, 0, 400),
            answered(None, 0, 500),
        ]
    )
    posted: dict[str, Posted] = field(
        default_factory=lambda: {
            "ann/0": Posted(ANN, "converted", 120, 1.0, posts=2, is_acknowledged=True),
            "bob/1": Posted(BOB, "converted", 320, 1.0, posts=1, is_acknowledged=True),
        }
    )
    rows: list[Row] = field(
        default_factory=lambda: [
            Row(number(ANN), 103, "candidate1", 200, 1),
            Row(number(ANN), 205, "candidate1", 200, 2),
            Row(number(BOB), 105, "control", 200, 1),
            Row(number(BOB), 310, "control", 200, 1),
        ]
    )
    tallied: int = 2
    outcomes: list[OutcomeRow] = field(
        default_factory=lambda: [
            OutcomeRow(number(ANN), "converted", 120, 1_000_000, key=7),
            OutcomeRow(number(ANN), "converted", 120, 1_000_000, key=7),
            OutcomeRow(number(BOB), "converted", 320, 1_000_000, key=8),
        ]
    )
    excuses: Excuses = field(default_factory=Excuses)

    def broken(self) -> set[StrEnum]:
        checker = Checker(SEATS.__getitem__, HASHING, self.excuses)
        verdict = checker.check(self.asked, self.posted, Filed(self.rows, self.tallied, self.outcomes))
        return {one.promise for one in verdict.broken}


def cut_off(world: World, ended_us: int = 150) -> None:
    world.asked[0].attempts.insert(0, Attempt(90, ended_us))


def answer_with(**changes: object) -> Callable[[World], None]:
    def change(world: World) -> None:
        attempts = world.asked[2].attempts
        attempts[0] = replace(attempts[0], **changes)  # type: ignore[arg-type]

    return change


def lose_tally(world: World) -> None:
    world.tallied -= 1


def double_tally(world: World) -> None:
    world.tallied += 1


def swap_arms(world: World) -> None:
    world.rows[2] = replace(world.rows[2], arm="candidate1")


def key_again(world: World) -> None:
    world.outcomes[1] = replace(world.outcomes[1], key=9)


def share_key(world: World) -> None:
    world.posted["ann/1"] = replace(world.posted["ann/0"], ts_us=220)
    world.outcomes.append(replace(world.outcomes[0], ts_us=220))


def test_when_all_is_well_nothing_is_complained_of() -> None:
    assert World().broken() == set()


@pytest.mark.parametrize(
    ("tamper", "promise"),
    [
        (answer_with(code=503), Promise.FAILED),
        (answer_with(arm=None), Promise.FAILED),
        (answer_with(is_whole=False), Promise.FAILED),
        (answer_with(code=None), Promise.FAILED),
        (cut_off, Promise.FAILED),
        (lambda world: world.asked[3].attempts.clear(), Promise.FAILED),
        (answer_with(arm="candidate1"), Promise.MOVED),
        (lambda world: world.rows.pop(), Promise.LOST),
        (lambda world: world.rows.pop(0), Promise.LOST),
        (lose_tally, Promise.LOST),
        (lambda world: world.rows.append(world.rows[1]), Promise.DOUBLED),
        (lambda world: world.rows.append(replace(world.rows[1], ts_us=250)), Promise.DOUBLED),
        (double_tally, Promise.DOUBLED),
        (swap_arms, Promise.CHANGED),
        (lambda world: world.rows.__setitem__(0, replace(world.rows[0], status=500)), Promise.CHANGED),
        (lambda world: world.outcomes.pop(), Promise.OUTCOME_LOST),
        (share_key, Promise.OUTCOME_LOST),
        (lambda world: world.outcomes.append(world.outcomes[2]), Promise.OUTCOME_DOUBLED),
        (key_again, Promise.OUTCOME_DOUBLED),
        (
            lambda world: world.outcomes.append(replace(world.outcomes[2], value_u=5)),
            Promise.OUTCOME_DOUBLED,
        ),
    ],
)
def test_each_broken_promise_is_complained_of(tamper: Callable[[World], object], promise: Promise) -> None:
    world = World()
    tamper(world)
    assert promise in world.broken()


def test_one_lost_and_another_doubled_do_not_make_up_for_each_other() -> None:
    world = World()
    world.rows[0] = world.rows[1]
    assert world.broken() >= {Promise.LOST, Promise.DOUBLED}


def test_an_outcome_that_nobody_acknowledged_may_be_missing_or_there() -> None:
    world = World()
    world.posted["bob/1"].is_acknowledged = False
    assert world.broken() == set()
    world.outcomes.pop()
    assert world.broken() == set()


def test_a_cut_is_forgiven_while_envoy_is_away_and_its_request_may_be_filed_or_not() -> None:
    world = World(excuses=Excuses(cuts=[Window(80, 95)]))
    world.asked[0].attempts.insert(0, Attempt(90, 99))
    assert world.broken() == set()
    world.rows.append(Row(number(ANN), 95, "candidate1", 200, 1))
    assert world.broken() == set()
    world.rows.append(Row(number(ANN), 96, "candidate1", 200, 1))
    assert world.broken() == {Promise.DOUBLED}


def test_a_refused_attempt_cannot_be_filed() -> None:
    world = World(excuses=Excuses(cuts=[Window(80, 95)]))
    world.asked[0].attempts.insert(0, Attempt(90, 99, was_sent=False))
    world.rows.append(Row(number(ANN), 95, "candidate1", 200, 1))
    assert world.broken() == {Promise.DOUBLED}


def test_only_what_was_answered_around_a_break_may_be_missing() -> None:
    world = World(excuses=Excuses(losses=[Loss(Window(300, 600), 320)]))
    world.rows.pop()
    world.tallied = 0
    assert world.broken() == set()
    world.tallied = 3
    assert world.broken() == {Promise.DOUBLED}
    world.tallied = 2
    world.rows.pop()
    assert world.broken() == {Promise.LOST}


def test_who_reads_an_answer_late_was_still_answered_before_the_break() -> None:
    # Bob's second answer was given somewhere between 300 and 310; he read it at 310.
    world = World(excuses=Excuses(losses=[Loss(Window(250, 304), 304)]))
    world.rows.pop()
    assert world.broken() == set()
    world.excuses.losses = [Loss(Window(250, 299), 299)]
    assert world.broken() == {Promise.LOST}, "he asked after the break"


@pytest.mark.parametrize("offset_us", [HOUR_US, -HOUR_US])
def test_rows_are_found_under_the_time_that_the_node_saw(offset_us: int) -> None:
    world = World(excuses=Excuses(offsets=[Offset(Window(150, 250), offset_us)]))
    assert world.broken() == {Promise.LOST, Promise.DOUBLED}
    world.rows[1] = replace(world.rows[1], ts_us=205 + offset_us)
    assert world.broken() == set()
    assert world.excuses.true_times(205 + offset_us) == [205 + offset_us, 205]
    assert world.excuses.true_times(300 + offset_us) == [300 + offset_us]


def test_a_row_is_given_to_the_request_that_must_have_one() -> None:
    """One request's line was destroyed, and the clock had shown another's time to it."""
    forgiven, sure = (100, 110), (105, 900)
    assert best_matched([forgiven, sure], [1], [107]) == {0: 1}
    assert best_matched([forgiven, sure], [0, 1], [107, 108]) == {0: 0, 1: 1}


def most(spans: Sequence[tuple[int, int]], times: Sequence[int]) -> int:
    """Return how many moments can have a span each, by trying every order."""
    sized = list(spans) + [(1, 0)] * max(0, len(times) - len(spans))
    return max(
        sum(low <= time <= high for (low, high), time in zip(order, times, strict=False))
        for order in permutations(sized, len(times))
    )


SPANS = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 6)), max_size=5)


@given(SPANS, st.lists(st.integers(0, 16), max_size=5))
def test_as_many_rows_as_possible_find_a_request(drawn: list[tuple[int, int]], times: list[int]) -> None:
    spans, times = [(low, low + length) for low, length in drawn], sorted(times)
    pairs = matched(spans, times)
    assert len(set(pairs.values())) == len(pairs) == most(spans, times)
    assert all(spans[span][0] <= times[moment] <= spans[span][1] for moment, span in pairs.items())
