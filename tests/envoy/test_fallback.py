"""Graceful degradation: when the candidate does not answer, the baseline does, and the log says so."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from rollout.domain.assignment import CONTROL
from rollout.domain.policy import Resilience
from rollout.envoy.publication import Acknowledged
from tests.envoy.examples import logged, placed, policy_for, running
from tests.envoy.upstream import serving
from tests.envoy.users import Request, send

REQUESTS = [Request("/churn", {"x-user-id": f"user-{number}"}) for number in range(6_000)]


def test_no_request_fails_when_the_candidate_is_killed(tmp_path: Path) -> None:
    with (
        serving(CONTROL) as baseline,
        serving("candidate1") as candidate,
        running(tmp_path) as (proxy, port),
    ):
        policy = policy_for(baseline.url, candidate.url)
        assert isinstance(proxy.publish([placed(policy, 3)]), Acknowledged)

        def kill_half_way(answered: int) -> None:
            if answered == len(REQUESTS) // 2:
                candidate.process.kill()

        answers = send(port, REQUESTS, kill_half_way)
        lines = logged(proxy, len(REQUESTS))
    assert Counter(answer.code for answer in answers) == {200: len(REQUESTS)}
    served = Counter(
        (line["route"].split("/")[1], line["served"].split("/")[2], line["att"] > 1) for line in lines
    )
    assert served["candidate1", "candidate1", False] > 500
    assert served["candidate1", CONTROL, True] > 500
    assert served["candidate1", CONTROL, False] == 0
    assert served[CONTROL, CONTROL, False] > 2_000
    assert sum(served.values()) == len(REQUESTS)
    # The answer names the arm that was assigned, whoever gave it.
    assert Counter(answer.variant for answer in answers)["candidate1"] == sum(
        count for (assigned, _, _), count in served.items() if assigned == "candidate1"
    )


@pytest.mark.parametrize(
    ("status", "delay_s", "falls_back", "code", "attempts"),
    [
        (500, 0.0, True, 200, 2),
        (429, 0.0, True, 200, 2),
        (404, 0.0, True, 404, 1),  # an answer about the request, not a failure
        (200, 5.0, True, 200, 2),  # beyond the time of one try
        (500, 0.0, False, 500, 1),
        (200, 5.0, False, 504, 1),
    ],
)
def test_what_falls_back(  # noqa: PLR0913 (a row of the table)
    status: int, delay_s: float, *, falls_back: bool, code: int, attempts: int, tmp_path: Path
) -> None:
    resilience = Resilience(timeout_s=0.8, per_try_timeout_s=0.3, falls_back=falls_back)
    with (
        serving(CONTROL) as baseline,
        serving("candidate1", status=status, delay_s=delay_s) as candidate,
        running(tmp_path) as (proxy, port),
    ):
        policy = replace(policy_for(baseline.url, candidate.url), resilience=resilience)
        assert isinstance(proxy.publish([placed(policy, 3, is_promoted=True)]), Acknowledged)
        answer = send(port, [Request("/churn", {"x-user-id": "somebody"})])[0]
        line = logged(proxy, 1)[0]
    assert answer.code == code == line["code"]
    assert line["route"] == "churn-v2/promoted"
    assert line["att"] == attempts
    assert line["served"] == ("churn-v2/1/control" if attempts == 2 else "churn-v2/1/candidate1")


def test_a_dead_baseline_is_tried_twice_too(tmp_path: Path) -> None:
    with serving(CONTROL, status=503) as baseline, running(tmp_path) as (proxy, port):
        proxy.publish([placed(policy_for(baseline.url, baseline.url))])
        answer = send(port, [Request("/churn", {"x-user-id": "somebody"})])[0]
        line = logged(proxy, 1)[0]
    assert answer.code == 503
    assert (line["route"], line["served"], line["att"]) == ("churn-v2/rest", "churn-v2/1/control", 2)
