"""Means, ratios, counts and covariates from the intake to the verdict, next to values that are known."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import pytest

from rollout.domain.evidence import Evidence
from rollout.domain.judge import judge
from rollout.domain.metric import Direction, Metric, MetricType, Role, Source
from rollout.domain.verdict import Finding, Judgement
from tests.intake.test_evidence import MINUTE_US, PATIENCE, RANKER, SECOND_US, experiment, place
from tests.lake.histories import BEGIN_US, Told, request_at

UNITS: Final = 3_000
STARTED_US: Final = BEGIN_US - SECOND_US
NOW_US: Final = BEGIN_US + 10 * MINUTE_US
BASE: Final = Metric(
    name="spent",
    role=Role.GUARDRAIL,
    source=Source.OUTCOMES,
    type=MetricType.MEAN,
    direction=Direction.INCREASE,
    window_s=60.0,
    margin=0.1,
)
SPENT: Final = replace(BASE, cap=50.0)
OFTEN: Final = replace(BASE, name="visits", type=MetricType.COUNT)
SHARE: Final = replace(
    BASE, name="share", type=MetricType.RATIO, numerator="clicks", denominator="views", role=Role.OBSERVE
)
KNOWN: Final = replace(BASE, name="known", pre_window_s=3_600.0)
GOAL: Final = replace(BASE, name="goal", type=MetricType.BINARY, role=Role.PRIMARY, pre_window_s=3_600.0)
Draw = Callable[[random.Random, bool], float]


def outcomes(metric: str, draw: Draw, *, after_us: int = SECOND_US, times: int = 1) -> list[Told]:
    """Return what each unit told, so long after it came."""
    chance = random.Random(f"{metric} {after_us}")  # noqa: S311 (a history, no secret)
    return [
        Told(
            f"{arm} {number}",
            metric,
            came_us(number) + after_us + time,
            draw(chance, arm == "candidate1"),
            f"{after_us} {time}",
        )
        for number in range(UNITS)
        for arm in ("control", "candidate1")
        for time in range(times)
    ]


def came_us(number: int) -> int:
    return BEGIN_US + number * 60_000


def look(metrics: Sequence[Metric], told: Sequence[Told]) -> tuple[Evidence, Judgement]:
    """Return a look after ten minutes at two arms of many units, with what was told of them."""
    policy = replace(RANKER, metrics=(*metrics, *RANKER.metrics[1:]))
    run = experiment(policy, started_us=STARTED_US)
    requests = [
        request_at(came_us(number) - BEGIN_US, unit=f"{arm} {number}", route=f"ranker/{arm}/1")
        for number in range(UNITS)
        for arm in ("control", "candidate1")
    ]
    with place(run) as here:
        here.clock[0] = NOW_US
        here.file(requests, told)
        here.filed_until(NOW_US)
        found = here.look(run, NOW_US)
    return found, judge(run, found, NOW_US, PATIENCE)


def finding(judged: Judgement, name: str) -> Finding:
    return next(one.finding for one in (*judged.verdicts, *judged.observed) if one.metric == name)


def spends(worse: float) -> Draw:
    def draw(chance: random.Random, is_candidate: bool) -> float:  # noqa: FBT001 (two of a kind)
        return round(chance.uniform(0, 20) * (1.0 - worse * is_candidate), 3)

    return draw


@pytest.mark.parametrize(("worse", "expected"), [(0.0, Finding.SAFE), (0.4, Finding.HARMED)])
@pytest.mark.parametrize("metric", [SPENT, KNOWN], ids=lambda one: one.name)
def test_a_guardrail_on_a_mean_is_proven_safe_or_harmed(
    metric: Metric, worse: float, expected: Finding
) -> None:
    _, judged = look([metric], outcomes(metric.name, spends(worse)))
    assert finding(judged, metric.name) is expected


def test_a_unit_s_sum_counts_as_its_cap_and_values_are_not_rounded() -> None:
    evidence, _ = look([SPENT], outcomes("spent", lambda *_: 0.000_001, times=2)[: 4 * UNITS - 2])
    (own,) = evidence.arms
    means = own.means["spent"]
    assert means.control.n.sum() == UNITS - 16, "without those who came while the split changed"
    assert means.control.mean[0, 0, 0] == 0.000_002
    evidence, _ = look([SPENT], outcomes("spent", lambda *_: 30.0, times=2))
    assert evidence.arms[0].means["spent"].control.mean[0, 0].tolist() == [50.0]


def test_a_count_counts_and_a_ratio_divides_sums() -> None:
    told = [
        *outcomes("visits", lambda *_: 1, times=3),
        *outcomes("views", lambda *_: 4, times=2),
        *outcomes("clicks", lambda chance, _: chance.randint(0, 2)),
    ]
    evidence, judged = look([OFTEN, SHARE], told)
    (own,) = evidence.arms
    assert own.means["visits"].control.mean[0, 0].tolist() == [3.0]
    clicks, views = own.means["share"].candidate.mean[1, 0].tolist()
    assert views == 8.0
    assert clicks == pytest.approx(1.0, abs=0.1)
    assert finding(judged, "visits") is Finding.UNCLEAR, "without any variance nothing is proven"
    assert {one.metric for one in judged.observed} == {"share"}


def test_a_unit_s_own_history_sharpens_and_is_never_its_outcome() -> None:
    chance = random.Random(3)  # noqa: S311
    habit = {
        (arm, number): chance.uniform(0, 20) for arm in ("control", "candidate1") for number in range(UNITS)
    }

    def told(after_us: int) -> list[Told]:
        found = []
        for (arm, number), value in habit.items():
            spent = round(value + chance.uniform(0, 1), 3)
            found.append(Told(f"{arm} {number}", "known", came_us(number) + after_us, spent, str(after_us)))
        return found

    before = [*told(-600 * SECOND_US), *told(-3_700 * SECOND_US)]
    evidence, judged = look([KNOWN], [*told(SECOND_US), *before])
    moments = evidence.arms[0].means["known"].control
    scatter = moments.scatter[1, 0]
    assert scatter[0, 1] / np.sqrt(scatter[0, 0] * scatter[1, 1]) > 0.99
    assert moments.mean[1, 0] == pytest.approx([10.5, 10.5], abs=0.5)
    plain, without = look([replace(KNOWN, pre_window_s=None)], told(SECOND_US))
    assert plain.arms[0].means["known"].control.mean.shape[-1] == 1
    widths = [
        next(one.interval for one in seen.verdicts if one.metric == "known") for seen in (judged, without)
    ]
    sharp, blunt = ((high - low) for low, high in (one for one in widths if one is not None))
    assert sharp < 0.3 * blunt


def test_a_goal_with_a_covariate_is_judged_as_a_value() -> None:
    told = [
        *outcomes("goal", lambda chance, is_candidate: chance.random() < (0.4 if is_candidate else 0.2)),
        *outcomes("goal", lambda chance, _: chance.random() < 0.2, after_us=-600 * SECOND_US),
    ]
    evidence, judged = look([GOAL], told)
    assert (set(evidence.arms[0].binary), set(evidence.arms[0].means)) == (set(), {"goal"})
    assert finding(judged, "goal") is Finding.SAFE
