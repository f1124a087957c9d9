"""`rollout explain`: why it did that, what it waits for, until when, and what a person can do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rollout.client.nodes import NodeState, RefusedState
from rollout.domain.decision import Reason
from tests.api.control import POLICY, START_US, TOKEN, begin, house, look
from tests.cli.desk import Desk, Eyes, say
from tests.domain.scenes import NOW_US, SECOND_US, evidence

BROKEN = replace(evidence(), enrolled=np.array([[4_000, 3_100]]), units_in_step=np.array([4_000, 3_100]))
EARLY = replace(evidence(), units_in_step=np.array([410, 320]))


@pytest.fixture(name="eyes")
def _eyes() -> Eyes:
    return Eyes()


@pytest.fixture(name="desk")
def _desk(tmp_path: Path, eyes: Eyes) -> Iterator[Desk]:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    with house(tmp_path, sight=eyes, is_live=lambda _: eyes.is_live) as there:
        begin(there.ledger)
        there.clock.now_us = START_US + 600 * SECOND_US
        yield Desk(tmp_path, there)


def test_a_broken_split_is_told_in_numbers_with_causes_and_what_to_do(desk: Desk, eyes: Eyes) -> None:
    look(desk.there.ledger, "churn-v2", Reason.STEP_UNFINISHED)
    look(desk.there.ledger, "churn-v2", Reason.MISMATCH_PAUSES, BROKEN)
    look(desk.there.ledger, "churn-v2", Reason.PAUSED, BROKEN)
    eyes.seen = BROKEN
    told = say(desk, "explain", "churn-v2").out
    assert (
        "\npaused at 2030-03-14 17:46:42 by decision 2: units do not fall to the arms as the policy" in told
    )
    assert "rule: PAUSED, decision 3\n" in told
    assert (
        "\nthe split is broken:\n"
        "  control 1.4.2: 4,000 units, expected 3,550 (+12.7%)\n"
        "  candidate 2.0.0: 3,100 units, expected 3,550 (-12.7%)\n"
        "  p < 1e-15: the chance that a good split ever looks so bad, at any of all looks; "
        "a run is held below p = 0.001\n"
        "  what breaks splits, the likeliest first:\n"
        "    1. something before the proxy chooses by a hash of x-user-id too"
    ) in told
    assert "\nwhat it waits for:\n  a person must decide: rollout resume churn-v2, or rollback\n" in told
    assert "\nwhat to do: find what sends one arm's users elsewhere, and mend it; then begin anew" in told
    sentence = "; the split is broken: control 1.4.2: 4,000 units, expected 3,550 (+12.7%); candidate 2.0.0: "
    assert sentence in say(desk, "report", "churn-v2").out
    found = json.loads(say(desk, "explain", "churn-v2", "-o", "json").out)["experiment"]["outlook"]
    assert [arm["units"] for arm in found["imbalance"]["arms"]] == [4_000, 3_100]
    assert found["imbalance"]["log_e"] > found["imbalance"]["bar"]


def test_it_says_until_when_it_waits_and_how_much_there_is(desk: Desk, eyes: Eyes) -> None:
    look(desk.there.ledger, "churn-v2", Reason.STEP_UNFINISHED)
    eyes.seen = EARLY
    told = say(desk, "explain", "churn-v2").out
    assert "; 0 s have counted, so it can be over at 2030-03-14 18:26:40 UTC at the earliest\n" in told
    assert "  each arm needs 500 units in this step; the one with fewest has 320, 180 too few\n" in told
    assert "what to do: wait; it goes on by itself\n" in told
    dwell, units = json.loads(say(desk, "status", "churn-v2", "-o", "json").out)["outlook"]["waits"][:2]
    assert (dwell["have"], dwell["need"], dwell["unit"]) == (0.0, 1800.0, "s")
    assert (units["have"], units["need"], units["earliest"]) == (320.0, 500.0, None)


def test_a_node_that_is_in_the_way_is_named(desk: Desk, eyes: Eyes) -> None:
    look(desk.there.ledger, "churn-v2", Reason.TRAFFIC_NOT_LIVE)
    eyes.is_live = False
    eyes.seen = evidence()
    refused = RefusedState(experiment="churn-v2", revision=1, reason="credential 'key' is not known")
    desk.there.fleet.told("edge", NodeState(refused=(refused,)))
    told = say(desk, "explain", "churn-v2").out
    assert (
        "  every proxy must confirm the present split\n    edge refuses it: credential 'key' is not" in told
    )


def test_hours_say_when_they_open_next(tmp_path: Path, eyes: Eyes) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    text = f'{POLICY}  windows: {{advance: "Mon-Thu 09:00-16:00 Europe/London"}}\n'
    (tmp_path / "churn.yaml").write_text(text)
    with house(tmp_path, sight=eyes) as there:
        eyes.seen = evidence()
        desk = Desk(tmp_path, there)
        assert say(desk, "start", "churn.yaml").code == 0
        look(there.ledger, "churn-v2", Reason.OUTSIDE_HOURS)
        told = say(desk, "explain", "churn-v2").out
    opens = "traffic moves up only Mon-Thu 09:00-16:00 Europe/London, next at 2030-03-18 09:00:00 UTC\n"
    assert opens in told


def test_one_decision_as_it_was_then(desk: Desk) -> None:
    look(desk.there.ledger, "churn-v2", Reason.STEP_PASSED)
    look(desk.there.ledger, "churn-v2", Reason.METRIC_HARMED, evidence(errors=0.2), "errors")
    told = say(desk, "explain", "churn-v2", "--decision", "1").out
    assert told.startswith("churn-v2, decision 1, revision 1\n2030-03-14 17:46:41  advance: the step lasted")
    assert "rule: STEP_PASSED\nfrom then on: running, step 2 of 3\n" in told
    assert "converted is better: +16.7% against the control" in told
    harmed = say(desk, "explain", "churn-v2", "--decision", "2").out
    assert "what to do about it: look at the metric in `rollout report churn-v2`" in harmed
    document = json.loads(say(desk, "explain", "churn-v2", "--decision", "2", "-o", "json").out)
    assert document["entry"]["number"] == 2
    none = say(desk, "explain", "churn-v2", "--decision", "7")
    assert (none.code, none.err) == (2, "churn-v2: it has no decision 7; its newest is 2\n")


def test_the_past_can_be_left_out(desk: Desk) -> None:
    for reason in (Reason.STEP_PASSED, Reason.STEP_PASSED, Reason.GOAL_UNPROVEN):
        look(desk.there.ledger, "churn-v2", reason)
    told = say(desk, "explain", "churn-v2", "--since", "2030-03-14T17:46:43").out
    assert "  2 earlier looks are left out\n" in told
    assert "  [3]\n" in told
    assert "  [2]\n" not in told
    assert "[1]" in say(desk, "explain", "churn-v2", "--since", "366d").out
    wrong = say(desk, "explain", "churn-v2", "--since", "yesterday")
    assert wrong.code == 2
    assert "must be a duration such as 2h, or a moment such as 2026-11-22" in wrong.err


def test_an_override_is_called_one(desk: Desk) -> None:
    look(desk.there.ledger, "churn-v2", Reason.PERSON_ADVANCES)
    told = say(desk, "explain", "churn-v2", "--decision", "1").out
    assert "rule: PERSON_ADVANCES, by which a person overruled the policy\n" in told


def test_now_is_not_asked_of_a_look_that_nobody_took(desk: Desk) -> None:
    assert desk.there.clock.now_us < NOW_US
    told = say(desk, "explain", "churn-v2").out
    assert "the first look is still to come\n" in told
