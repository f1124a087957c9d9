"""Who is told of what: every reason has its place, and what is waited for as planned is told to nobody."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollout.domain.decision import OVERRIDES, QUIET, Action, Decision, Reason
from rollout.domain.experiment import Experiment, Phase
from rollout.domain.history import Entry
from rollout.domain.news import Scale, changed, decided
from rollout.domain.policy import Event
from rollout.domain.telling import TELLINGS, Occasion, events_of, is_repeated, telling_of, topic_of
from rollout.domain.verdict import Finding, Verdict
from rollout.domain.wish import Asked, Wish
from tests.domain.examples import POLICY
from tests.domain.scenes import EXPERIMENT, NOW_US, judgement

WISH = Wish("ann", "the model card is wrong", NOW_US, Asked.PROMOTE)


def entry(decision: Decision, **changes: object) -> Entry:
    """Return a recorded decision."""
    look = Entry(7, NOW_US, decision, Phase.RUNNING, 2, judgement(), NOW_US, 1, EXPERIMENT.policy)
    return replace(look, **changes)  # type: ignore[arg-type]


def test_every_reason_has_its_place() -> None:
    assert set(TELLINGS) == set(Reason)


@pytest.mark.parametrize("reason", [reason for reason in Reason if reason.action not in QUIET])
def test_whatever_changes_something_is_told(reason: Reason) -> None:
    telling = TELLINGS[reason]
    assert telling is not None
    assert telling.lasts_us == 0


@pytest.mark.parametrize("reason", OVERRIDES)
def test_no_override_is_silent(reason: Reason) -> None:
    assert Event.DECISION in events_of(TELLINGS[reason])


@pytest.mark.parametrize("reason", [one for one in Reason if one.action in {Action.ROLL_BACK, Action.PAUSE}])
def test_each_event_has_the_reasons_of_its_action(reason: Reason) -> None:
    wanted = Event.ROLLBACK if reason.action is Action.ROLL_BACK else Event.PAUSED
    assert events_of(TELLINGS[reason]) == {wanted, Event.DECISION}


def test_every_event_is_told_some_time() -> None:
    assert set().union(*map(events_of, TELLINGS.values())) == set(Event)


def test_what_is_held_is_told_once_it_lasts_and_approval_at_once() -> None:
    held = {reason: found for reason, found in TELLINGS.items() if reason.action in QUIET and found}
    at_once = {reason for reason, found in held.items() if found.lasts_us == 0}
    assert at_once == {Reason.APPROVAL_NEEDED, Reason.WISH_UNFIT}


def test_a_start_is_told_to_whoever_hears_of_decisions() -> None:
    assert events_of(telling_of(Occasion.STARTED, None)) == {Event.DECISION}


def test_a_trouble_keeps_its_topic_and_another_metric_has_another() -> None:
    missing = Decision(Reason.EVIDENCE_MISSING, "converted")
    assert topic_of(Occasion.DECIDED, missing, 1) == topic_of(Occasion.DECIDED, missing, 1)
    others = [
        topic_of(Occasion.DECIDED, replace(missing, metric="errors"), 1),
        topic_of(Occasion.DECIDED, replace(missing, arm=2), 1),
        topic_of(Occasion.DECIDED, missing, 2),
        topic_of(Occasion.STARTED, None, 1),
    ]
    assert len({topic_of(Occasion.DECIDED, missing, 1), *others}) == 5


def test_each_wish_is_answered_even_where_nothing_changes() -> None:
    assert is_repeated(Decision(Reason.EVIDENCE_STALE))
    assert not is_repeated(Decision(Reason.WISH_UNFIT, wish=WISH))
    assert not is_repeated(Decision(Reason.STEP_PASSED))


def with_verdict(verdict: Verdict) -> Entry:
    """Return a rollback for one metric, among others that were fine."""
    look = replace(judgement(), verdicts=(*judgement().verdicts[1:], verdict))
    return entry(Decision(Reason.METRIC_HARMED, verdict.metric, 1), judgement=look)


def test_a_rollback_tells_the_numbers_of_the_metric_that_decided() -> None:
    harmed = Verdict("converted", Finding.HARMED, estimate=-0.2, interval=(-0.3, float("-inf")))
    news = decided(4, EXPERIMENT, with_verdict(harmed))
    (figure,) = news.figures
    assert (figure.metric, figure.finding, figure.scale) == ("converted", "harmed", Scale.LIFT)
    assert (figure.estimate, figure.low, figure.high) == (-0.2, -0.3, None)
    assert news.id == "a1b2c3d4.4"


def test_a_limit_tells_what_it_should_be() -> None:
    slow = Verdict("p99", Finding.HARMED, estimate=0.04, interval=(0.03, 0.05))
    (figure,) = decided(4, EXPERIMENT, with_verdict(slow)).figures
    assert (figure.scale, figure.limit) == (Scale.SHARE, 0.01)


def test_a_proof_tells_every_metric_and_a_step_none() -> None:
    proven = decided(4, EXPERIMENT, entry(Decision(Reason.GOAL_PROVEN, arm=1)))
    assert {figure.metric for figure in proven.figures} == {"converted", "errors", "p99", "fallback"}
    assert decided(4, EXPERIMENT, entry(Decision(Reason.STEP_PASSED))).figures == ()


def test_a_persons_act_tells_who_and_why_and_that_it_overruled() -> None:
    news = decided(4, EXPERIMENT, entry(Decision(Reason.PERSON_PROMOTES, arm=1, wish=WISH)))
    assert (news.who, news.why, news.asked, news.is_override) == (WISH.who, WISH.why, "promote", True)
    assert news.figures


def waiting() -> Experiment:
    policy = replace(POLICY, approvers=("leads", "legal"))
    return replace(EXPERIMENT, policy=policy, phase=Phase.AWAITING_APPROVAL)


def test_an_approval_names_the_groups_that_are_waited_for() -> None:
    run = waiting()
    asked = entry(Decision(Reason.APPROVAL_NEEDED), policy=run.policy, phase=run.phase)
    assert decided(4, run, asked).awaits == ("leads", "legal")


def test_a_start_names_both_versions_and_the_first_step() -> None:
    news = changed(Occasion.STARTED, 1, replace(EXPERIMENT, step=0), NOW_US, None)
    assert (news.baseline, news.candidates, news.step, news.weight_bp) == ("1.4.2", ("2.0.0",), 1, 100)
