"""What a wish would overrule: nothing where the policy does the same, and then it overrules nothing later."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollout.domain.decide import decide
from rollout.domain.decision import Reason
from rollout.domain.experiment import Experiment, Phase
from rollout.domain.overruling import overruled
from rollout.domain.verdict import Finding, Judgement
from rollout.domain.wish import Asked, Wish
from tests.domain.lives import SHUT
from tests.domain.scenes import EXPERIMENT, HOUR_US, NOW_US, judgement

EARLY = replace(EXPERIMENT, step=1, step_entered_us=NOW_US - HOUR_US)
READY = replace(EXPERIMENT, step=1)
UNPROVEN = judgement(converted=Finding.UNCLEAR)


def wish(kind: Asked) -> Wish:
    return Wish("anna", "it is time", NOW_US, kind, overrules=False)


@pytest.mark.parametrize(
    ("run", "seen", "kind", "reason"),
    [
        (EXPERIMENT, judgement(), Asked.PROMOTE, None),
        (EXPERIMENT, SHUT, Asked.PROMOTE, None),
        (READY, judgement(), Asked.ADVANCE, None),
        (EARLY, judgement(), Asked.ADVANCE, Reason.STEP_UNFINISHED),
        (EXPERIMENT, UNPROVEN, Asked.PROMOTE, Reason.GOAL_UNPROVEN),
        (replace(EXPERIMENT, phase=Phase.PAUSED), judgement(), Asked.PROMOTE, Reason.PAUSED),
        (EXPERIMENT, judgement(errors=Finding.HARMED), Asked.PROMOTE, None),
        (EXPERIMENT, UNPROVEN, Asked.STOP, None),
    ],
)
def test_what_the_policy_does_not_do_by_itself_is_overruled(
    run: Experiment, seen: Judgement, kind: Asked, reason: Reason | None
) -> None:
    found = overruled(run, seen, wish(kind), NOW_US)
    assert (None if found is None else found.reason) is reason


def test_a_wish_that_overrules_nothing_is_not_made_an_override_when_the_proof_fades() -> None:
    asking = replace(EXPERIMENT, wish=wish(Asked.PROMOTE))
    assert decide(asking, judgement(), None, NOW_US).reason is Reason.GOAL_PROVEN
    assert decide(asking, UNPROVEN, None, NOW_US).reason is Reason.WISH_UNFIT
    sharpened = replace(EXPERIMENT, wish=replace(wish(Asked.PROMOTE), overrules=True))
    assert decide(sharpened, UNPROVEN, None, NOW_US).reason is Reason.PERSON_PROMOTES
