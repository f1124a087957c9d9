"""What is answered about evidence is what the newest look saw, and the example is such an answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import pytest

from rollout.api.evidence import evidence_answer
from rollout.api.evidence_example import EXAMPLE
from rollout.client.connection import Connection
from rollout.client.control_plane import ControlPlane
from rollout.client.evidence import EvidenceAnswer
from rollout.controller.sights import LARGEST, Sight, Sights
from rollout.domain.evidence import Evidence
from rollout.domain.judge import Patience, judge
from rollout.domain.quality import EXPOSURES, OUTCOMES, Feed, Gap, Loss, Quality, Reports, Told
from tests.api.control import TOKEN, House, begin, house
from tests.domain.scenes import EXPERIMENT, NOW_US, SECOND_US, evidence

QUALITY = Quality(
    feeds=(
        Feed("n1", EXPOSURES, NOW_US - 2 * SECOND_US, NOW_US, 3),
        Feed("n1", OUTCOMES, NOW_US - 9 * SECOND_US, NOW_US),
        Feed("n2", "polls", None, NOW_US),
    ),
    gaps=(Gap(OUTCOMES, "n1", "0" * 32, 10, 20),),
    losses=(Loss(OUTCOMES, "n1", 0, NOW_US),),
    units=80_010,
    two_armed=10,
    told={"converted": Told(9, repeated=2, conflicting=1)},
    reports={"converted": Reports(0, np.array([5, 5]), np.array([1, 2]))},
)


def sight(seen: Evidence) -> Sight:
    return Sight(NOW_US, EXPERIMENT, seen, judge(EXPERIMENT, seen, NOW_US, Patience()))


def test_an_answer_says_units_moments_verdicts_and_records() -> None:
    found = evidence_answer(sight(replace(evidence(), quality=QUALITY)))
    assert [one.metric for one in found.metrics] == ["converted", "errors", "p99", "fallback"]
    converted, errors, limit, fallback = found.metrics
    assert converted.verdict is not None
    assert converted.verdict.finding == "missing"
    assert converted.verdict.why is not None
    assert converted.control is not None
    assert (converted.control.units, converted.control.nonzero) == (40_000, 4_800)
    assert [one.block for one in converted.control.blocks] == [1]
    assert converted.told is not None
    assert (converted.told.rows, converted.told.repeated, converted.told.conflicting) == (9, 2, 1)
    assert converted.reports is not None
    assert (converted.reports.units, converted.reports.reporting) == (10, 3)
    assert errors.early["candidate_units_with_an_error"] > 0
    assert (limit.control, fallback.control) == (None, None)
    assert {one.name: one.holds for one in found.quality.feeds if one.kind == OUTCOMES} == {"n1": True}
    assert [one.age_s for one in found.quality.feeds] == [2.0, 9.0, None]
    assert (found.quality.two_armed, found.quality.units) == (10, 80_010)
    assert EvidenceAnswer.model_validate_json(found.model_dump_json()) == found


def test_what_is_not_known_is_null() -> None:
    (arm,) = evidence().arms
    nothing = replace(evidence(), watermark_us=None, arms=(replace(arm, binary={}),), first_enrolled_us=None)
    found = evidence_answer(sight(nothing))
    converted = found.metrics[0]
    assert (converted.is_measured, converted.control, converted.told, converted.reports) == (False,) + (
        None,
    ) * 3
    assert (found.watermark, found.first_enrolled, found.quality.units) == (None, None, None)


def test_the_example_is_an_answer() -> None:
    assert EvidenceAnswer.model_validate(EXAMPLE).model_dump(mode="json") == EXAMPLE
    assert {one["verdict"]["finding"] for one in EXAMPLE["metrics"]} == {"better", "missing"}


@pytest.fixture(name="served")
def _served(tmp_path: Path) -> Iterator[tuple[House, Sights]]:
    sights = Sights()
    with house(tmp_path, sight=sights.of) as served:
        yield served, sights


def test_the_newest_look_is_answered_and_nothing_before_it(served: tuple[House, Sights]) -> None:
    there, sights = served
    begin(there.ledger)
    run = there.ledger.runs()[0].experiment
    headers = {"authorization": f"Bearer {TOKEN}"}
    with httpx.Client(base_url=there.url, trust_env=False, headers=headers) as http:
        path = f"/v1/experiments/{run.policy.name}/evidence"
        early = http.get(path)
        assert early.status_code == 409
        assert "not looked at since the control plane started" in early.json()["detail"]
        assert http.get("/v1/experiments/nobody/evidence").status_code == 404
        for converted in (0.13, 0.14):
            seen = evidence(converted=converted)
            sights.note(Sight(NOW_US, run, seen, judge(run, seen, NOW_US, Patience())))
        answer = EvidenceAnswer.model_validate(http.get(path).json())
        assert answer.metrics[0].candidate_sample is not None
        assert answer.metrics[0].candidate_sample.nonzero == 5_600
        shown = http.get("/openapi.json").json()["paths"]["/v1/experiments/{name}/evidence"]["get"]
        example = shown["responses"]["200"]["content"]["application/json"]["example"]
        assert EvidenceAnswer.model_validate(example) == EvidenceAnswer.model_validate(EXAMPLE)
    with ControlPlane(Connection(there.url, token=TOKEN, timeout_s=10)) as control:
        assert control.evidence(run.policy.name) == answer


def test_a_new_revision_has_no_look_yet_and_old_runs_are_given_up() -> None:
    sights, seen = Sights(), sight(evidence())
    sights.note(seen)
    assert sights.of(EXPERIMENT) == seen
    assert sights.of(replace(EXPERIMENT, revision=2)) is None
    for number in range(LARGEST):
        sights.note(replace(seen, experiment=replace(EXPERIMENT, uid=f"{number:08d}")))
    assert sights.of(EXPERIMENT) is None
