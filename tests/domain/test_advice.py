"""Every reason says what to do about it, with commands that exist."""

from __future__ import annotations

import re

import pytest

from rollout.domain.advice import ADVICE, advice
from rollout.domain.decision import Action, Reason


def test_every_reason_has_its_advice_and_nothing_else_has() -> None:
    assert set(ADVICE) == set(Reason)


@pytest.mark.parametrize("reason", list(Reason), ids=lambda reason: reason.name)
def test_advice_is_a_sentence_for_this_run(reason: Reason) -> None:
    said = advice(reason, "churn-v2")
    assert len(said) >= len("nothing to do")
    assert said == said.strip()
    assert not said.endswith(".")
    assert "{" not in said
    assert said[0].islower() or said[0] == "`"
    assert set(re.findall(r"`rollout ([a-z]+)", said)) <= {
        *("approve", "evidence", "nodes", "plan", "report", "resume", "retire", "retry", "rollback"),
        *("start", "status"),
    }


@pytest.mark.parametrize(
    "reason", [reason for reason in Reason if reason.action is Action.PAUSE], ids=lambda reason: reason.name
)
def test_a_pause_says_how_it_ends(reason: Reason) -> None:
    assert "`rollout resume churn-v2" in advice(reason, "churn-v2")
