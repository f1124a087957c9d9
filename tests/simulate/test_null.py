"""Whole policies where nothing differs, in short: the promise holds, and the naive rule breaks it."""

from __future__ import annotations

import pytest

from tests.simulate.null import Finding, Question, findings, nulls
from tests.simulate.null_page import BEGIN, END, kept, section, with_section
from tests.simulate.worlds import POLICIES, policy

REPLICATES, LOOKS = 100, 60


@pytest.mark.slow
@pytest.mark.parametrize("name", ["churn", "fraud"])
def test_a_policy_keeps_its_promise_in_a_short_run(name: str) -> None:
    found = [
        one
        for null in nulls(policy(name))
        for one in findings(policy(name), null, replicates=REPLICATES, looks=LOOKS)
    ]
    assert {one.question for one in found} == set(Question)
    assert all(one.is_held for one in found), found
    assert max(one.naive for one in found) > 0.1 * REPLICATES


def test_every_policy_that_can_promote_has_a_world_for_each_mistake() -> None:
    for file in POLICIES:
        found = policy(file.stem)
        if found.steps:
            asked = [question for null in nulls(found) for question in null.questions]
            assert set(asked) == set(Question), file.stem
    assert len(list(nulls(policy("pricing")))) == 2  # A/A, and the revenue at its margin
    assert len(list(nulls(policy("fraud")))) == 2  # A/A, and the goal at its margin


def finding(ours: int, risk: float = 0.05) -> Finding:
    return Finding("churn", "A/A", Question.PROMOTED, ours, 400, 1_000, 150, risk)


def test_the_bar_is_the_risk_and_three_standard_errors() -> None:
    assert finding(0).bar == pytest.approx(0.0707, abs=1e-4)
    assert finding(70).is_held
    assert not finding(71).is_held


def test_the_section_replaces_itself_and_outlives_the_rest_of_the_page() -> None:
    first, second = (section([finding(ours)]) for ours in (20, 80))
    assert "Every policy keeps its promise." in first
    assert "Not every promise is kept." in second
    page = with_section("# Calibration\n", first)
    assert page.count(BEGIN) == page.count(END) == 1
    assert with_section(page, second) == with_section("# Calibration\n", second)
    assert with_section("# New\n" + kept(page), first) == "# New\n\n" + first
    assert kept("# Calibration\n") == ""
