"""People approve of one candidate, in one step of one revision; what is recorded of it is all that counts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollout.domain.decide import decide
from rollout.domain.decision import Decision, Reason
from rollout.domain.evolve import evolve
from rollout.domain.experiment import Experiment, Phase
from rollout.domain.policy import Actions
from rollout.domain.revise import revise
from rollout.domain.wish import Approval, Asked, Wish
from rollout.policyfile.digest import digest
from rollout.store.database import Database
from rollout.store.ledger import SqlLedger
from tests.controller.worlds import UNWATCHED, Scene
from tests.domain.lives import TWO, two
from tests.domain.scenes import EXPERIMENT, NOW_US, evidence, judgement
from tests.replaying import assert_all_agree

GATED = replace(UNWATCHED, approvers=("leads", "legal"))


def approve(scene: Scene, group: str) -> None:
    """Record what the API records when somebody approves."""
    run = scene.ledger.runs()[0].experiment
    wish = Wish(
        "ann",
        "it is good",
        scene.now_us,
        Asked.APPROVE,
        group,
        run.proposed,
        revision=run.revision,
        step=run.step,
    )
    scene.change(wish=wish)


def test_every_group_approves_and_then_it_is_promoted() -> None:
    database = Database.memory()
    ledger = SqlLedger(database, new_uid=lambda: "a1b2c3d4", digest=digest)
    scene = Scene(policy=GATED, actions=Actions(), ledger=ledger)
    scene.tick()
    assert (scene.phase, scene.ledger.runs()[0].experiment.proposed) == (Phase.AWAITING_APPROVAL, 1)
    approve(scene, "leads")
    scene.tick()
    assert scene.phase is Phase.AWAITING_APPROVAL
    approve(scene, "legal")
    scene.tick()
    scene.restart()
    assert [(one.group, one.arm) for one in ledger.runs()[0].experiment.approvals] == [
        ("leads", 1),
        ("legal", 1),
    ]
    for _ in range(3):
        scene.tick()
    assert (scene.phase, scene.split.is_promoted) == (Phase.PROMOTED, True)
    assert [one for one in scene.reasons if one.startswith("PERSON")] == ["PERSON_APPROVES"] * 2
    assert_all_agree(ledger, scene.uid)
    database.close()


def test_harm_rolls_back_while_people_think() -> None:
    scene = Scene(policy=GATED, actions=Actions())
    scene.tick()
    approve(scene, "leads")
    scene.readings.reading = evidence(errors=0.2)
    scene.tick()
    assert (scene.phase, scene.split.steps_on) == (Phase.ROLLING_BACK, 0)


def test_approval_of_one_candidate_is_none_of_another() -> None:
    gated = replace(TWO.policy, approvers=("leads",))
    run = replace(TWO, policy=gated, approvals=(Approval("leads", "ann", "fine", NOW_US, 1),))
    first, second = two(bounds=(0.2, 0.1)), two(bounds=(0.1, 0.2))
    assert decide(run, first, None, NOW_US) == Decision(Reason.GOAL_PROVEN, arm=1)
    asked = decide(run, second, None, NOW_US)
    assert asked == Decision(Reason.APPROVAL_NEEDED, arm=2)
    assert evolve(run, second, asked, NOW_US).proposed == 2


def test_an_approval_of_what_is_no_longer_shown_is_unfit() -> None:
    gated = replace(TWO.policy, approvers=("leads",))
    wish = Wish("ann", "fine", NOW_US, Asked.APPROVE, "leads", 1, revision=1, step=2)
    run = replace(TWO, policy=gated, phase=Phase.AWAITING_APPROVAL, proposed=2, wish=wish)
    assert decide(run, two(bounds=(0.1, 0.2)), None, NOW_US).reason is Reason.WISH_UNFIT


@pytest.mark.parametrize("kind", [Asked.ADVANCE, Asked.PROMOTE])
def test_a_wish_means_the_place_where_it_was_asked_for(kind: Asked) -> None:
    wish = Wish("ann", "go on", NOW_US, kind, revision=1, step=0)
    here = replace(EXPERIMENT, step=0, wish=wish)
    assert decide(here, judgement(), None, NOW_US).reason is not Reason.WISH_UNFIT
    other = revise(here, replace(here.policy, holdout_bp=200), NOW_US)
    assert isinstance(other, Experiment)
    assert other.wish == wish
    assert decide(other, judgement(), None, NOW_US).reason is Reason.WISH_UNFIT


def test_an_advance_skips_one_step_and_never_the_next() -> None:
    wish = Wish("ann", "go on", NOW_US, Asked.ADVANCE, revision=1, step=0)
    here = replace(EXPERIMENT, step=1, wish=wish)
    decision = decide(here, judgement(), None, NOW_US)
    assert decision == Decision(Reason.WISH_UNFIT, wish=wish)
    assert evolve(here, judgement(), decision, NOW_US).step == 1
