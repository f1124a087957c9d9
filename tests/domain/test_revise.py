"""A changed policy: what takes effect at once, what begins anew, and what is refused."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from rollout.domain.buckets import Range
from rollout.domain.experiment import Experiment, Phase
from rollout.domain.policy import (
    Actions,
    Choice,
    Decide,
    Layer,
    LocalCommand,
    Notice,
    Opening,
    Policy,
    Risk,
    Version,
)
from rollout.domain.revise import AT_ONCE, Unrevisable, revise
from rollout.domain.wish import Approval, Asked, Wish
from tests.domain.scenes import EXPERIMENT, HOUR_US, NOW_US

POLICY = EXPERIMENT.policy
RUN = replace(
    EXPERIMENT,
    latches={"converted": 3.0},
    stopped={1: NOW_US},
    approvals=(Approval("leads", "ann", "fine", NOW_US),),
    idle_us=HOUR_US,
)
AT_ONCE_CHANGES = {
    "owner": "others",
    "decide": Decide(mismatch=Choice.ROLL_BACK),
    "actions": Actions(LocalCommand(("true",))),
    "notify": (Notice("people", ()),),
    "advance": Opening((0,), 0, 60, "UTC"),
}


def changed(**changes: object) -> Policy:
    """Return the policy with something changed."""
    return replace(POLICY, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("key", AT_ONCE)
def test_what_no_evidence_rests_on_takes_effect_at_once_in_every_phase(key: str) -> None:
    wanted = changed(**{key: AT_ONCE_CHANGES[key]})
    for phase in set(Phase) - ({Phase.PROMOTING, Phase.ROLLING_BACK} if key == "actions" else set()):
        assert revise(replace(RUN, phase=phase), wanted, NOW_US) == replace(RUN, phase=phase, policy=wanted)


@pytest.mark.parametrize("phase", [Phase.PROMOTING, Phase.ROLLING_BACK])
def test_an_action_that_runs_is_not_changed(phase: Phase) -> None:
    wanted = changed(actions=AT_ONCE_CHANGES["actions"])
    assert revise(replace(RUN, phase=phase), wanted, NOW_US) is Unrevisable.ACTION_RUNNING


def test_a_revision_keeps_its_range_of_a_layer_and_another_layer_is_for_somebody_to_allot() -> None:
    layered = replace(RUN, policy=changed(layer=Layer("retention", 4_000)), layer_range=Range(1_000, 5_000))
    for layer, owned in ((Layer("retention", 4_000), Range(1_000, 5_000)), (Layer("other", 4_000), None)):
        revised = revise(layered, changed(layer=layer, holdout_bp=200), NOW_US)
        assert isinstance(revised, Experiment)
        assert (revised.revision, revised.layer_range) == (RUN.revision + 1, owned)


def test_a_wish_that_waits_is_still_answered_in_the_new_revision() -> None:
    wish = Wish("ann", "lunch", NOW_US, Asked.PAUSE)
    revised = revise(replace(RUN, wish=wish), changed(risk=Risk(wrong_promotion=0.01)), NOW_US)
    assert isinstance(revised, Experiment)
    assert revised.wish == wish


def test_at_once_are_keys_that_a_policy_has() -> None:
    assert {field.name for field in fields(Policy)} >= AT_ONCE


@pytest.mark.parametrize("phase", [Phase.RUNNING, Phase.PAUSED, Phase.AWAITING_APPROVAL])
def test_anything_else_begins_a_revision_without_evidence(phase: Phase) -> None:
    wanted = changed(risk=Risk(wrong_promotion=0.01))
    found = revise(replace(RUN, phase=phase), wanted, NOW_US)
    began = Experiment(RUN.uid, wanted, RUN.revision + 1, Phase.RUNNING, 0, NOW_US, NOW_US, NOW_US)
    assert found == began


@pytest.mark.parametrize("phase", set(Phase) - {Phase.RUNNING, Phase.PAUSED, Phase.AWAITING_APPROVAL})
def test_what_is_not_on_trial_begins_no_revision(phase: Phase) -> None:
    wanted = changed(risk=Risk(wrong_promotion=0.01))
    assert revise(replace(RUN, phase=phase), wanted, NOW_US) is Unrevisable.NOT_ON_TRIAL


def test_a_revision_keeps_its_name_its_salt_and_what_is_served() -> None:
    assert revise(RUN, changed(name="other"), NOW_US) is Unrevisable.OTHER_NAME
    assert revise(RUN, changed(salt="other"), NOW_US) is Unrevisable.OTHER_SALT
    other = changed(baseline=Version("1.4.1", "http://127.0.0.1:8001"))
    assert revise(RUN, other, NOW_US) is Unrevisable.OTHER_BASELINE
