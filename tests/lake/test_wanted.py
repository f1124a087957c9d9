"""Whose accounts are kept, and what asking for one costs beside many others."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

from rollout.domain.records import Run
from rollout.lake.accounts.accounts import Accounts
from rollout.lake.accounts.asked import Asked, Counter, Trouble, Window
from rollout.lake.accounts.books import Books
from rollout.lake.accounts.wanted import FORGET_US, Changes, Wanted
from tests.cost import calls_of

ERRORS = Counter("errors", Window(10_000_000, 0), Trouble.ERROR)


def units(accounts: Accounts, _outcomes: object) -> int:
    return accounts.units


def asked(number: int, *, since_us: int = 5_000_000) -> Asked:
    return Asked(Run(f"policy{number}", 1), since_us, arms=2, blocks=(0,), counters=(ERRORS,))


def test_what_is_asked_first_or_otherwise_is_read_and_what_nobody_asks_for_goes() -> None:
    wanted, from_us = Wanted(), asked(1).outcomes_from_us
    first = wanted.add(asked(1), 0)
    second = wanted.add(asked(2), 1)
    assert wanted.changes(1) == Changes(frozenset({first, second}), (asked(1), asked(2)), from_us)
    wanted.add(asked(1), 2)
    assert wanted.changes(2) == Changes(frozenset(), (), from_us)
    other = replace(asked(1), counters=())
    assert wanted.add(other, 3) == first
    assert wanted.changes(3) == Changes(frozenset({first}), (other,), from_us)
    wanted.add(other, 4)
    assert wanted.changes(FORGET_US + 3) == Changes(frozenset({second}), (), from_us)
    assert wanted.changes(FORGET_US + 4) == Changes(frozenset({first}), (), 0)


def test_a_clock_that_was_far_ahead_keeps_nothing_for_ever() -> None:
    wanted = Wanted()
    ahead = wanted.add(asked(1), 10**15)
    old = {wanted.add(asked(number), number) for number in range(2, 9)}
    wanted.changes(9)
    new = wanted.add(asked(9), 2 * FORGET_US)
    assert wanted.changes(2 * FORGET_US).gone == {*old, new}, "and the one from ahead was gone already"
    wanted.again()
    assert wanted.changes(2 * FORGET_US).gone == {new}
    assert wanted.add(asked(1), 2 * FORGET_US) == ahead
    assert wanted.changes(2 * FORGET_US).gone == {ahead}, "it is read again"


def test_after_a_loss_everything_that_is_wanted_is_read_again() -> None:
    wanted = Wanted()
    keys = {wanted.add(asked(number), 0) for number in (1, 2, 3)}
    wanted.changes(0)
    wanted.again()
    found = wanted.changes(1)
    assert found.gone == keys
    assert {one.run for one in found.opened} == {run for run, _ in keys}


def test_the_earliest_outcome_that_matters_is_the_earliest_of_all_who_ask() -> None:
    wanted = Wanted()
    assert wanted.changes(0).from_us == 0
    expected = []
    for number, since_us in enumerate((9_000_000, 7_000_000, 8_000_000)):
        one = asked(number, since_us=since_us)
        wanted.add(one, number)
        expected.append(one.outcomes_from_us)
        assert wanted.changes(number).from_us == min(expected)
    assert wanted.changes(FORGET_US + 1).from_us == expected[2], "whoever was earlier is forgotten"


def test_who_waits_for_a_turn_is_answered_whatever_clock_the_one_before_had(tmp_path: Path) -> None:
    books, found = Books(tmp_path, cursors=tuple), list[int]()
    late = threading.Thread(target=lambda: found.append(books.ask(asked(1), units, 0)))

    def begin(accounts: Accounts, outcomes: object) -> int:
        # It waits while this one has the turn; the next question comes by a clock that was set meanwhile.
        late.start()
        late.join(0.1)
        return units(accounts, outcomes)

    books.ask(asked(2), begin, 0)
    books.ask(asked(3), units, 2 * FORGET_US)
    late.join(timeout=30)
    assert found == [0]


def test_asking_beside_many_runs_costs_what_it_costs_beside_a_few(tmp_path: Path) -> None:
    def cost(runs: int) -> int:
        books = Books(tmp_path, cursors=tuple)
        for number in range(runs):
            books.ask(asked(number), units, number)
        return calls_of(lambda: books.ask(asked(0), units, runs))

    assert cost(64) <= 1.1 * cost(4)
