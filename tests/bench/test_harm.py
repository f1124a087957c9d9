"""The harm benchmark's own arithmetic: which error passes the bar, and what a unit's error before it was."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from bench.harm.checkers import CHECKERS, Stream, found_by
from bench.harm.picture import drawn
from bench.harm.settings import SETTINGS, Plan, Setting
from bench.harm.table import Measured, lines
from bench.harm.timing import Course, Errors, HarmTest, passed_at, previous_us
from rollout.stats import events
from rollout.stats.starts import NEVER

SECOND_US = 1_000_000
TEST = HarmTest(started_us=0, share=0.05, margin=0.1, bar=math.log(300))


def errors(*found: tuple[float, int, bool]) -> Errors:
    """Return errors of (second, unit, is_candidate), each over 5 ms after it began."""
    at_s, unit, is_candidate = zip(*found, strict=True)
    began_us = np.array([round(one * SECOND_US) for one in at_s], dtype=np.int64)
    return Errors(began_us, began_us + 5_000, np.array(unit, dtype=np.int64), np.array(is_candidate))


def test_a_units_error_before_is_its_own_and_earlier() -> None:
    found = errors((3.0, 1, True), (1.0, 1, True), (2.0, 2, False))
    assert previous_us(found).tolist() == [SECOND_US, NEVER, NEVER]


def test_the_bar_is_passed_by_the_first_error_with_which_the_test_rejects() -> None:
    found = errors(*((1.0 + number / 10, number, True) for number in range(9)))
    last = passed_at(found, TEST, since_us=0)
    # All in the first start, whose share of the risk is a half.
    log_e = [
        float(events.log_e_harm([units], [0], share=[TEST.share], null_log_risk=np.log1p(TEST.margin)))
        for units in range(1, 10)
    ]
    assert last == next(n for n, one in enumerate(log_e) if one >= TEST.bar + np.log(2))
    assert passed_at(found, TEST, since_us=round(1.65 * SECOND_US)) == 7


def test_one_unit_that_errs_again_and_again_passes_nothing() -> None:
    found = errors(*((1.0 + number / 10, 1, True) for number in range(50)))
    assert passed_at(found, TEST, since_us=0) is None


def test_evidence_and_pipeline_are_the_whole() -> None:
    course = Course(10.0, 11.5, 11.9, 12.0, 12.1, 12.5, 9, 500.0, 0.0, 0)
    assert (course.evidence_s, course.pipeline_s) == (1.5, 1.0)
    assert course.total_s == pytest.approx(course.evidence_s + course.pipeline_s)


def made_up(setting: Setting, total_s: float) -> Measured:
    """Return one run that took so long."""
    stream = Stream.of((np.array([1.0]), np.array([True])), per_second=25.0, bad_share=0.2)
    ends_s = 10.0 + total_s
    course = Course(10.0, ends_s - 1.0, ends_s - 0.5, ends_s - 0.4, ends_s, ends_s, 9, 500.0, 0.0, 0)
    return Measured(Plan(setting, 1), [replace(course, by_checkers=found_by(stream, 1.0))])


def test_the_tables_say_which_goal_is_missed_and_name_every_checker() -> None:
    found = [made_up(one, 4.0) for one in SETTINGS]
    text = "\n".join(lines(found))
    missed = "at most 3 s in all **missed**, at most 2 s in the pipeline met."
    assert f"Goals at 5%, fresh (medians): {missed}" in text
    assert "Goals at 5%, after 7 quiet days (medians): at most 5 s in all met" in text
    assert all(checker.name in text for checker in CHECKERS)
    assert "The rate of 500 requests/s was reached: 500 were answered" in text


def test_the_picture_has_a_row_for_each_setting_and_each_checker_at_each_step() -> None:
    picture = drawn([made_up(one, 4.0) for one in SETTINGS])
    assert picture.startswith("<svg")
    assert all(f"{one.told}: this program" in picture for one in SETTINGS)
    assert all(f"{step}: {one.name}" in picture for one in CHECKERS for step in ("5%", "1%"))
