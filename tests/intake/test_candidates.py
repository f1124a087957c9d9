"""Several candidates: each is compared with the same control; one that stopped leaves the others alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rollout.domain.decide import decide
from rollout.domain.decision import Reason
from rollout.domain.judge import judge
from rollout.domain.policy import Hold, Step, Version
from rollout.domain.verdict import Finding
from tests.intake.test_evidence import PATIENCE, RANKER, SECOND_US, experiment, place
from tests.lake.histories import BEGIN_US, Request, request_at

THIRD = Version("3.0.0", "http://127.0.0.1:8003")
TWO = replace(
    RANKER, candidates=(*RANKER.candidates, THIRD), steps=(Step(1_000, Hold()), Step(3_000, Hold()))
)
ARMS = ("control", "candidate1", "candidate2")
NOW_US = BEGIN_US + 61 * SECOND_US


def requests(since_s: int, *, failing: str | None = None, arms: tuple[str, ...] = ARMS) -> list[Request]:
    """Return eighty units of every arm within eight seconds; those of one arm fail."""
    return [
        request_at(
            since_s * SECOND_US + number * SECOND_US // 10,
            unit=f"{arm}-{since_s}-{number}",
            route=f"ranker/{arm}/1",
            code=500 if arm == failing else 200,
        )
        for number in range(80)
        for arm in arms
    ]


def test_harm_of_the_second_candidate_is_its_own() -> None:
    run = experiment(TWO)
    with place(run) as here:
        here.file(requests(0, failing="candidate2"))
        here.filed_until(NOW_US)
        found = here.look(run, NOW_US)
        judged = judge(run, found, NOW_US, PATIENCE)
    assert {(one.arm, one.metric) for one in judged.verdicts if one.finding is Finding.HARMED} == {
        (2, "errors")
    }
    assert (decide(run, judged, None, NOW_US).reason, judged.split_holds) == (Reason.ARM_HARMED, True)
    assert found.units_in_step.tolist() == [80, 80, 80]
    first, second = (arm.errors["errors"].first for arm in found.arms)
    assert (first.candidate[0].sum(), second.candidate[0].sum()) == (0, 80)
    assert first.share.tolist() == second.share.tolist() == [0.1 / 0.9, 0.3 / 0.7]
    ratios = [arm.errors["errors"].ratio for arm in found.arms]
    assert [int(one.candidate_nonzero) for one in ratios] == [0, 80]
    assert {int(one.control.n.sum()) for one in ratios} == {80}


def test_after_a_stop_the_split_is_that_of_the_others_alone() -> None:
    stopped_us = BEGIN_US + 10 * SECOND_US
    run = replace(experiment(TWO), stopped={2: stopped_us})
    with place(run) as here:
        here.file(requests(0))
        here.file(requests(11, arms=ARMS[:2]), node="node-2")
        here.filed_until(NOW_US)
        found = here.look(run, NOW_US)
        judged = judge(run, found, NOW_US, PATIENCE)
    assert found.enrolled.tolist() == [[80, 80, 80], [0, 0, 0], [80, 80, 0], [0, 0, 0]]
    assert found.enrolled_arms is not None
    assert found.enrolled_arms.tolist() == [[True] * 3, [True] * 3, [True, True, False], [True, True, False]]
    assert judged.split_holds
    assert judged.arms == (1,)
    assert (found.arms[1].errors, found.arms[1].limits) == ({}, {})
    without = replace(found, enrolled=np.array([[160, 160, 80]]), enrolled_arms=None)
    assert not judge(run, without, NOW_US, PATIENCE).split_holds, "which strata an arm is over does matter"


def test_one_limit_is_counted_for_each_candidate() -> None:
    run = experiment(TWO)
    slow = [
        request_at(
            number * SECOND_US // 10,
            unit=f"{arm}-{number}",
            route=f"ranker/{arm}/1",
            dur_us=300_000 if arm == "candidate1" else 1_000,
        )
        for number in range(80)
        for arm in ARMS
    ]
    with place(run) as here:
        here.file(slow)
        here.filed_until(NOW_US)
        limits = [arm.limits["p99"] for arm in here.look(run, NOW_US).arms]
    assert [one.windows.tolist() for one in limits] == [[80], [80]]
    assert [one.exceeding_units.tolist() for one in limits] == [[80], [0]]
    assert [one.fractions.fraction_sum for one in limits] == [80.0, 0.0]
