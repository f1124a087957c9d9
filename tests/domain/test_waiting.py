"""What a run waits for: with its numbers, and in agreement with what is decided."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollout.domain.decide import decide
from rollout.domain.decision import Action
from rollout.domain.experiment import Experiment, Phase
from rollout.domain.policy import Choice, Hold, LocalCommand, Step
from rollout.domain.verdict import Finding, Judgement
from rollout.domain.waiting import Awaited, Deadline, Wait, deadlines, waits
from rollout.domain.wish import Approval
from rollout.render.waiting import patience, sentence
from tests.domain.examples import POLICY
from tests.domain.scenes import EXPERIMENT, HOUR_US, NOW_US, SECOND_US, judgement, spoiled

FIRST = replace(EXPERIMENT, step=0, step_entered_us=NOW_US - 10 * 60 * SECOND_US)
"""Ten minutes into a step of half an hour and 500 units."""
FEW = replace(judgement(), units_in_step=(510, 320))


def kinds(experiment: Experiment, judged: Judgement | None, opens_us: int | None = None) -> list[Awaited]:
    return [one.what for one in waits(experiment, judged, NOW_US, opens_us)]


def said(experiment: Experiment, judged: Judgement, opens_us: int | None = None) -> list[str]:
    return [sentence(one, experiment) for one in waits(experiment, judged, NOW_US, opens_us)]


def test_a_step_says_how_long_it_still_lasts_and_how_many_units_lack() -> None:
    dwell, units = waits(FIRST, FEW, NOW_US)
    assert dwell == Wait(Awaited.DWELL, 600e6, 1800e6, NOW_US + 20 * 60 * SECOND_US)
    assert units == Wait(Awaited.UNITS, 320, 500)
    assert said(FIRST, FEW) == [
        (
            "the step lasts 30m of unpaused time with fresh evidence; 10 min 0 s have counted, so it can be "
            "over at 2030-03-17 18:06:40 UTC at the earliest"
        ),
        "each arm needs 500 units in this step; the one with fewest has 320, 180 too few",
    ]


def test_a_pause_stops_the_dwell_and_waits_for_a_person() -> None:
    paused = replace(FIRST, phase=Phase.PAUSED, paused_us=NOW_US - 4 * 60 * SECOND_US)
    person, dwell, _ = waits(paused, FEW, NOW_US)
    assert (person.what, person.about) == (Awaited.PERSON, "resume")
    assert (dwell.have, dwell.earliest_us) == (360e6, None)
    assert "nothing counts while it is paused" in sentence(dwell, paused)
    assert "rollout resume churn-v2" in sentence(person, paused)


def test_the_last_step_names_each_proof_that_lacks_and_then_the_approvals() -> None:
    asked = replace(EXPERIMENT, policy=replace(POLICY, approvers=("growth", "legal")))
    unproven = judgement(converted=Finding.UNCLEAR, p99=Finding.UNCLEAR)
    found = waits(asked, unproven, NOW_US)
    assert [(one.what, one.about) for one in found] == [
        (Awaited.PROOF, "converted"),
        (Awaited.PROOF, "p99"),
        (Awaited.APPROVAL, "growth and legal"),
    ]
    half = replace(
        unproven,
        verdicts=tuple(replace(one, latched_proof=2.0, proof_bar=4.1) for one in unproven.verdicts),
    )
    assert said(asked, half)[0] == "converted must be proven; its proof is at 48% of its bar"
    approved = replace(asked, approvals=(Approval("growth", "anna", "fine", NOW_US),))
    assert waits(approved, judgement(), NOW_US)[-1].about == "legal"


def test_proxies_and_hours_stand_in_the_way_of_every_move_up() -> None:
    shut = replace(judgement(), traffic_is_live=False, window_is_open=False)
    proxies, hours = waits(EXPERIMENT, shut, NOW_US, NOW_US + HOUR_US)
    assert (proxies.what, hours.what) == (Awaited.PROXIES, Awaited.HOURS)
    assert sentence(hours, EXPERIMENT).endswith("next at 2030-03-17 18:46:40 UTC")


def test_what_is_not_known_is_named() -> None:
    blind = replace(
        judgement(errors=Finding.MISSING),
        split_holds=False,
        evidence_is_fresh=False,
        held_by="node a is silent",
    )
    assert kinds(EXPERIMENT, blind)[:3] == [Awaited.SPLIT, Awaited.METRIC, Awaited.EVIDENCE]
    assert "errors should be known by now" in said(EXPERIMENT, blind)[1]
    assert said(EXPERIMENT, blind)[2].endswith(": node a is silent")
    outage = waits(EXPERIMENT, spoiled(judgement(), "p99", is_outage=True), NOW_US)[0]
    assert (outage.what, outage.about) == (Awaited.OUTAGE, "p99")


def test_actions_are_waited_for_with_their_limit() -> None:
    actions = replace(POLICY.actions, promote=LocalCommand(("./promote.sh", "churn"), deadline_s=600.0))
    promoting = replace(EXPERIMENT, phase=Phase.PROMOTING, policy=replace(POLICY, actions=actions))
    assert said(promoting, judgement()) == [
        "the action must end (promote: ./promote.sh churn); past 10m it counts as failed"
    ]
    rolling = replace(EXPERIMENT, phase=Phase.ROLLING_BACK)
    assert said(rolling, judgement()) == ["the action must end (rollback)"]
    failed = replace(EXPERIMENT, phase=Phase.ACTION_FAILED)
    assert said(failed, judgement()) == ["a person must decide: rollout retry churn-v2, or rollback"]
    watching = replace(EXPERIMENT, phase=Phase.WATCHING, watch_from_us=NOW_US - 60 * SECOND_US)
    assert said(watching, judgement())[0].startswith("the watch lasts 30m of unpaused time")


@pytest.mark.parametrize("phase", [Phase.PROMOTED, Phase.ROLLED_BACK, Phase.STOPPED, Phase.RETIRED])
def test_what_has_ended_waits_for_nothing(phase: Phase) -> None:
    ended = replace(EXPERIMENT, phase=phase)
    assert waits(ended, judgement(), NOW_US) == ()
    assert deadlines(ended, judgement(), NOW_US) == ()


def test_the_deadline_says_when_patience_ends_and_what_then() -> None:
    (found,) = deadlines(EXPERIMENT, judgement(), NOW_US)
    left_us = 12 * 24 * HOUR_US
    assert found == Deadline(left_us, NOW_US + left_us, Choice.PAUSE, "hold.atMost")
    assert patience(found) == (
        "hold.atMost ends at 2030-03-29 17:46:40 UTC, in 12 d 0 h; without an answer by then it pauses"
    )
    by_person = replace(EXPERIMENT, phase=Phase.PAUSED, paused_us=NOW_US - HOUR_US, is_paused_by_person=True)
    (still,) = deadlines(by_person, judgement(), NOW_US)
    assert (still.left_us, still.at_us) == (left_us + HOUR_US, None)
    assert "do not run while a person's pause lasts" in patience(still)
    over = replace(EXPERIMENT, step_entered_us=NOW_US - 15 * 24 * HOUR_US)
    assert patience(deadlines(over, judgement(), NOW_US)[0]).startswith("hold.atMost is over: it pauses")


def test_evidence_that_is_away_has_a_deadline_of_its_own() -> None:
    away = replace(EXPERIMENT, fresh_us=NOW_US - 600 * SECOND_US)
    blind = replace(judgement(), evidence_is_fresh=False)
    at_most, no_data = deadlines(away, blind, NOW_US)
    assert at_most.key == "hold.atMost"
    assert no_data == Deadline(1200 * SECOND_US, NOW_US + 1200 * SECOND_US, Choice.PAUSE, "decide.noData")


@given(
    st.sampled_from(list(Finding)),
    st.sampled_from(list(Finding)),
    st.booleans(),
    st.booleans(),
    st.tuples(st.integers(0, 900), st.integers(0, 900)),
    st.integers(0, 3 * 3600),
    st.integers(0, 2),
)
@settings(max_examples=300, deadline=None)
def test_nothing_is_waited_for_exactly_when_the_way_up_is_free(  # noqa: PLR0913, PLR0917 (each is drawn)
    goal: Finding,
    limit: Finding,
    is_fresh: bool,  # noqa: FBT001 (the same)
    is_live: bool,  # noqa: FBT001 (the same)
    units: tuple[int, int],
    age_s: int,
    step: int,
) -> None:
    steps = (*POLICY.steps[:2], Step(5_000, Hold(until_verdict=True, at_most_s=1e6, min_units=500)))
    running = replace(
        EXPERIMENT,
        policy=replace(POLICY, steps=steps),
        step=step,
        step_entered_us=NOW_US - age_s * SECOND_US,
        fresh_us=NOW_US,
    )
    seen = replace(
        judgement(converted=goal, p99=limit),
        evidence_is_fresh=is_fresh,
        traffic_is_live=is_live,
        units_in_step=units,
    )
    decided = decide(running, seen, None, NOW_US)
    if decided.action in {Action.ADVANCE, Action.PROMOTE}:
        assert waits(running, seen, NOW_US) == ()
    elif decided.action is Action.HOLD:
        assert waits(running, seen, NOW_US) != ()
