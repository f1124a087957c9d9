"""A broken split in numbers: which arm, how much, how sure, and what does such things."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from rollout.domain.imbalance import causes, imbalance
from rollout.domain.policy import Version
from rollout.render.waiting import account
from rollout.stats import balance
from tests.domain.examples import POLICY
from tests.domain.scenes import evidence

VERSIONS = ("1.4.2", "2.0.0")


def test_the_arm_that_lacks_units_is_named_with_its_numbers() -> None:
    enrolled = np.array([[4_000, 3_100], [1_000, 900]])
    log_e = float(balance.log_e(enrolled, np.array([0.5, 0.5])))
    found = imbalance(POLICY, replace(evidence(), enrolled=enrolled), log_e)
    assert (found.units, found.expected) == ((5_000, 4_000), (4_500.0, 4_500.0))
    assert (found.worst, found.lacks) == (1, True), "the control is as far off, but the candidate is new"
    assert found.p_value == pytest.approx(math.exp(-log_e))
    assert account(found, VERSIONS)[:2] == [
        "control 1.4.2: 5,000 units, expected 4,500 (+11.1%)",
        "candidate 2.0.0: 4,000 units, expected 4,500 (-11.1%)",
    ]
    assert account(found, VERSIONS)[2].endswith("a run is held below p = 0.001")


def test_a_stratum_is_shared_by_the_arms_that_were_active_in_it() -> None:
    three = replace(POLICY, candidates=(*POLICY.candidates, Version("2.1.0", "http://127.0.0.1:8003")))
    seen = replace(
        evidence(),
        enrolled=np.array([[300, 300, 300], [500, 100, 7]]),
        enrolled_arms=np.array([[True, True, True], [True, True, False]]),
    )
    found = imbalance(three, seen, 40.0)
    assert (found.units, found.expected) == ((800, 400, 300), (600.0, 600.0, 300.0))


def test_where_no_unit_came_nothing_is_divided_by_it() -> None:
    found = imbalance(POLICY, replace(evidence(), enrolled=np.zeros((1, 2), dtype=np.int64)), 0.0)
    assert (found.worst, found.p_value) == (1, 1.0)
    assert account(found, VERSIONS)[0] == "control 1.4.2: 0 units, expected 0 (none)"


def test_what_is_likely_depends_on_whether_units_are_lost_or_made() -> None:
    three = replace(POLICY, candidates=(*POLICY.candidates, Version("2.1.0", "http://127.0.0.1:8003")))
    lost = imbalance(three, replace(evidence(), enrolled=np.array([[1_000, 1_000, 700]])), 9.0)
    made = imbalance(three, replace(evidence(), enrolled=np.array([[1_000, 1_000, 1_400]])), 9.0)
    assert (lost.lacks, made.lacks) == (True, False)
    assert "chooses by a hash of x-user-id too" in causes(lost, three)[0]
    assert "makes new ids" in causes(made, three)[0]
    assert set(causes(lost, three)) != set(causes(made, three))
