"""A simulation's words, document and page, from ends that are known."""

from __future__ import annotations

import re

import pytest

from rollout.domain.decision import Decision, Reason
from rollout.domain.opening import is_open
from rollout.domain.policy import Opening
from rollout.render.simulation_chart import simulation_chart
from rollout.render.simulation_document import document
from rollout.render.simulation_page import simulation_page
from rollout.render.simulation_words import answer, ends, harm, interval, reasons, setting, share
from rollout.simulation.ending import Ending, Moment, NaiveEnding, Outcome
from rollout.simulation.lives import Course
from rollout.simulation.result import Result, Share, Spread, result
from rollout.simulation.scenario import Scenario
from rollout.simulation.simulate import Simulated
from tests.domain.examples import POLICY

DAY_S = 86_400.0


def may_move_up(opening: Opening | None, now_us: int) -> bool:
    return is_open(opening, now_us, offset_s=0)


def naive(outcome: Outcome, days: float | None, *, was_harmful: bool = False) -> NaiveEnding:
    return NaiveEnding(outcome, None if days is None else days * DAY_S, was_harmful)


def ended(
    outcome: Outcome, reason: Reason, days: float, other: NaiveEnding | None, exposed: int = 0
) -> Ending:
    metric = "converted" if reason is Reason.METRIC_HARMED else None
    return Ending(
        outcome, Decision(reason, metric), days * DAY_S, exposed, 1_000, was_harmful=False, naive=other
    )


LIVES = (
    ended(Outcome.ROLLED_BACK, Reason.METRIC_HARMED, 2, naive(Outcome.PROMOTED, 1, was_harmful=True), 500),
    ended(Outcome.ROLLED_BACK, Reason.METRIC_HARMED, 4, naive(Outcome.PROMOTED, 2, was_harmful=True), 700),
    ended(Outcome.PAUSED, Reason.INCONCLUSIVE_PAUSES, 14, naive(Outcome.UNDECIDED, None)),
    ended(Outcome.RUNNING, Reason.UNITS_TOO_FEW, 15, naive(Outcome.ROLLED_BACK, 3)),
)
MOMENTS = (
    Moment(DAY_S, 0.1, -0.02, None, None, None, None),
    Moment(2 * DAY_S, 0.1, -0.02, -0.03, None, None, 0.2),
    Moment(3 * DAY_S, 0.5, -0.02, -0.01, -0.05, 0.03, 0.1),
    Moment(4 * DAY_S, 0.5, -0.02, -0.02, -0.04, 0.00, 0.05),
)


def told(lives: tuple[Ending, ...] = LIVES, about: str = "Worse <every> day.") -> Result:
    course = Course(POLICY, Scenario("trap", about), 900.0, may_move_up)
    return result(Simulated(course, 7, lives, MOMENTS))


def test_the_answer_names_every_end_and_what_was_promoted_while_harmful() -> None:
    assert answer(told()) == (
        "50.0 % rolled back, 25.0 % paused for a person, 25.0 % still running; "
        "the naive test: 50.0 % promoted, 25.0 % rolled back, 25.0 % undecided "
        "(promoted while harmful: all of them)."
    )
    assert setting(told()) == "4 lives, a look every 15 min and more at first, seed 7"


def test_ends_stand_beside_those_of_the_naive_test() -> None:
    rows = {row["end"]: row for row in ends(told())}
    assert list(rows) == ["promoted", "rolled back", "paused for a person", "still running", "undecided"]
    assert rows["rolled back"]["after"] == "3 d (2 d 5 h – 3 d 19 h)"
    assert rows["rolled back"]["naive after"] == "3 d (3 d – 3 d)"
    assert rows["still running"]["after"] == "–"
    assert rows["promoted"]["chance"] == "0 %"
    assert [row["lives"] for row in reasons(told())] == ["2", "1", "1"]


def test_a_policy_without_a_goal_has_nothing_beside_it() -> None:
    alone = told((ended(Outcome.STOPPED, Reason.MIRROR_PASSED, 1, None),))
    assert answer(alone) == "100 % over, nothing to promote."
    assert not any("naive" in key for row in ends(alone) for key in row)
    assert document(alone)["naive"] is None
    assert harm(alone) == "Nobody met a harmful version."


def test_intervals_are_those_of_clopper_and_pearson() -> None:
    # Tables: 0 of 10 and 10 of 10 (one-sided 2.5 %), 5 of 10.
    assert (Share(0, 10).low, Share(10, 10).high) == (0.0, 1.0)
    assert Share(0, 10).high == pytest.approx(0.3085, abs=1e-4)
    assert (Share(5, 10).low, Share(5, 10).high) == pytest.approx((0.1871, 0.8129), abs=1e-4)
    assert interval(Share(5, 10)) == "18.7 – 81.3 %"


def test_chances_are_never_sure_that_are_not() -> None:
    assert [share(Share(count, 10_000)) for count in (0, 1, 9_999, 10_000)] == [
        "0 %",
        "0.1 %",
        "99.9 %",
        "100 %",
    ]
    assert Spread.of([]) is None


def test_harm_is_counted_in_users() -> None:
    assert harm(told()) == (
        "Users who met a harmful version, in one life: 250 (median; 0 to 640 in four of five), "
        "30 % of all who met a candidate."
    )


def test_the_document_has_every_number() -> None:
    found = document(told())
    assert found["exposed"] == pytest.approx(
        {"mean": 300.0, "share": 0.3, "tenth": 0.0, "median": 250.0, "nineTenths": 640.0}
    )
    assert found["everyS"] == 900.0


def test_the_page_is_one_file_and_shows_text_as_text() -> None:
    page = simulation_page(told())
    assert "Worse &lt;every&gt; day." in page
    assert page.count("<svg") == 1
    assert not re.search(r"<script|https?://(?!www\.w3\.org)", page)
    assert simulation_page(told()) == page


def test_the_picture_has_both_rules_and_one_life() -> None:
    drawn = simulation_chart(told())
    for words in (
        "This policy",
        "The naive test, looked at as often",
        "promoted while harmful",
        "the naive pot",
    ):
        assert words in drawn
    alone = told((ended(Outcome.STOPPED, Reason.MIRROR_PASSED, 1, None),))
    assert "naive test" not in simulation_chart(alone)


def test_a_picture_of_lives_that_never_end_is_drawn() -> None:
    running = told((ended(Outcome.RUNNING, Reason.UNITS_TOO_FEW, 15, naive(Outcome.UNDECIDED, None)),))
    assert "This policy" in simulation_chart(running)
